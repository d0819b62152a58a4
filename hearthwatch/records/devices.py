"""Devices: what they say about themselves, and what the maker's registry says, which counts for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid, Missing
from hearthwatch.firmware import version as normalised
from hearthwatch.records import attributes, liveness, models, parts
from hearthwatch.records.database import batched, containing, insert_for, update_at_revision
from hearthwatch.records.statements import among
from hearthwatch.records.tables import device_liveness, devices, installed_parts
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import DEVICE_ID, Device, Identity, Observation
from hearthwatch.wire.hardware_address import address_of, is_address

MASTER_DATA = ("model", "hardware", "firmware", "serial", "made", "installed_at", "removed_at", "region", "test")
_TEXTS = frozenset({"model", "hardware", "firmware", "serial", "region"})
_MOVES = frozenset({"hardware", "region"})
_COLUMNS = tuple(devices.c[name] for name in Device.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """That a device was heard of at ``at``, and what that told; None where it did not say."""

    device: str
    at: datetime
    firmware: str | None = None
    boot: str | None = None
    convention: str | None = None
    online: bool | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Devices of one model, hardware revision and firmware; test devices and removed ones are not counted."""

    model: str | None
    hardware: str | None
    version: str | None
    devices: int
    online: int
    newest_seen: datetime | None


def see(connection: Connection, sightings: Sequence[Sighting]) -> None:
    """Note that devices were heard of; creates unknown ones. The newest word of each kind wins, in whatever order they come.

    The revision stays: it counts changes of the registry, not messages.
    """
    if not sightings:
        return
    rows: dict[str, dict[str, Any]] = {}
    for sighting in sightings:
        _join(rows.setdefault(sighting.device, _unseen(sighting)), sighting)
    insert = insert_for(connection, devices)
    new = insert.excluded
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["id"],
            set_={
                **{name: _newer("firmware_at", new, name) for name in ("firmware", "version", "version_key")},
                "firmware_at": _newer("firmware_at", new, "firmware_at"),
                "boot": _newer("boot_at", new, "boot"),
                "boot_at": _newer("boot_at", new, "boot_at"),
                "online": _newer("presence_at", new, "online"),
                "presence_at": _newer("presence_at", new, "presence_at"),
                "convention": sa.func.coalesce(new.convention, devices.c.convention),
                "first_seen": sa.case((devices.c.first_seen <= new.first_seen, devices.c.first_seen), else_=new.first_seen),
                "last_seen": sa.case((devices.c.last_seen >= new.last_seen, devices.c.last_seen), else_=new.last_seen),
            },
        ),
        sorted(rows.values(), key=itemgetter("id")),  # two batches at once do not wait for each other in a circle
    )  # fmt: skip


def _unseen(sighting: Sighting) -> dict[str, Any]:
    nothing = ("firmware", "version", "version_key", "firmware_at", "boot", "boot_at", "online", "presence_at")
    seen = {"id": sighting.device, "convention": None, "first_seen": sighting.at, "last_seen": sighting.at}
    return {**seen, **dict.fromkeys(nothing)}


def _join(row: dict[str, Any], sighting: Sighting) -> None:
    at = sighting.at
    row["first_seen"], row["last_seen"] = min(row["first_seen"], at), max(row["last_seen"], at)
    row["convention"] = fitted(devices.c.convention, sighting.convention) or row["convention"]
    if sighting.firmware is not None and (row["firmware_at"] is None or at >= row["firmware_at"]):
        row.update(_firmware(sighting.firmware), firmware_at=at)
    if sighting.boot is not None and (row["boot_at"] is None or at >= row["boot_at"]):
        row.update(boot=fitted(devices.c.boot, sighting.boot), boot_at=at)
    if sighting.online is not None and (row["presence_at"] is None or at >= row["presence_at"]):
        row.update(online=sighting.online, presence_at=at)


def _firmware(verbatim: str) -> dict[str, Any]:
    known = normalised(verbatim)
    return {
        "firmware": fitted(devices.c.firmware, verbatim),
        "version": fitted(devices.c.version, known.text),
        "version_key": fitted(devices.c.version_key, known.key),
    }


def _newer(clock: str, new: Any, column: str) -> sa.Case[Any]:
    old_at, new_at = devices.c[clock], new[clock]
    newer = sa.and_(new_at.is_not(None), sa.or_(old_at.is_(None), new_at >= old_at))
    return sa.case((newer, new[column]), else_=devices.c[column])


