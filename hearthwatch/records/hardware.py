"""Hardware addresses that devices told, and what follows when two ids tell the same one: they are joined, or a person is asked.

Two ids are joined by themselves only where nobody could have claimed another's address: the broker's users behind them are one, or are
not known at all, and their serial numbers do not contradict. Everything else is a finding and a proposal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import aliases, broker_users, devices
from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import device_addresses, ownerships
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Device, Identity, Observation
from hearthwatch.wire.hardware_address import is_address

ACTOR = "ingest"
KINDS = ("mac", "ieee", "serial")
COMPARED = 8
"""Ids of one address: a device speaks a handful of conventions."""
_SERIAL = re.compile(r"(?=.*[0-9]).{6,128}", re.DOTALL)
"""A text that can be the serial number of one device alone; ``0`` and ``unknown`` are those of many."""


@dataclass(frozen=True, slots=True)
class Address:
    """A hardware address (kind mac, ieee or serial) and the id that told it."""

    kind: str
    address: str
    device: str
    convention: str | None
    told_by: str | None
    since: datetime


_COLUMNS = tuple(device_addresses.c[name] for name in Address.__dataclass_fields__)


def learn(connection: Connection, claims: Sequence[Identity], now: datetime, *, ask: bool = False) -> list[Observation]:
    """Keep the addresses of some claims and join the ids that are one device; returns what a person should look at.

    ``ask``: join nothing that two users of the broker could have told, because each device has a user of its own.
    """
    found: list[Observation] = []
    known = _known(connection, claims)
    alone: list[Address] = []  # told by nobody else: nearly all of them
    for claim in claims:
        told_as = claim.told_as or claim.device
        for kind, address in _addresses(claim):
            told_by = fitted(device_addresses.c.told_by, claim.told_by)
            row = Address(kind, address, told_as, claim.convention, told_by, now)
            holding = known[kind, address]
            if not holding:
                alone.append(row)
            elif holding != {told_as}:
                _keep(connection, alone)
                alone = []
                found += _compare(connection, row, claim, now, ask=ask)
            holding.add(told_as)
    _keep(connection, alone)
    for claim in claims:
        _same_sender(connection, claim, claim.told_as or claim.device, now)
    return found


def _known(connection: Connection, claims: Sequence[Identity]) -> defaultdict[tuple[str, str], set[str]]:
    """Who told the addresses of some claims before."""
    known: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    told = {address for claim in claims for _, address in _addresses(claim)}
    columns = (device_addresses.c.kind, device_addresses.c.address, device_addresses.c.device)
    for some in batched(sorted(told)):
        where = (device_addresses.c.kind.in_(KINDS), device_addresses.c.address.in_(some))  # as the primary key begins
        for row in connection.execute(sa.select(*columns).where(*where)):
            known[row.kind, row.address].add(row.device)
    return known


def _keep(connection: Connection, rows: Sequence[Address]) -> None:
    insert_missing(connection, device_addresses, [{name: getattr(row, name) for name in _NAMES} for row in rows])


def _compare(connection: Connection, row: Address, claim: Identity, now: datetime, *, ask: bool) -> list[Observation]:
    """Another id told the address: they are joined, or one doubt is said. An address that was cloned may have thousands of ids."""
    others = [one for one in holders(connection, row.kind, row.address) if one.device != row.device]
    _keep(connection, [row])
    return next((doubt for other in others if (doubt := _meet(connection, row, other, claim, now, ask=ask))), [])


_NAMES = tuple(Address.__dataclass_fields__)


def _addresses(claim: Identity) -> Iterable[tuple[str, str]]:
    if claim.hardware_address is not None:
        yield ("ieee" if claim.hardware_address.startswith("0x") else "mac"), claim.hardware_address
    serial = claim.serial
    if serial and not is_address(serial) and _SERIAL.fullmatch(serial) and len(set(serial)) > 2:
        yield "serial", serial


def holders(connection: Connection, kind: str, address: str) -> list[Address]:
    """Who told an address, the oldest first, and no more than are worth comparing."""
    query = sa.select(*_COLUMNS).where(device_addresses.c.kind == kind, device_addresses.c.address == address)
    order = (device_addresses.c.since, device_addresses.c.device)
    return [Address(**row) for row in connection.execute(query.order_by(*order).limit(COMPARED)).mappings()]


def addresses_of(connection: Connection, ids: Sequence[str]) -> list[Address]:
    """The addresses that some ids told."""
    query = sa.select(*_COLUMNS).where(device_addresses.c.device.in_(list(ids)))
    order = (device_addresses.c.kind, device_addresses.c.address, device_addresses.c.device)
    return [Address(**row) for row in connection.execute(query.order_by(*order)).mappings()]


def _meet(
    connection: Connection, row: Address, other: Address, claim: Identity, now: datetime, *, ask: bool
) -> list[Observation]:
    """Two ids told one address."""
    ours, theirs = aliases.device_of(connection, row.device), aliases.device_of(connection, other.device)
    decided = aliases.verdicts(connection, {ours, theirs, row.device, other.device})
    pairs = {frozenset(pair) for pair in ((ours, theirs), (row.device, other.device))}
    if ours == theirs or any(decided.get(pair) == aliases.SEPARATE for pair in pairs):
        return []
    evidence = {row.kind: row.address, "told_as": row.device, "convention": row.convention}
    why = _contested(connection, row, other, ask=ask)
    if why is None:
        device, alias = _older(connection, ours, theirs)
        aliases.join(connection, alias, device, now, actor=ACTOR, convention=claim.convention, evidence=evidence)
        return []
    aliases.propose(connection, ours, theirs, now, convention=claim.convention, evidence={**evidence, "why": why})
    return [_mismatch(ours, theirs, row, claim.at, why)]


def _contested(connection: Connection, row: Address, other: Address, *, ask: bool) -> str | None:
    """Why a person has to decide, or None."""
    users = [_user_of(connection, one) for one in (row, other)]
    if None not in users and users[0] != users[1]:
        return "the broker knows them as different users"
    if ask and (None in users or users[0] != users[1]):
        return "the broker has a user for each device, and these may be two"
    if row.convention == other.convention:
        return "both are ids of one convention, in which one device has one"
    known = devices.find(connection, sorted({row.device, other.device}))
    serials = {known[one].serial for one in known if _own_serial(known[one])}
    if len(serials) > 1:
        return "they have different serial numbers"
    models = {known[one].model for one in known if known[one].model}
    if row.kind == "serial" and len(models) > 1:
        return "they are of different models, which may number their devices alike"
    return None


def _own_serial(device: Device) -> bool:
    return device.serial is not None and not is_address(device.serial)


def _user_of(connection: Connection, told: Address) -> str | None:
    """The broker's user behind an id: whoever sent the claim, else the one of that name."""
    for name in (told.told_by, told.device):
        user = None if name is None else broker_users.find(connection, name)
        if user is not None and user.role == "device":
            return aliases.device_of(connection, user.name)
        if user is None and name is not None and name == told.told_by:
            return aliases.device_of(connection, name)
    return None


