"""Staged roll-outs of releases: the plan, its waves, and to whom the release is open right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.lottery import check_shares, place, wave_of
from hearthwatch.records.tables import devices, rollout_devices, rollout_waves, rollouts
from hearthwatch.records.tables.columns import fitted

STATUSES = ("planned", "running", "held", "paused", "stopped", "complete")
OPEN = ("running", "complete")
"""In these the devices of open waves are offered the release; in all others nobody is."""
LIVE = ("planned", "running", "held")
"""In these the gate decides. ``paused`` and ``stopped`` wait for a person."""
STRATA = ("hardware", "region")
"""What devices may be stratified by, in the order of a stratum's name."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave. ``share`` is the part of every stratum, 0 to 1, that has the release once this wave is open (cumulative).

    It passes after ``min_hours`` hours in which the fleet was heard, with ``min_successes`` successes, when the share of successes is
    surely at least ``success_share``.
    """

    number: int
    share: float
    min_hours: float
    min_successes: int
    success_share: float
    opened_at: datetime | None = None
    passed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person chooses about a roll-out. Hours, and shares from 0 to 1; ``alpha`` is the error allowed for each of its tests."""

    waves: tuple[Wave, ...]
    strata: tuple[str, ...] = STRATA
    healthy_hours: float = 24.0
    silent_hours: float = 24.0
    silence_share: float = 0.02
    deviation_share: float = 0.05
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Rollout:
    """A roll-out as it stands. ``claim``: whether those who updated are those whom we drew (open, followed, withdrawn).

    ``service`` is the system that deploys besides us, ``service_id`` the roll-out's id there, ``service_state`` what it last said.
    """

    id: int
    release_id: int
    salt: str
    strata: tuple[str, ...]
    status: str
    reason: str | None
    healthy_hours: float
    silent_hours: float
    silence_share: float
    deviation_share: float
    alpha: float
    claim: str
    claim_why: str | None
    service: str
    service_id: str | None
    service_state: str | None
    service_said: str | None
    service_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    created_by: str
    revision: int


_COLUMNS = tuple(rollouts.c[name] for name in Rollout.__dataclass_fields__)
_WAVE = tuple(rollout_waves.c[name] for name in Wave.__dataclass_fields__)


def create(
    connection: Connection,
    *,
    release_id: int,
    salt: str,
    plan: Plan,
    status: str = "planned",
    reason: str | None = None,
    service: str = "none",
    service_id: str | None = None,
    by: str,
    now: datetime,
) -> Rollout:
    """Plan a roll-out of a release. Raises `Invalid` for a plan that makes no sense, `Conflict` where the release has one already."""
    _check(plan)
    row = {
        "release_id": release_id,
        "salt": salt,
        "strata": list(plan.strata),
        "status": status,
        "reason": fitted(rollouts.c.reason, reason),
        "healthy_hours": plan.healthy_hours,
        "silent_hours": plan.silent_hours,
        "silence_share": plan.silence_share,
        "deviation_share": plan.deviation_share,
        "alpha": plan.alpha,
        "claim": "open",
        "service": service,
        "service_id": service_id,
        "created_at": now,
        "created_by": fitted(rollouts.c.created_by, by),
    }
    if not insert_missing(connection, rollouts, [row]):
        raise Conflict("this release has a roll-out already", where=f"release:{release_id}")
    created = of_release(connection, release_id)
    assert created is not None
    names = ("number", "share", "min_hours", "min_successes", "success_share")
    waves_of_it = [{"rollout_id": created.id, **{name: getattr(one, name) for name in names}} for one in plan.waves]
    connection.execute(sa.insert(rollout_waves), waves_of_it)
    return created


def _check(plan: Plan) -> None:
    check_shares([one.share for one in plan.waves])
    if [one.number for one in plan.waves] != list(range(1, len(plan.waves) + 1)):
        raise Invalid("waves are numbered from 1 on", where="waves")
    unknown = [name for name in plan.strata if name not in STRATA]
    if unknown:
        raise Invalid(f"devices are stratified by {' and '.join(STRATA)}, not by {unknown[0]}", where="strata")


def get(connection: Connection, rollout_id: int) -> Rollout:
    """One roll-out. Raises `Missing`."""
    found = _select(connection, rollouts.c.id == rollout_id)
    if not found:
        raise Missing("no such roll-out", where=str(rollout_id))
    return found[0]