def apply_identities(connection: Connection, identities: Sequence[Identity]) -> list[Observation]:
    """Fill in what devices claim about themselves where nothing is known yet; claims made twice change nothing.

    A model or serial number that contradicts the known one is not taken but returned, for a person to look at.
    """
    see(
        connection,
        [Sighting(claim.device, claim.at, claim.firmware, None, claim.convention) for claim in identities],
    )
    known = find(connection, sorted({claim.device for claim in identities}))
    found: list[Observation] = []
    for claim in sorted(identities, key=lambda one: one.device):
        device = known[claim.device]
        found.extend(_mismatches(device, claim))
        changes = _claimed(device, claim)
        if changes:
            # What the registry says in the meantime stays.
            kept = {name: sa.func.coalesce(devices.c[name], value) for name, value in changes.items()}
            update_at_revision(connection, devices, {"id": device.id}, None, kept)
            known[device.id] = replace(device, **changes)
    models.add_missing(connection, [device.model for device in known.values() if device.model])
    _apply_parts(connection, identities, known)
    return found


def _claimed(device: Device, claim: Identity) -> dict[str, Any]:
    claims: dict[str, Any] = {
        name: fitted(devices.c[name], getattr(claim, name)) or None for name in ("model", "hardware", "serial")
    }
    claims["made"] = _date(claim.made)
    return {name: value for name, value in claims.items() if value is not None and getattr(device, name) is None}


def _mismatches(device: Device, claim: Identity) -> list[Observation]:
    found = []
    for name in ("serial", "model"):
        registered, claimed = getattr(device, name), fitted(devices.c[name], getattr(claim, name))
        if claimed and registered is not None and claimed != registered and not _other_words(name, registered, claim):
            reason = {"text_key": f"{name}_mismatch", "values": {"registered": registered, "claimed": claimed}}
            evidence = {"metrics": [], "reasons": [reason]}
            found.append(Observation("mismatch", "device", device.id, name, "warning", claim.at, evidence))
    return found


def _other_words(name: str, registered: str, claim: Identity) -> bool:
    """Whether another text is no contradiction: conventions name models in words of their own, and for some an address is the serial."""
    if name == "model":
        return claim.told_as is not None
    if is_address(registered) and is_address(claim.serial):
        return address_of(registered) == address_of(claim.serial)
    return is_address(registered) or is_address(claim.serial)


def _date(text: str | None) -> datetime | None:
    """A date as a device writes it; None for what is no date, which says nothing."""
    try:
        given = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _apply_parts(connection: Connection, identities: Sequence[Identity], known: Mapping[str, Device]) -> None:
    claims = [claim for claim in identities if claim.parts]
    current = {key: part.detail for key, part in parts.current(connection, [claim.device for claim in claims]).items()}
    for claim in claims:
        device = known[claim.device]
        for part, detail in claim.parts.items():
            name, label = str(part)[:64], fitted(installed_parts.c.detail, str(detail))
            key = (claim.device, name)
            if key not in current:  # it came with the device, as far as we know
                parts.install(connection, *key, device.installed_at or device.made or claim.at, label)
            elif current[key] not in {None, label}:
                parts.install(connection, *key, claim.at, label)
            current[key] = label


def register(connection: Connection, rows: Sequence[Mapping[str, Any]], now: datetime | None = None) -> int:
    """Take over master data (``id`` and any of `MASTER_DATA`): it overrides what devices said of themselves.

    With ``now`` a change of hardware or region is noted with its time, for comparisons by them. Returns the number of rows. Raises
    `Invalid` for an id that no device can have or a column that is not master data.
    """
    for row in rows:
        _check_master_data(row)
    _note_moves(connection, rows, now)
    models.add_missing(connection, [row["model"] for row in rows if row.get("model")])
    known = [{"id": row["id"], **_master_values(row)} for row in rows]
    for names, alike in groupby(known, key=tuple):  # one statement serves all rows that give the same columns
        insert = insert_for(connection, devices)
        changes: dict[str, Any] = {name: insert.excluded[name] for name in names if name != "id"}
        changes["revision"] = devices.c.revision + 1
        connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=changes), list(alike))
    return len(rows)


def _note_moves(connection: Connection, rows: Sequence[Mapping[str, Any]], now: datetime | None) -> None:
    moving = {row["id"]: row for row in rows if row.keys() & _MOVES}
    if now is None or not moving:
        return
    changes = [
        (device.id, name, before, fitted(devices.c[name], moving[device.id][name]))
        for device in find(connection, sorted(moving)).values()
        for name in sorted(moving[device.id].keys() & _MOVES)
        if (before := getattr(device, name)) is not None and before != moving[device.id][name]
    ]
    attributes.moved(connection, changes, now)


def _check_master_data(row: Mapping[str, Any]) -> None:
    device_id = row.get("id")
    if not isinstance(device_id, str) or not DEVICE_ID.fullmatch(device_id):
        raise Invalid("a device id is 1 to 64 of A-Z a-z 0-9 . _ -", where=repr(device_id))
    wrong = set(row) - set(MASTER_DATA) - {"id"}
    if wrong:
        raise Invalid(f"not master data of a device: {', '.join(sorted(wrong))}", where=device_id)


