"""Whose devices were, what people agreed to, what ran on a device, and which releases there were: as of every time.

What tells a person (names, addresses, where they live) stays where it is; deciding needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from alerts.channels.addresses import scheme
from alerts.replay.stage import ACT, FACT, Stage
from hearthwatch.firmware import version
from hearthwatch.records.database import batched
from hearthwatch.records.tables import (
    audit,
    consent_events,
    customers,
    device_attributes,
    device_liveness,
    device_warranties,
    devices,
    firmware_changes,
    homes,
    liveness_changes,
    models,
    ownerships,
    planned_outages,
    releases,
    rollout_decisions,
    rollout_devices,
    rollout_waves,
    rollouts,
    spare_parts,
    technicians,
)
from hearthwatch.values import Span

AS_THEY_ARE = (
    models, homes, customers, ownerships, device_attributes, device_warranties, planned_outages, technicians, spare_parts, rollout_devices,
)  # fmt: skip
"""Tables whose rows name the times they hold for, or of which no earlier state is kept."""
_BLANK: Mapping[str, Mapping[str, Any]] = {
    "customers": {"name": "", "email": None, "phone": None},
    "homes": {"address": None, "city": None},
    "devices": {"serial": None},
    "technicians": {"name": ""},
}
_STATUSES = {"pause": "paused", **{name: name for name in ("rolling", "paused", "complete", "withdrawn")}}
"""Actions of the audit trail, without ``release.``, and the status they bring."""
_DECIDED = {"continue": "running", "hold": "held", "stop": "stopped"}
POLICY = "policy"
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Passing:
    """A time at which something of one device, or of all (empty), begins or ends by itself."""

    at: datetime
    subject: str = ""
    rank: int = FACT

    def happen(self, stage: Stage) -> None:
        """Look at it."""
        if self.subject:
            stage.wake(self.subject)
        else:
            stage.wake_all()


@dataclass(frozen=True, slots=True)
class Granted:
    """A customer agreed to something, or did no longer."""

    at: datetime
    row: Mapping[str, Any]
    theirs: tuple[str, ...]
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Write it down."""
        stage.connection.execute(sa.insert(consent_events).values(dict(self.row)))
        for device in self.theirs:
            stage.wake(device)


@dataclass(frozen=True, slots=True)
class Flashed:
    """A device told another firmware."""

    at: datetime
    device: str
    firmware: str | None
    rank: int = FACT

    def happen(self, stage: Stage) -> None:
        """Let it run that."""
        update = sa.update(devices).where(devices.c.id == self.device)
        stage.connection.execute(update.values(_running(self.firmware)))
        stage.wake(self.device)


@dataclass(frozen=True, slots=True)
class Announced:
    """A release was announced."""

    at: datetime
    row: Mapping[str, Any]
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Let it be there."""
        stage.connection.execute(sa.insert(releases).values(dict(self.row)))
        stage.wake_all()
        for delay in stage.delays:
            stage.later(self.at + delay)


@dataclass(frozen=True, slots=True)
class Set:
    """A row of a small table became another: a release's or a roll-out's status, an opened wave, a device's incident."""

    at: datetime
    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any]
    subject: str = ""
    rank: int = ACT

    def happen(self, stage: Stage) -> None:
        """Let it be so."""
        where = [self.table.c[name] == value for name, value in self.key.items()]
        stage.connection.execute(sa.update(self.table).where(*where).values(dict(self.values)))
        Passing(self.at, self.subject).happen(stage)


def copy(source: Connection, scratch: Connection, span: Span) -> None:
    """Write the registry into the scratch records, as it was at the beginning."""
    for table in AS_THEY_ARE:
        _copy_rows(source, scratch, table)
    _copy_rows(source, scratch, consent_events, consent_events.c.at <= span.since)
    _copy_rows(source, scratch, releases, releases.c.released_at <= span.since)
    _copy_rows(source, scratch, rollouts)
    _copy_rows(source, scratch, rollout_waves)
    later = rollout_waves.c.opened_at > span.since
    scratch.execute(sa.update(rollout_waves).where(later).values(opened_at=None))
    _copy_rows(source, scratch, devices)
    scratch.execute(sa.update(devices).where(devices.c.first_seen > span.since).values(last_seen=None))
    first = _first_change_after(source, span.since)
    for some in batched(first.items()):
        scratch.execute(_flash(), [{"of": device, **_named(_running(firmware))} for device, firmware in some])
    _set_back(scratch, _statuses(source), span.since)
    _incidents_at(source, scratch, span.since)