def of_release(connection: Connection, release_id: int) -> Rollout | None:
    """The roll-out of a release, if it has one."""
    found = _select(connection, rollouts.c.release_id == release_id)
    return found[0] if found else None


def list_rollouts(
    connection: Connection,
    *,
    statuses: Sequence[str] | None = None,
    release_id: int | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[Rollout]:
    """Roll-outs, newest first; ``after`` is the last id of the page before."""
    where: list[sa.ColumnElement[bool]] = []
    if statuses is not None:
        where.append(rollouts.c.status.in_(statuses))
    if release_id is not None:
        where.append(rollouts.c.release_id == release_id)
    if after is not None:
        where.append(rollouts.c.id < after)
    return _select(connection, *where, limit=limit)


def change(connection: Connection, rollout_id: int, revision: int | None, changes: Mapping[str, Any]) -> Rollout:
    """Change a roll-out. Raises `Missing`, or `Stale` when it changed since ``revision``."""
    texts = {"reason": rollouts.c.reason, "claim_why": rollouts.c.claim_why, "service_said": rollouts.c.service_said}
    row = {name: fitted(texts[name], value) if name in texts else value for name, value in changes.items()}
    update_at_revision(connection, rollouts, {"id": rollout_id}, revision, row)
    return get(connection, rollout_id)


def service_said(
    connection: Connection, rollout_id: int, now: datetime, *, state: str | None, said: str | None
) -> None:
    """Note what the service that deploys said of a roll-out. This is no change of ours: the revision stays."""
    values = {"service_said": fitted(rollouts.c.service_said, said), "service_at": now}
    if state is not None:
        values["service_state"] = fitted(rollouts.c.service_state, state)
    connection.execute(sa.update(rollouts).where(rollouts.c.id == rollout_id).values(values))


def waves(connection: Connection, rollout_id: int) -> tuple[Wave, ...]:
    """The waves of a roll-out, in order."""
    query = sa.select(*_WAVE).where(rollout_waves.c.rollout_id == rollout_id).order_by(rollout_waves.c.number)
    return tuple(Wave(**row) for row in connection.execute(query).mappings())


def mark_wave(connection: Connection, rollout_id: int, number: int, **at: datetime) -> None:
    """Note when a wave was opened (``opened_at``) or had passed (``passed_at``)."""
    mine = (rollout_waves.c.rollout_id == rollout_id, rollout_waves.c.number == number)
    connection.execute(sa.update(rollout_waves).where(*mine).values(at))


def open_wave(waves_of_it: Iterable[Wave]) -> int:
    """The number of the newest open wave; 0 before the first."""
    return max((one.number for one in waves_of_it if one.opened_at is not None), default=0)


def drawn(rollout: Rollout, waves_of_it: Sequence[Wave], device_id: str) -> int:
    """The wave that a device draws."""
    return wave_of(place(rollout.salt, device_id), [one.share for one in waves_of_it])


def open_to(connection: Connection, release_id: int, device_ids: Iterable[str]) -> set[str]:
    """Those of some devices that may be offered a release now: all where it has no roll-out, else the devices of open waves.

    Nobody, while the roll-out is planned, held, paused or stopped, but test devices, which are in no roll-out.
    """
    ids = list(device_ids)
    rollout = of_release(connection, release_id)
    if rollout is None:
        return set(ids)
    tried = _test_devices(connection, ids)
    if rollout.status not in OPEN:
        return tried
    of_it = waves(connection, rollout.id)
    number = open_wave(of_it)
    written = _written(connection, rollout.id, ids)
    return tried | {one for one in ids if written.get(one, drawn(rollout, of_it, one)) <= number}


def _test_devices(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in batched(ids):
        query = sa.select(devices.c.id).where(devices.c.id.in_(some), devices.c.test.is_(True))
        found.update(connection.execute(query).scalars())
    return found


def _written(connection: Connection, rollout_id: int, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in batched(ids):
        query = sa.select(rollout_devices.c.device_id, rollout_devices.c.wave).where(
            rollout_devices.c.rollout_id == rollout_id, rollout_devices.c.device_id.in_(some)
        )
        found.update((row.device_id, row.wave) for row in connection.execute(query))
    return found


def _select(connection: Connection, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[Rollout]:
    query = sa.select(*_COLUMNS).where(*where).order_by(rollouts.c.id.desc()).limit(limit)
    rows = connection.execute(query).mappings()
    return [Rollout(**{**row, "strata": tuple(row["strata"])}) for row in rows]
