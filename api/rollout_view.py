"""A roll-out as people and programs see it: the plan, how far each wave is, and what was decided last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection

from analytics.rollouts.gate import tally
from analytics.rollouts.heard import HeardClock
from analytics.rollouts.shares import at_least, trials_needed
from hearthwatch.records import blindness, releases, rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_devices import OUTCOMES, Member
from hearthwatch.records.rollouts import Rollout, Wave
from hearthwatch.values import Release


@dataclass(frozen=True, slots=True)
class WaveView:
    """A wave and how far it is.

    ``counts`` are devices by outcome, ``due`` those updated at least the healthy hours ago, of which ``success_at_least`` surely succeed.
    ``hours`` were heard since it opened. ``needed`` is with how few devices, all of them successes, it could pass.
    """

    number: int
    share: float
    min_hours: float
    min_successes: int
    success_share: float
    opened_at: datetime | None
    passed_at: datetime | None
    hours: float | None
    devices: int
    counts: Mapping[str, int]
    updated: int
    due: int
    successes: int
    success_at_least: float
    needed: int


@dataclass(frozen=True, slots=True)
class RolloutView(Rollout):
    """A roll-out with its release, waves and newest decision. ``held_out`` devices are in no wave."""

    release: Release
    open_wave: int
    waves: Sequence[WaveView]
    held_out: int
    decision: Decision | None


def view(connection: Connection, rollout: Rollout, now: datetime) -> RolloutView:
    """One roll-out in full."""
    of_it = rollouts.waves(connection, rollout.id)
    members = rollout_devices.load(connection, rollout.id).values()
    clock = HeardClock(blindness.between(connection, rollout.created_at, now, now), now)
    by_wave: dict[int, list[Member]] = {one.number: [] for one in of_it}
    held_out = 0
    for member in members:
        if member.wave in by_wave:
            by_wave[member.wave].append(member)
        else:
            held_out += 1
    return RolloutView(
        release=releases.get(connection, rollout.release_id),
        open_wave=rollouts.open_wave(of_it),
        waves=tuple(_wave(rollout, one, by_wave[one.number], clock, now) for one in of_it),
        held_out=held_out,
        decision=rollout_decisions.newest(connection, rollout.id),
        **{one.name: getattr(rollout, one.name) for one in fields(Rollout)},
    )


def _wave(rollout: Rollout, wave: Wave, members: Sequence[Member], clock: HeardClock, now: datetime) -> WaveView:
    counts = dict.fromkeys(OUTCOMES, 0)
    for member in members:
        counts[member.outcome] += 1
    found = tally(members, rollout, clock, now)
    until = wave.passed_at or now
    return WaveView(
        number=wave.number,
        share=wave.share,
        min_hours=wave.min_hours,
        min_successes=wave.min_successes,
        success_share=wave.success_share,
        opened_at=wave.opened_at,
        passed_at=wave.passed_at,
        hours=round(clock.hours(wave.opened_at, until), 2) if wave.opened_at is not None else None,
        devices=found.devices,
        counts=counts,
        updated=found.updated,
        due=found.due,
        successes=found.successes,
        success_at_least=round(at_least(found.successes, found.due, rollout.alpha), 4),
        needed=max(wave.min_successes, trials_needed(wave.success_share, rollout.alpha)),
    )
