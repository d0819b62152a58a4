"""Ids that are one device. A device seen through two conventions has two ids; joined, one of them is an alias of the other.

Joined rows of the registry: what only the alias knew goes to the device, with its owner and its open findings closed; the alias itself
counts as removed from then on. Telemetry stays where it was stored, and is found through `ids_of`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records import audit, devices, findings
from hearthwatch.records.database import replace_rows, update_at_revision
from hearthwatch.records.tables import device_aliases, ownerships
from hearthwatch.records.tables import devices as device_rows
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import DEVICE_ID

JOINED, PROPOSED, SEPARATE = "joined", "proposed", "separate"

_TAKEN_OVER = ("model", "hardware", "serial", "made", "installed_at", "region", "firmware", "version", "version_key")


@dataclass(frozen=True, slots=True)
class Alias:
    """``alias`` is, may be, or is not ``device``: state joined, proposed, separate. ``since``: when that was last decided."""

    alias: str
    device: str
    state: str
    convention: str | None
    evidence: Mapping[str, Any]
    since: datetime
    actor: str
    revision: int


_COLUMNS = tuple(device_aliases.c[name] for name in Alias.__dataclass_fields__)


def load(connection: Connection) -> dict[str, str]:
    """The device of every alias."""
    query = sa.select(device_aliases.c.alias, device_aliases.c.device).where(device_aliases.c.state == JOINED)
    return {row.alias: row.device for row in connection.execute(query)}


def decided_since(connection: Connection, since: datetime) -> list[Alias]:
    """What was joined, proposed or separated at or after a time."""
    query = sa.select(*_COLUMNS).where(device_aliases.c.since >= since).order_by(device_aliases.c.since)
    return [Alias(**row) for row in connection.execute(query).mappings()]


def list_aliases(
    connection: Connection,
    *,
    device: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[Alias]:
    """Aliases by id; of one device (under whichever of its ids), or in one state. ``after`` is the last of the page before: `key_of`."""
    query = sa.select(*_COLUMNS).order_by(device_aliases.c.alias, device_aliases.c.device).limit(limit)
    if after is not None:
        last, _, of = after.partition(" ")
        same = sa.and_(device_aliases.c.alias == last, device_aliases.c.device > of)
        query = query.where(sa.or_(device_aliases.c.alias > last, same))
    if device is not None:
        query = query.where(sa.or_(device_aliases.c.device == device, device_aliases.c.alias == device))
    if state is not None:
        query = query.where(device_aliases.c.state == state)
    return [Alias(**row) for row in connection.execute(query).mappings()]


def key_of(alias: Alias) -> str:
    """The place of an alias in a list of them."""
    return f"{alias.alias} {alias.device}"


def device_of(connection: Connection, name: str) -> str:
    """The device that an id means: itself where it is no alias."""
    joined = (device_aliases.c.alias == name, device_aliases.c.state == JOINED)
    return connection.execute(sa.select(device_aliases.c.device).where(*joined)).scalar_one_or_none() or name


def ids_of(connection: Connection, name: str) -> list[str]:
    """Every id under which a device's telemetry may lie: its own first."""
    device = device_of(connection, name)
    query = sa.select(device_aliases.c.alias).where(device_aliases.c.device == device, device_aliases.c.state == JOINED)
    return [device, *connection.execute(query.order_by(device_aliases.c.alias)).scalars()]


def verdicts(connection: Connection, ids: Collection[str]) -> dict[frozenset[str], str]:
    """What was decided of pairs of ids in which any of these is."""
    some = list(ids)
    query = sa.select(device_aliases.c.alias, device_aliases.c.device, device_aliases.c.state)
    query = query.where(sa.or_(device_aliases.c.alias.in_(some), device_aliases.c.device.in_(some)))
    return {frozenset((row.alias, row.device)): row.state for row in connection.execute(query)}


