"""Customers, their homes, and which device was theirs from when to when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Invalid, Missing
from hearthwatch.records.database import batched, containing, insert_for, insert_missing
from hearthwatch.records.statements import among
from hearthwatch.records.tables import customers, homes, ownerships


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with devices at home. ``channels`` are addresses in order of preference (``mailto://...``)."""

    id: str
    name: str
    language: str
    email: str | None
    phone: str | None
    channels: tuple[str, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Home:
    """A household. ``timezone`` is an IANA name: quiet hours are kept in it."""

    id: str
    address: str | None
    city: str | None
    region: str | None
    timezone: str
    revision: int


@dataclass(frozen=True, slots=True)
class Ownership:
    """A device was a customer's during [from_at, to_at); ``to_at`` is None while it is."""

    device_id: str
    customer_id: str
    home_id: str | None
    from_at: datetime
    to_at: datetime | None
    ended: str | None = None
    """Why it ended, where that was said: sold, swapped, decommissioned, returned."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a device is, and the home it is in where that is known."""

    customer: Customer
    home: Home | None


def put_customer(
    connection: Connection,
    customer_id: str,
    *,
    name: str,
    language: str = "en",
    email: str | None = None,
    phone: str | None = None,
    channels: Sequence[str] = (),
) -> Customer:
    """Create a customer or replace what is known of one."""
    row = {"name": name, "language": language, "email": email, "phone": phone, "channels": list(channels)}
    put_customers(connection, [{"id": customer_id, **row}])
    return get_customer(connection, customer_id)


def put_customers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """As `put_customer`, many at once: ``id``, name, language, email, phone and channels of each."""
    _put(connection, customers, rows)


def put_home(
    connection: Connection,
    home_id: str,
    *,
    address: str | None = None,
    city: str | None = None,
    region: str | None = None,
    timezone: str = "UTC",
) -> Home:
    """Create a home or replace what is known of one. Raises `Invalid` for a time zone that does not exist."""
    row = {"id": home_id, "address": address, "city": city, "region": region, "timezone": timezone}
    put_homes(connection, [row])
    return get_home(connection, home_id)


def put_homes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """As `put_home`, many at once: ``id``, address, city, region and timezone of each."""
    for zone in {row["timezone"] for row in rows}:
        if not is_timezone(zone):
            raise Invalid("not an IANA time zone", where=zone)
    _put(connection, homes, rows)


def is_timezone(name: str) -> bool:
    """Whether a name is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        return False
    return True


def _put(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    insert = insert_for(connection, table)
    changes: dict[str, Any] = {name: insert.excluded[name] for name in rows[0] if name != "id"}
    changes["revision"] = table.c.revision + 1
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=changes), list(rows))


def get_customer(connection: Connection, customer_id: str) -> Customer:
    """One customer. Raises `Missing`."""
    row = connection.execute(sa.select(customers).where(customers.c.id == customer_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such customer", where=customer_id)
    return _customer(row)


def get_home(connection: Connection, home_id: str) -> Home:
    """One home. Raises `Missing`."""
    row = connection.execute(sa.select(homes).where(homes.c.id == home_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such home", where=home_id)
    return Home(**row)


def list_customers(
    connection: Connection, *, search: str | None = None, after: str | None = None, limit: int = 100
) -> list[Customer]:
    """Customers by id; ``search`` is part of an id, name, e-mail address or phone number; ``after`` the last id of the page before."""
    query = sa.select(customers).order_by(customers.c.id).limit(limit)
    if search:
        places = (customers.c.id, customers.c.name, customers.c.email, customers.c.phone)
        query = query.where(sa.or_(*(containing(column, search) for column in places)))
    if after is not None:
        query = query.where(customers.c.id > after)
    return [_customer(row) for row in connection.execute(query).mappings()]


def with_email(connection: Connection, email: str, *, limit: int) -> list[Customer]:
    """Customers who have a mail address, in any case of its letters, by id."""
    query = sa.select(customers).where(sa.func.lower(customers.c.email) == email.lower())
    rows = connection.execute(query.order_by(customers.c.id).limit(limit)).mappings()
    return [_customer(row) for row in rows]


def own(connection: Connection, device_id: str, customer_id: str, home_id: str | None, from_at: datetime) -> None:
    """A device is this customer's from ``from_at`` on; whoever had it before has it until then. Told twice, it is one ownership.

    Raises `Missing` when there is no such customer or home.
    """
    get_customer(connection, customer_id)
    if home_id is not None:
        get_home(connection, home_id)
    of_device = ownerships.c.device_id == device_id
    present = _present(connection, device_id, from_at)
    if present is not None and (present.customer_id, present.home_id) == (customer_id, home_id):
        return
    later = connection.execute(
        sa.select(sa.func.min(ownerships.c.from_at)).where(of_device, ownerships.c.from_at > from_at)
    ).scalar_one()
    row = {"device_id": device_id, "customer_id": customer_id, "home_id": home_id, "from_at": from_at, "to_at": later}
    if not insert_missing(connection, ownerships, [row]):  # a correction of who it was from that moment on
        at_once = sa.update(ownerships).where(of_device, ownerships.c.from_at == from_at)
        connection.execute(at_once.values(customer_id=customer_id, home_id=home_id))
    earlier = sa.and_(of_device, ownerships.c.from_at < from_at)
    still = sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > from_at)
    connection.execute(sa.update(ownerships).where(earlier, still).values(to_at=from_at))


def own_many(connection: Connection, claims: Sequence[Ownership]) -> None:
    """As `own`, many at once. Devices that nobody had before, which is most of an import, take one statement together."""
    had: set[str] = set()
    for some in batched({claim.device_id for claim in claims}):
        query = sa.select(ownerships.c.device_id).where(ownerships.c.device_id.in_(some))
        had.update(connection.execute(query).scalars())
    first = {claim.device_id: claim for claim in reversed(claims) if claim.device_id not in had}
    if first:
        connection.execute(sa.insert(ownerships), [asdict(claim) for claim in first.values()])
    for claim in (claim for claim in claims if first.get(claim.device_id) is not claim):
        own(connection, claim.device_id, claim.customer_id, claim.home_id, claim.from_at)


def end_ownership(connection: Connection, device_id: str, at: datetime, *, ended: str | None = None) -> bool:
    """Nobody is known to have the device from ``at`` on; ``ended`` says why. Returns whether anybody had."""
    update = sa.update(ownerships).where(ownerships.c.device_id == device_id, *_holding(at))
    return connection.execute(update.values(to_at=at, ended=ended)).rowcount > 0


def ownerships_of(connection: Connection, device_id: str) -> list[Ownership]:
    """Who had a device, oldest first."""
    query = sa.select(*_OWNERSHIP).where(ownerships.c.device_id == device_id).order_by(ownerships.c.from_at)
    return [Ownership(**row) for row in connection.execute(query).mappings()]


def ownerships_by(connection: Connection, customer_id: str) -> list[Ownership]:
    """What a customer has and had, oldest first."""
    query = sa.select(*_OWNERSHIP).where(ownerships.c.customer_id == customer_id)
    rows = connection.execute(query.order_by(ownerships.c.from_at, ownerships.c.device_id)).mappings()
    return [Ownership(**row) for row in rows]


def devices_of(connection: Connection, customer_id: str, at: datetime) -> list[str]:
    """Ids of the devices a customer has at a time."""
    query = sa.select(ownerships.c.device_id).where(ownerships.c.customer_id == customer_id, *_holding(at))
    return list(connection.execute(query.order_by(ownerships.c.device_id)).scalars())


def homes_of(connection: Connection, customer_id: str, at: datetime) -> list[Home]:
    """The homes in which a customer has devices at a time."""
    theirs = sa.select(ownerships.c.home_id).where(ownerships.c.customer_id == customer_id, *_holding(at))
    rows = connection.execute(sa.select(homes).where(homes.c.id.in_(theirs)).order_by(homes.c.id)).mappings()
    return [Home(**row) for row in rows]


def owner_of(connection: Connection, device_id: str, at: datetime) -> Owner | None:
    """Whose a device is at a time, if that is known."""
    return owners_of(connection, [device_id], at).get(device_id)


def owners_of(connection: Connection, ids: Sequence[str], at: datetime) -> dict[str, Owner]:
    """Whose some devices are at a time; devices of unknown owners are absent."""
    held: list[Ownership] = []
    for some in batched(ids):
        held.extend(Ownership(*row) for row in connection.execute(_HELD, {"some": some, "at": at}).all())
    people = {row["id"]: _customer(row) for row in _rows(connection, customers, {one.customer_id for one in held})}
    houses = {row["id"]: Home(**row) for row in _rows(connection, homes, {one.home_id for one in held} - {None})}
    return {one.device_id: Owner(people[one.customer_id], houses.get(one.home_id or "")) for one in held}


_OWNERSHIP = tuple(ownerships.c[name] for name in Ownership.__dataclass_fields__)
_HELD = (
    sa.select(*_OWNERSHIP)
    .where(
        among(ownerships.c.device_id),
        ownerships.c.from_at <= sa.bindparam("at"),
        sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > sa.bindparam("at")),
    )
    .order_by(ownerships.c.device_id, ownerships.c.from_at)
)
_SOME = {table: sa.select(table).where(among(table.c.id)) for table in (customers, homes)}


def _present(connection: Connection, device_id: str, at: datetime) -> Ownership | None:
    query = sa.select(*_OWNERSHIP).where(ownerships.c.device_id == device_id, *_holding(at))
    row = connection.execute(query).mappings().first()
    return Ownership(**row) if row else None


def _holding(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return ownerships.c.from_at <= at, sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > at)


def _rows(connection: Connection, table: sa.Table, ids: set[Any]) -> list[Any]:
    return [
        row
        for some in batched(sorted(ids))
        for row in connection.execute(_SOME[table], {"some": some}).mappings().all()
    ]


def _customer(row: Any) -> Customer:
    return Customer(**{**row, "channels": tuple(row["channels"])})