def _older(connection: Connection, one: str, two: str) -> tuple[str, str]:
    """The id that stays and the one that becomes its alias: who may log in, then who is owned, then who was there first."""
    owned = sa.select(ownerships.c.device_id).where(
        ownerships.c.device_id.in_([one, two]), ownerships.c.to_at.is_(None)
    )
    owners = set(connection.execute(owned).scalars())
    known = devices.find(connection, sorted({one, two}))

    def rank(name: str) -> tuple[bool, bool, bool, float, str]:
        device = known.get(name)
        seen = device.first_seen.timestamp() if device is not None and device.first_seen is not None else float("inf")
        return (broker_users.find(connection, name) is None, name not in owners, device is None, seen, name)

    first, second = sorted((one, two), key=rank)
    return first, second


def _same_sender(connection: Connection, claim: Identity, told_as: str, now: datetime) -> None:
    """A device that logs in under its own name, and is called after its address by a convention, is one device.

    Only the first such id of a convention: a device may also speak for sensors near it.
    """
    sender = claim.told_by
    if sender is None or sender == told_as or claim.device == aliases.device_of(connection, sender):
        return
    user = broker_users.find(connection, sender)
    if user is None or user.role != "device" or not devices.find(connection, [sender]):
        return
    device = aliases.device_of(connection, sender)
    if aliases.device_of(connection, told_as) != told_as or broker_users.find(connection, told_as) is not None:
        return  # it is somebody already; whether that may be is decided where addresses meet
    if any(one.convention == claim.convention for one in aliases.list_aliases(connection, device=device)):
        return
    own = {(one.kind, one.address) for one in addresses_of(connection, aliases.ids_of(connection, device))}
    said = dict(_addresses(claim))
    if any(kind in said and said[kind] != address for kind, address in own):
        return  # hardware of its own: another device, for which this one speaks
    elsewhere = {
        aliases.device_of(connection, one.device) for pair in said.items() for one in holders(connection, *pair)
    }
    if elsewhere - {told_as, device}:
        return
    if aliases.verdicts(connection, [told_as]).get(frozenset((told_as, device))) == aliases.SEPARATE:
        return
    evidence = {"sender": sender, **said}
    aliases.join(connection, told_as, device, now, actor=ACTOR, convention=claim.convention, evidence=evidence)


def _mismatch(ours: str, theirs: str, row: Address, at: datetime, why: str) -> Observation:
    name = {"mac": "MAC address", "ieee": "IEEE address", "serial": "serial number"}[row.kind]
    reason = {
        "text_key": "address_claimed_twice",
        "text": f"it tells the {name} {row.address}, which {theirs} told before; {why}",
        "values": {"kind": row.kind, "address": row.address, "other": theirs, "why": why},
    }
    evidence = {"metrics": [], "reasons": [reason]}
    return Observation("mismatch", "device", ours, "hardware_address", "warning", at, evidence)
