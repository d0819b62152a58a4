"""Whether each device is there, as the liveness job last found it, and how that changed; bridges, and what a person says of reporting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid, Missing, Stale
from hearthwatch.records.database import batched, insert_missing, replace_rows, update_at_revision
from hearthwatch.records.tables import (
    device_bridges,
    device_liveness,
    devices,
    liveness_changes,
    ownerships,
    reporting_plans,
)

STATES = ("online", "asleep", "late", "offline", "unknown")
SCOPES = ("device", "model")
POWER_CLASSES = ("mains", "battery", "sleepy")
SHORTEST_S, LONGEST_S = 60.0, 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Liveness:
    """The state of one device. ``until`` is when it changes if nothing is heard, ``interval_s`` how often it is expected to be heard.

    ``power`` is mains, battery, sleepy or unknown, ``power_from`` what tells so. ``bridge_id`` is the device it depends on, ``incident_id``
    the finding of a mass silence that it is part of. ``memory`` is the job's own.
    """

    device_id: str
    state: str
    since: datetime
    until: datetime | None
    why: Mapping[str, Any]
    power: str
    power_from: str
    interval_s: float
    gaps: int
    heard_at: datetime | None
    bridge_id: str | None
    flapping: bool
    incident_id: int | None
    memory: Mapping[str, Any]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a device's timeline. ``before`` is None for the first."""

    id: int
    device_id: str
    at: datetime
    state: str
    before: str | None
    why: Mapping[str, Any]
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class Bridge:
    """That a device depends on another, and what that one says of its power."""

    device_id: str
    bridge_id: str
    power_source: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class ReportingPlan:
    """What a person says of a device, or of all of a model: its power class and how often it reports, None where that is found out."""

    scope: str
    subject: str
    power: str | None
    interval_s: float | None
    revision: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What the registry knows of a device that matters here."""

    id: str
    model: str | None
    region: str | None
    convention: str | None
    online: bool | None
    presence_at: datetime | None
    last_seen: datetime | None


# -- states


def put(connection: Connection, rows: Sequence[Liveness]) -> None:
    """Write down the states of some devices, over what was there."""
    names = Liveness.__dataclass_fields__
    replace_rows(connection, device_liveness, [{name: getattr(row, name) for name in names} for row in rows])


def load(connection: Connection) -> dict[str, Liveness]:
    """The states of all devices."""
    return {row["device_id"]: Liveness(**row) for row in connection.execute(sa.select(device_liveness)).mappings()}


def find(connection: Connection, device_ids: Sequence[str]) -> dict[str, Liveness]:
    """The states of some devices; one that the job has not looked at yet is absent."""
    found: dict[str, Liveness] = {}
    for some in batched(device_ids):
        query = sa.select(device_liveness).where(device_liveness.c.device_id.in_(some))
        found.update((row["device_id"], Liveness(**row)) for row in connection.execute(query).mappings())
    return found


def forget(connection: Connection, device_ids: Sequence[str]) -> None:
    """Drop the states of devices that are no longer watched."""
    for some in batched(device_ids):
        connection.execute(sa.delete(device_liveness).where(device_liveness.c.device_id.in_(some)))


def counts(connection: Connection) -> dict[str, int]:
    """Devices by state, every state named."""
    query = sa.select(device_liveness.c.state, sa.func.count()).group_by(device_liveness.c.state)
    return {**dict.fromkeys(STATES, 0), **{row[0]: row[1] for row in connection.execute(query)}}


def in_state(state: str) -> sa.ColumnElement[bool]:
    """The condition on `devices` that a device is in a state. Raises `Invalid` for what is none."""
    if state not in STATES:
        raise Invalid(f"a state is one of {', '.join(STATES)}", where="state")
    chosen = sa.select(device_liveness.c.device_id).where(device_liveness.c.state == state)
    return devices.c.id.in_(chosen)


def in_incident(finding_id: int) -> sa.ColumnElement[bool]:
    """The condition on `devices` that a device is part of a mass silence."""
    chosen = sa.select(device_liveness.c.device_id).where(device_liveness.c.incident_id == finding_id)
    return devices.c.id.in_(chosen)


def in_incidents(connection: Connection) -> dict[str, int]:
    """Devices that are part of a mass silence, with its finding."""
    columns = (device_liveness.c.device_id, device_liveness.c.incident_id)
    query = sa.select(*columns).where(device_liveness.c.incident_id.is_not(None))
    return {row.device_id: row.incident_id for row in connection.execute(query)}


# -- the timeline


def note(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add entries to timelines: device_id, at, state, before, why, incident_id."""
    if rows:
        connection.execute(sa.insert(liveness_changes), list(rows))