def read(source: Connection, span: Span) -> list[Iterator[Any]]:
    """What happened to the registry afterwards, in sources that are each in order."""
    statuses = _by_people(_statuses(source), span)
    return [
        iter(sorted(_passings(source, span), key=_at)),
        _appeared(source, span),
        _granted(source, span),
        _flashed(source, span),
        iter(sorted([*_announced(source, span), *statuses, *_waves(source, span)], key=_at)),
        _in_incidents(source, span),
    ]


def _copy_rows(source: Connection, scratch: Connection, table: Table, *where: Any) -> None:
    blank = _BLANK.get(table.name, {})
    query = sa.select(table).where(*where).execution_options(yield_per=_CHUNK)
    for some in source.execute(query).mappings().partitions():
        scratch.execute(sa.insert(table), [_without_a_person(table, {**row, **blank}) for row in some])


def _without_a_person(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    if table is customers:
        row["channels"] = masked(row["channels"])
    return row


def masked(addresses: Sequence[str]) -> list[str]:
    """Addresses of which only what serves them is left."""
    return [f"{scheme(address)}:{number}" for number, address in enumerate(addresses, 1)]


def _passings(source: Connection, span: Span) -> Iterator[Passing]:
    for table, begins, ends, of in (
        (ownerships, "from_at", "to_at", "device_id"),
        (planned_outages, "from_at", "to_at", None),
        (devices, "removed_at", "removed_at", "id"),
    ):
        for name in dict.fromkeys((begins, ends)):
            column = table.c[name]
            about = table.c[of] if of else sa.literal("")
            query = sa.select(column, about).where(column > span.since, column <= span.until)
            for at, device in source.execute(query):
                yield Passing(at, device)


def _appeared(source: Connection, span: Span) -> Iterator[Set]:
    """Devices that were heard of for the first time; of those heard of before, only the last time is kept."""
    first = devices.c.first_seen
    query = sa.select(devices.c.id, first, devices.c.last_seen).where(first > span.since, first <= span.until)
    for device, at, last in source.execute(query.order_by(first).execution_options(yield_per=_CHUNK)):
        yield Set(at, devices, {"id": device}, {"last_seen": last}, subject=device, rank=FACT)


def _granted(source: Connection, span: Span) -> Iterator[Granted]:
    at = consent_events.c.at
    query = sa.select(consent_events).where(at > span.since, at <= span.until).order_by(at, consent_events.c.id)
    for some in batched(source.execute(query).mappings()):
        theirs: dict[str, list[str]] = {}
        owned = sa.select(ownerships.c.customer_id, ownerships.c.device_id)
        for customer, device in source.execute(
            owned.where(ownerships.c.customer_id.in_({row["customer_id"] for row in some}))
        ):
            theirs.setdefault(customer, []).append(device)
        for row in some:
            yield Granted(row["at"], dict(row), tuple(theirs.get(row["customer_id"], ())))


def _first_change_after(source: Connection, since: datetime) -> dict[str, str | None]:
    """What devices ran at a time that told something else afterwards."""
    query = sa.select(firmware_changes).where(firmware_changes.c.at > since)
    found: dict[str, str | None] = {}
    for row in source.execute(query.order_by(firmware_changes.c.at, firmware_changes.c.id)).mappings():
        found.setdefault(row["device_id"], row["before"])
    return found


def _flashed(source: Connection, span: Span) -> Iterator[Flashed]:
    at = firmware_changes.c.at
    query = sa.select(firmware_changes).where(at > span.since, at <= span.until).order_by(at, firmware_changes.c.id)
    for row in source.execute(query.execution_options(yield_per=_CHUNK)).mappings():
        yield Flashed(row["at"], row["device_id"], row["after"])


def _running(firmware: str | None) -> dict[str, Any]:
    known = version(firmware) if firmware else None
    return {"firmware": firmware, "version": known.text if known else None, "version_key": known.key if known else None}


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _flash() -> sa.Update:
    changes: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("firmware", "version", "version_key")}
    return sa.update(devices).where(devices.c.id == sa.bindparam("of")).values(changes)


def _announced(source: Connection, span: Span) -> Iterator[Announced]:
    at = releases.c.released_at
    for row in source.execute(sa.select(releases).where(at > span.since, at <= span.until)).mappings():
        yield Announced(row["released_at"], {**row, "status": "rolling"})