def _master_values(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row[name] for name in MASTER_DATA if name in row}
    for name in _TEXTS & values.keys():
        values[name] = fitted(devices.c[name], values[name]) or None
    if values.get("firmware"):
        values.update(_firmware(values["firmware"]))
    return values


def get(connection: Connection, device_id: str) -> Device:
    """One device. Raises `Missing`."""
    row = connection.execute(sa.select(*_COLUMNS).where(devices.c.id == device_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such device", where=device_id)
    return Device(**row)


def find(connection: Connection, ids: Sequence[str]) -> dict[str, Device]:
    """The devices that exist of some ids."""
    found: dict[str, Device] = {}
    for some in batched(ids):
        found.update((row[0], Device(*row)) for row in connection.execute(_SOME, {"some": some}).all())
    return found


_SOME = sa.select(*_COLUMNS).where(among(devices.c.id)).order_by(devices.c.id)


def list_devices(
    connection: Connection,
    *,
    model: str | None = None,
    hardware: str | None = None,
    version: str | None = None,
    region: str | None = None,
    online: bool | None = None,
    test: bool | None = None,
    search: str | None = None,
    state: str | None = None,
    incident: int | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Device]:
    """Devices by id. ``search`` is part of an id, serial number or model; ``state`` one of `liveness.STATES`, ``incident`` the finding of
    a mass silence that they are part of; ``after`` is the last id of the page before.
    """
    where = _matching(
        model=model,
        hardware=hardware,
        version=version,
        region=region,
        online=online,
        test=test,
        search=search,
        state=state,
        incident=incident,
    )
    query = sa.select(*_COLUMNS).where(*where).order_by(devices.c.id).limit(limit)
    if after is not None:
        query = query.where(devices.c.id > after)
    return [Device(**row) for row in connection.execute(query).mappings()]


def numbered_page(
    connection: Connection,
    *,
    offset: int,
    limit: int,
    model: str | None = None,
    hardware: str | None = None,
    version: str | None = None,
    search: str | None = None,
    state: str | None = None,
    incident: int | None = None,
) -> tuple[list[Device], int]:
    """As `list_devices`, from a place in the list on, and how many there are in all: for a table with numbered pages."""
    where = _matching(model=model, hardware=hardware, version=version, search=search, state=state, incident=incident)
    query = sa.select(*_COLUMNS).where(*where).order_by(devices.c.id).offset(offset).limit(limit)
    total = connection.execute(sa.select(sa.func.count()).select_from(devices).where(*where)).scalar_one()
    return [Device(**row) for row in connection.execute(query).mappings()], total


def _matching(
    *, version: str | None, search: str | None, state: str | None = None, incident: int | None = None, **equal: Any
) -> list[sa.ColumnElement[bool]]:
    where = [devices.c[name] == value for name, value in equal.items() if value is not None]
    if state is not None:
        where.append(liveness.in_state(state))
    if incident is not None:
        where.append(liveness.in_incident(incident))
    if version is not None:
        where.append(devices.c.version == normalised(version).text)
    if search:
        places = (devices.c.id, devices.c.serial, devices.c.model)
        where.append(sa.or_(*(containing(column, search) for column in places)))
    return where


def update(
    connection: Connection,
    device_id: str,
    revision: int | None,
    changes: Mapping[str, Any],
    now: datetime | None = None,
) -> Device:
    """Change master data of one device; ``now`` as in `register`. Raises `Missing`, `Stale`, or `Invalid` for a column that is none."""
    row = {"id": device_id, **changes}
    _check_master_data(row)
    _note_moves(connection, [row], now)
    if changes.get("model"):
        models.add_missing(connection, [changes["model"]])
    update_at_revision(connection, devices, {"id": device_id}, revision, _master_values(row))
    return get(connection, device_id)


def groups(connection: Connection) -> list[Group]:
    """How many devices there are of each model, hardware revision and firmware.

    Online are those that are there (asleep ones too) as the liveness job found; before it looked, those that said so.
    """
    keys = (devices.c.model, devices.c.hardware, devices.c.version)
    state = device_liveness.c.state
    there = sa.or_(state.in_(("online", "asleep")), sa.and_(state.is_(None), devices.c.online.is_(True)))
    online = sa.func.sum(sa.case((there, 1), else_=0))
    query = (
        sa.select(
            *keys,
            sa.func.count().label("devices"),
            online.label("online"),
            sa.func.max(devices.c.last_seen).label("newest_seen"),
        )
        .select_from(devices.outerjoin(device_liveness, device_liveness.c.device_id == devices.c.id))
        .where(devices.c.test.is_(False), devices.c.removed_at.is_(None))
        .group_by(*keys, devices.c.version_key)
        .order_by(*(column.nulls_first() for column in (devices.c.model, devices.c.hardware, devices.c.version_key)))
    )
    return [Group(**row) for row in connection.execute(query).mappings()]