def changes(connection: Connection, device_id: str, *, after: int | None = None, limit: int = 100) -> list[Change]:
    """A device's timeline, newest first; ``after`` is the last id of the page before."""
    query = sa.select(liveness_changes).where(liveness_changes.c.device_id == device_id)
    if after is not None:
        query = query.where(liveness_changes.c.id < after)
    rows = connection.execute(query.order_by(liveness_changes.c.id.desc()).limit(limit)).mappings()
    return [Change(**row) for row in rows]


def forget_changes(connection: Connection, before: datetime) -> int:
    """Delete entries from before a time. Returns how many."""
    return connection.execute(sa.delete(liveness_changes).where(liveness_changes.c.at < before)).rowcount


# -- what the registry knows


def watched(connection: Connection, now: datetime) -> list[Watched]:
    """The devices that are there to be heard: all but those that were removed; test devices too."""
    names = Watched.__dataclass_fields__
    query = sa.select(*(devices.c[name] for name in names)).where(
        sa.or_(devices.c.removed_at.is_(None), devices.c.removed_at > now)
    )
    return [Watched(**row) for row in connection.execute(query.order_by(devices.c.id)).mappings()]


def homes(connection: Connection, now: datetime) -> dict[str, str]:
    """The home of each device that is in one now."""
    query = sa.select(ownerships.c.device_id, ownerships.c.home_id).where(
        ownerships.c.home_id.is_not(None),
        ownerships.c.from_at <= now,
        sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > now),
    )
    return {row.device_id: row.home_id for row in connection.execute(query)}


# -- bridges


def join(connection: Connection, rows: Iterable[Bridge]) -> None:
    """Devices depend on bridges, from a time on."""
    replace_rows(
        connection,
        device_bridges,
        [{name: getattr(row, name) for name in Bridge.__dataclass_fields__} for row in rows],
    )


def leave(connection: Connection, device_ids: Sequence[str]) -> None:
    """Devices do not depend on a bridge any more."""
    for some in batched(device_ids):
        connection.execute(sa.delete(device_bridges).where(device_bridges.c.device_id.in_(some)))


def bridges(connection: Connection) -> dict[str, Bridge]:
    """The bridge of each device that has one."""
    return {row["device_id"]: Bridge(**row) for row in connection.execute(sa.select(device_bridges)).mappings()}


# -- what a person says


def plans(connection: Connection) -> dict[tuple[str, str], ReportingPlan]:
    """All plans by scope and subject."""
    rows = connection.execute(sa.select(reporting_plans)).mappings()
    return {(row["scope"], row["subject"]): ReportingPlan(**row) for row in rows}


def plan(connection: Connection, scope: str, subject: str) -> ReportingPlan:
    """One plan. Raises `Missing`."""
    known = plans(connection).get((scope, subject))
    if known is None:
        raise Missing("nothing is said of how it reports", where=f"{scope} {subject}")
    return known


def set_plan(
    connection: Connection, scope: str, subject: str, revision: int | None, power: str | None, interval_s: float | None
) -> ReportingPlan:
    """Say how a device or a model reports; both None: nothing is said. Raises `Invalid`, or `Stale` when it changed meanwhile."""
    if scope not in SCOPES:
        raise Invalid(f"a plan is for a {' or a '.join(SCOPES)}", where="scope")
    if power is not None and power not in POWER_CLASSES:
        raise Invalid(f"a power class is one of {', '.join(POWER_CLASSES)}", where="power")
    if interval_s is not None and not SHORTEST_S <= interval_s <= LONGEST_S:
        raise Invalid(f"an interval is {SHORTEST_S:g} to {LONGEST_S:g} seconds", where="interval_s")
    row = {"scope": scope, "subject": subject, "power": power, "interval_s": interval_s}
    if not insert_missing(connection, reporting_plans, [row]):
        key = {"scope": scope, "subject": subject}
        update_at_revision(connection, reporting_plans, key, revision, {"power": power, "interval_s": interval_s})
    elif revision is not None:
        raise Stale("nothing was said of how it reports when you read it", where=f"{scope} {subject}")
    return plan(connection, scope, subject)
