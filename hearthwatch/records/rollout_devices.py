"""What became of each device of a roll-out: its wave, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import rollouts
from hearthwatch.records.database import batched, replace_rows
from hearthwatch.records.rollouts import Rollout, Wave
from hearthwatch.records.tables import commands, devices, notice_events, notices, ownerships, rollout_devices
from hearthwatch.records.tables.columns import fitted

OUTCOMES = ("waiting", "offered", "deferred", "updated", "success", "silent", "unhealthy", "left")
FAILURES = ("silent", "unhealthy")
TAKEN = ("updated", "success", "silent", "unhealthy")
"""Outcomes of devices that took the release, where they also have ``updated_at``: one can fall silent before it tells."""


@dataclass(frozen=True, slots=True)
class Member:
    """A device in a roll-out.

    ``outcome``: waiting (its wave is not open), offered, deferred (its owner said later), updated (the release reported, not healthy for
    long enough yet), success, silent, unhealthy (``why`` says how), left (removed, or beyond this release). ``healthy_hours`` are hours
    since the update up to the last word, without our own outages and without hours with an unexpected reboot. ``heard_at`` is followed
    from the offer until the end.
    """

    device_id: str
    wave: int
    stratum: str
    outcome: str
    joined_at: datetime
    why: str | None = None
    offered_at: datetime | None = None
    deferred_at: datetime | None = None
    updated_at: datetime | None = None
    heard_at: datetime | None = None
    decided_at: datetime | None = None
    healthy_hours: float = 0.0


_FIELDS = tuple(Member.__dataclass_fields__)
_COLUMNS = tuple(rollout_devices.c[name] for name in _FIELDS)


def load(connection: Connection, rollout_id: int) -> dict[str, Member]:
    """All devices of a roll-out."""
    query = sa.select(*_COLUMNS).where(rollout_devices.c.rollout_id == rollout_id)
    return {row["device_id"]: Member(**row) for row in connection.execute(query).mappings()}


def put(connection: Connection, rollout_id: int, members: Iterable[Member]) -> None:
    """Write devices down, over what stood there of them."""
    for some in batched(members, 2000):
        replace_rows(connection, rollout_devices, [_row(rollout_id, one) for one in some])


def _row(rollout_id: int, member: Member) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(member, name) for name in _FIELDS}
    return row | {
        "rollout_id": rollout_id,
        "stratum": fitted(rollout_devices.c.stratum, member.stratum),
        "why": fitted(rollout_devices.c.why, member.why),
    }


def page(
    connection: Connection,
    rollout_id: int,
    *,
    wave: int | None = None,
    outcomes: Sequence[str] | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Member]:
    """Devices of a roll-out by id; ``after`` is the last id of the page before."""
    query = sa.select(*_COLUMNS).where(rollout_devices.c.rollout_id == rollout_id)
    if wave is not None:
        query = query.where(rollout_devices.c.wave == wave)
    if outcomes is not None:
        query = query.where(rollout_devices.c.outcome.in_(outcomes))
    if after is not None:
        query = query.where(rollout_devices.c.device_id > after)
    rows = connection.execute(query.order_by(rollout_devices.c.device_id).limit(limit)).mappings()
    return [Member(**row) for row in rows]


def counts(connection: Connection, rollout_id: int) -> dict[int, dict[str, int]]:
    """Devices by wave and outcome, every outcome named."""
    columns = (rollout_devices.c.wave, rollout_devices.c.outcome)
    query = sa.select(*columns, sa.func.count()).where(rollout_devices.c.rollout_id == rollout_id).group_by(*columns)
    found: dict[int, dict[str, int]] = {}
    for wave, outcome, count in connection.execute(query):
        found.setdefault(wave, dict.fromkeys(OUTCOMES, 0))[outcome] = count
    return found


def deferred(connection: Connection, rollout_id: int, at: Mapping[str, datetime]) -> int:
    """Note when the owners of some devices put the update off; only of devices that have been offered it. Returns how many were noted."""
    noted, newest = 0, rollouts.open_wave(rollouts.waves(connection, rollout_id))
    for some in batched(sorted(at)):
        query = sa.select(*_COLUMNS).where(
            rollout_devices.c.rollout_id == rollout_id,
            rollout_devices.c.device_id.in_(some),
            rollout_devices.c.wave <= newest,
            rollout_devices.c.outcome.in_(
                ("waiting", "offered", "deferred")
            ),  # the next look finds those offered that wait
        )
        for row in connection.execute(query).mappings().all():
            mine = (rollout_devices.c.rollout_id == rollout_id, rollout_devices.c.device_id == row["device_id"])
            values = {"outcome": "deferred", "deferred_at": at[row["device_id"]], "decided_at": at[row["device_id"]]}
            noted += connection.execute(sa.update(rollout_devices).where(*mine).values(values)).rowcount
    return noted


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the registry knows of a device that may be in a roll-out."""

    id: str
    hardware: str | None
    region: str | None
    version: str | None
    version_key: str | None
    last_seen: datetime | None