def join(
    connection: Connection,
    alias: str,
    device: str,
    now: datetime,
    *,
    actor: str,
    convention: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Alias:
    """``alias`` is another id of ``device`` from now on; aliases of the alias follow it. Doing it again changes nothing.

    Raises `Invalid` for an id that is none or for one and the same, `Missing` where nobody knows the device, `Conflict` where
    the alias stands for another device.
    """
    _check(alias, device)
    device = device_of(connection, device)
    known = device_of(connection, alias)
    if known == device:
        if alias == device:
            raise Conflict(f"{device} is an alias of it already; separate them first", where=alias)
        return _get(connection, alias, device)
    if known != alias:
        raise Conflict(f"it is an alias of {known} already; separate them first", where=alias)
    if not devices.find(connection, [device]):
        raise Missing("no such device", where=device)
    of_alias = sa.update(device_aliases).where(device_aliases.c.device == alias, device_aliases.c.state == JOINED)
    connection.execute(of_alias.values(device=device, since=now, revision=device_aliases.c.revision + 1))
    given = {**(evidence or {}), **({"was_removed": True} if _join_rows(connection, alias, device, now) else {})}
    _write(connection, alias, device, JOINED, now, actor, convention, given)
    detail = {"alias": alias, "evidence": dict(evidence or {})}
    audit.note(connection, at=now, actor=actor, action="device.join", object=f"device:{device}", detail=detail)
    return _get(connection, alias, device)


def separate(connection: Connection, alias: str, device: str, now: datetime, *, actor: str) -> Alias:
    """They are two devices, whatever either claims: nothing joins them again but a person.

    Raises `Invalid` for an id that is none or for one and the same.
    """
    _check(alias, device)
    pairs = ((alias, device), (device, alias))
    found = next((one for pair in pairs for one in _find(connection, *pair)), None)
    if found is not None:
        alias, device = found.alias, found.device
    _write(connection, alias, device, SEPARATE, now, actor, found.convention if found else None, {})
    if found is not None and found.state == JOINED and not found.evidence.get("was_removed"):
        again = sa.update(device_rows).where(device_rows.c.id == alias)
        connection.execute(again.values(removed_at=None, revision=device_rows.c.revision + 1))
    detail = {"alias": alias}
    audit.note(connection, at=now, actor=actor, action="device.separate", object=f"device:{device}", detail=detail)
    return _get(connection, alias, device)


def propose(
    connection: Connection, alias: str, device: str, now: datetime, *, convention: str, evidence: Mapping[str, Any]
) -> None:
    """They may be one device, which a person has to decide. What was decided stays."""
    if not _find(connection, alias, device) and not _find(connection, device, alias):
        _write(connection, alias, device, PROPOSED, now, "ingest", convention, evidence)


def _check(alias: str, device: str) -> None:
    for one in (alias, device):
        if not DEVICE_ID.fullmatch(one):
            raise Invalid("a device id is 1 to 64 of A-Z a-z 0-9 . _ -", where=repr(one))
    if alias == device:
        raise Invalid("an id is no alias of itself", where=alias)


def _write(
    connection: Connection,
    alias: str,
    device: str,
    state: str,
    now: datetime,
    actor: str,
    convention: str | None,
    evidence: Mapping[str, Any],
) -> None:
    before = _find(connection, alias, device)
    row = {
        "alias": alias,
        "device": device,
        "state": state,
        "convention": fitted(device_aliases.c.convention, convention),
        "evidence": dict(evidence or (before[0].evidence if before else {})),
        "since": now,
        "actor": fitted(device_aliases.c.actor, actor),
        "revision": before[0].revision + 1 if before else 1,
    }
    replace_rows(connection, device_aliases, [row])


def _find(connection: Connection, alias: str, device: str) -> list[Alias]:
    pair = (device_aliases.c.alias == alias, device_aliases.c.device == device)
    return [Alias(**row) for row in connection.execute(sa.select(*_COLUMNS).where(*pair)).mappings()]


def _get(connection: Connection, alias: str, device: str) -> Alias:
    return _find(connection, alias, device)[0]


def _join_rows(connection: Connection, alias: str, device: str, now: datetime) -> bool:
    """Bring together what the registry knows under both ids. Returns whether the alias had been removed before."""
    row = connection.execute(sa.select(device_rows).where(device_rows.c.id == alias)).mappings().one_or_none()
    if row is None:
        return False
    taken = {name: sa.func.coalesce(device_rows.c[name], row[name]) for name in _TAKEN_OVER if row[name] is not None}
    update_at_revision(connection, device_rows, {"id": device}, None, taken)
    gone = sa.func.coalesce(device_rows.c.removed_at, now)
    update_at_revision(connection, device_rows, {"id": alias}, None, {"removed_at": gone})
    current = sa.select(sa.func.count()).where(ownerships.c.device_id == device, ownerships.c.to_at.is_(None))
    if not connection.execute(current).scalar_one():
        of_alias = (ownerships.c.device_id == alias, ownerships.c.to_at.is_(None))
        connection.execute(sa.update(ownerships).where(*of_alias).values(device_id=device))
    for finding in findings.list_findings(connection, subject=alias, states=findings.UNRECOVERED):
        findings.recover_one(connection, finding.id, now, f"joined to {device}")
    return row["removed_at"] is not None