def _statuses(source: Connection) -> list[Set]:
    """How releases and roll-outs became what they are, in order, as the audit trail and the gate's decisions tell."""
    found = []
    query = sa.select(audit.c.at, audit.c.actor, audit.c.action, audit.c.object).where(audit.c.action.like("release.%"))
    for at, actor, action, about in source.execute(query.order_by(audit.c.id)):
        status, number = _STATUSES.get(action.partition(".")[2]), about.partition(":")[2]
        if status is not None and number.isdecimal():
            found.append(Set(at, releases, {"id": int(number)}, {"status": status, "by": actor}))
    for row in source.execute(sa.select(rollout_decisions).order_by(rollout_decisions.c.id)).mappings():
        values = {"status": _DECIDED[row["decision"]]}
        found.append(Set(row["at"], rollouts, {"id": row["rollout_id"]}, values, rank=FACT))
    ended = sa.select(rollouts.c.id, rollouts.c.status, rollouts.c.ended_at).where(rollouts.c.ended_at.is_not(None))
    found += [
        Set(at, rollouts, {"id": number}, {"status": status}, rank=FACT) for number, status, at in source.execute(ended)
    ]
    return sorted(found, key=_at)


def _set_back(scratch: Connection, statuses: Sequence[Set], since: datetime) -> None:
    """Give releases and roll-outs the status that they had at a time."""
    then: dict[tuple[Table, int], str] = {}
    for one in statuses:
        key = (one.table, one.key["id"])
        if one.at <= since:
            then[key] = one.values["status"]
        else:
            then.setdefault(key, "rolling" if one.table is releases else "planned")
    for (table, number), status in then.items():
        scratch.execute(sa.update(table).where(table.c.id == number).values(status=status))


def _by_people(statuses: Sequence[Set], span: Span) -> Iterator[Set]:
    """Those within the span that no policy made: the one that is tried pauses for itself."""
    for one in statuses:
        if span.since < one.at <= span.until and one.values.get("by") != POLICY:
            yield replace(one, values={"status": one.values["status"]})


def _waves(source: Connection, span: Span) -> Iterator[Set]:
    at = rollout_waves.c.opened_at
    for row in source.execute(sa.select(rollout_waves).where(at > span.since, at <= span.until)).mappings():
        key = {"rollout_id": row["rollout_id"], "number": row["number"]}
        yield Set(row["opened_at"], rollout_waves, key, {"opened_at": row["opened_at"]}, rank=FACT)


def _incidents_at(source: Connection, scratch: Connection, since: datetime) -> None:
    """Rows for the devices that were ever part of a mass silence, with what they were part of at the beginning."""
    ever = sa.select(liveness_changes.c.device_id).where(liveness_changes.c.incident_id.is_not(None)).distinct()
    at = liveness_changes.c.at
    latest: dict[str, int | None] = dict.fromkeys(source.execute(ever).scalars())
    query = sa.select(liveness_changes.c.device_id, liveness_changes.c.incident_id).where(at <= since)
    query = query.where(liveness_changes.c.device_id.in_(ever)).order_by(liveness_changes.c.id)
    latest.update((device, incident) for device, incident in source.execute(query))
    for some in batched(latest.items()):
        scratch.execute(sa.insert(device_liveness), [_membership(device, incident, since) for device, incident in some])


def _membership(device: str, incident: int | None, at: datetime) -> dict[str, Any]:
    nothing = {"state": "unknown", "power": "unknown", "power_from": "nothing", "why": {}, "memory": {}}
    times = {"since": at, "updated_at": at, "interval_s": 0.0, "gaps": 0, "flapping": False}
    return {"device_id": device, "incident_id": incident, **nothing, **times}


def _in_incidents(source: Connection, span: Span) -> Iterator[Set]:
    at = liveness_changes.c.at
    ever = sa.select(liveness_changes.c.device_id).where(liveness_changes.c.incident_id.is_not(None)).distinct()
    query = sa.select(liveness_changes).where(at > span.since, at <= span.until)
    query = query.where(liveness_changes.c.device_id.in_(ever)).order_by(at, liveness_changes.c.id)
    for row in source.execute(query.execution_options(yield_per=_CHUNK)).mappings():
        key, values = {"device_id": row["device_id"]}, {"incident_id": row["incident_id"]}
        yield Set(row["at"], device_liveness, key, values, subject=row["device_id"], rank=FACT)


def _at(one: Any) -> datetime:
    at: datetime = one.at
    return at