def candidates(connection: Connection, model: str, now: datetime) -> dict[str, Candidate]:
    """The devices of a model that are in use; without test devices."""
    columns = tuple(devices.c[name] for name in Candidate.__dataclass_fields__)
    here = sa.or_(devices.c.removed_at.is_(None), devices.c.removed_at > now)
    query = sa.select(*columns).where(devices.c.model == model, devices.c.test.is_(False), here)
    return {row["id"]: Candidate(**row) for row in connection.execute(query).mappings()}


def put_off(connection: Connection, model: str, since: datetime) -> dict[str, datetime]:
    """When owners put updates of devices of a model off, since a time: they answered an update's notice with ``later``, or the device
    answered an update command with ``deferred``. A notice speaks for all devices of the model that its customer has."""
    of_model = sa.and_(ownerships.c.device_id == devices.c.id, devices.c.model == model)
    answered = (
        sa.select(ownerships.c.device_id, sa.func.max(notice_events.c.at))
        .join(notices, notices.c.id == notice_events.c.notice_id)
        .join(ownerships, sa.and_(ownerships.c.customer_id == notices.c.customer_id, ownerships.c.to_at.is_(None)))
        .join(devices, of_model)
        .where(notice_events.c.what == "later", notice_events.c.at >= since)
        .where(notices.c.kind == "update", notices.c.answer == "later")
        .group_by(ownerships.c.device_id)
    )
    found = {row[0]: row[1] for row in connection.execute(answered)}
    refused = (
        sa.select(commands.c.device_id, commands.c.answered_at, commands.c.answer)
        .join(devices, devices.c.id == commands.c.device_id)
        .where(devices.c.model == model, commands.c.kind == "update", commands.c.answered_at >= since)
    )
    for row in connection.execute(refused):
        if isinstance(row.answer, Mapping) and row.answer.get("deferred") is True:
            found[row.device_id] = max(found.get(row.device_id, row.answered_at), row.answered_at)
    return found


def drawn(rollout: Rollout, waves: Sequence[Wave], device: Candidate, now: datetime) -> Member:
    """A device that is new to a roll-out, with the wave that it draws."""
    return Member(
        device_id=device.id,
        wave=rollouts.drawn(rollout, waves, device.id),
        stratum=stratum_of(rollout, device),
        outcome="waiting",
        joined_at=now,
    )


def stratum_of(rollout: Rollout, device: Candidate) -> str:
    """The name of a device's stratum: its values in the order of the plan, ``?`` where nobody knows."""
    return " / ".join(str(getattr(device, name) or "?") for name in rollout.strata)


def draw(connection: Connection, rollout: Rollout, model: str, now: datetime) -> int:
    """Write down the waves of all devices of a model that are not in a roll-out yet. Returns how many."""
    waves, there = rollouts.waves(connection, rollout.id), load(connection, rollout.id)
    known = candidates(connection, model, now)
    new = [drawn(rollout, waves, device, now) for name, device in known.items() if name not in there]
    put(connection, rollout.id, new)
    return len(new)


def among(connection: Connection, rollout_id: int, device_ids: Sequence[str]) -> set[str]:
    """Those of some devices that are in a roll-out."""
    found: set[str] = set()
    for some in batched(device_ids):
        query = sa.select(rollout_devices.c.device_id).where(
            rollout_devices.c.rollout_id == rollout_id, rollout_devices.c.device_id.in_(some)
        )
        found.update(connection.execute(query).scalars())
    return found
