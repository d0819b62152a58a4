"""Service tickets: one per cause, the findings each one stands for, and an append-only ledger of what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_missing, row_at_revision
from hearthwatch.records.statements import among, insert_into
from hearthwatch.records.tables import devices, findings, ticket_events, ticket_findings, tickets
from hearthwatch.records.tables.columns import Instant, fitted
from hearthwatch.values import Ticket


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One thing that was done with a ticket, and who did it."""

    id: int
    ticket_id: int
    at: datetime
    what: str
    actor: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a ticket opens with."""

    cause: str
    kind: str
    title: str
    priority: int
    due_at: datetime | None
    finding_id: int | None = None
    parent_id: int | None = None
    device_id: str | None = None
    customer_id: str | None = None
    home_id: str | None = None
    model: str | None = None
    part: str | None = None
    mode: str | None = None
    source: str = "policy"


class Sought(TypedDict, total=False):
    """What tickets are looked for. ``due_before`` leaves out those that are due at or after a time, or at none."""

    state: str | None
    open_only: bool
    kind: str | None
    device_id: str | None
    technician_id: str | None
    unassigned: bool
    customer_id: str | None
    parent_id: int | None
    priority: int | None
    waiting_for: str | None
    model: str | None
    mode: str | None
    source: str | None
    due_before: datetime | None


OF_DANGER = "safety"
"""In the ledger's detail: from then on the ticket was about a matter of safety."""
NEVER_DUE = datetime(9999, 1, 1, tzinfo=UTC)
_DUE = sa.func.coalesce(tickets.c.due_at, sa.literal(NEVER_DUE, Instant()))
_COLUMNS = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)
_BY_ID = sa.select(*_COLUMNS).where(tickets.c.id == sa.bindparam("one"))
_MINE, _STANDING = tickets.c.cause == sa.bindparam("cause"), tickets.c.stem == sa.bindparam("stem")
_OPEN = sa.and_(_STANDING, tickets.c.state != "closed")
_OF_CAUSE = sa.select(*_COLUMNS).where(sa.or_(_MINE, _OPEN)).order_by(_OPEN.desc(), _MINE.desc()).limit(1)
_OF_STEM = sa.select(*_COLUMNS).where(_STANDING, tickets.c.kind == sa.bindparam("kind")).order_by(tickets.c.id)
_OF_STEM_AND_DEVICE = _OF_STEM.where(tickets.c.device_id == sa.bindparam("device"))
_EVENTS = (
    sa.select(*(ticket_events.c[name] for name in TicketEvent.__dataclass_fields__))
    .where(among(ticket_events.c.ticket_id))
    .order_by(ticket_events.c.id)
)
_LOADS = (
    sa.select(tickets.c.technician_id, sa.func.count())
    .where(tickets.c.state != "closed", tickets.c.technician_id.is_not(None))
    .group_by(tickets.c.technician_id)
)


def open_once(
    connection: Connection, new: NewTicket, *, actor: str, now: datetime, detail: Mapping[str, Any]
) -> tuple[Ticket, bool]:
    """The ticket of a cause, and whether this call opened it. However many open it at once, there is one.

    While another ticket of the same stem (the cause without its number) is open, that one is the ticket. ``detail`` goes into the ledger
    beside what the ticket opens with.
    """
    row = {name: getattr(new, name) for name in NewTicket.__dataclass_fields__}
    stem = stem_of(new.cause)
    row |= {"stem": stem, "title": fitted(tickets.c.title, new.title), "state": "open", "opened_at": now}
    opened = insert_missing(connection, tickets, [row]) == 1
    (found,) = connection.execute(_OF_CAUSE, {"cause": new.cause, "stem": stem}).all()
    ticket = Ticket(*found)
    if opened:
        note(connection, ticket.id, now, "opened", actor, {**_born(new), **detail})
    return ticket, opened


def stem_of(cause: str) -> str:
    """A cause without the number of its episode; the cause itself where it ends in none."""
    stem, slash, number = cause.rpartition("/")
    return stem if slash and number.isdecimal() else cause


def _born(new: NewTicket) -> dict[str, Any]:
    """What the ledger says of a new ticket, so that its row follows from the ledger alone."""
    return {name: getattr(new, name) for name in ("priority", "part", "mode", "parent_id", "source")}


def change(connection: Connection, ticket_id: int, revision: int | None, changes: Mapping[str, Any]) -> Ticket:
    """Change a ticket, at ``revision`` if given. Raises `Missing` or `Stale`."""
    return Ticket(*row_at_revision(connection, tickets, {"id": ticket_id}, revision, changes, _COLUMNS))


def note(
    connection: Connection, ticket_id: int, at: datetime, what: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Append to the ledger of a ticket."""
    who = fitted(ticket_events.c.actor, actor)
    row = {"ticket_id": ticket_id, "at": at, "what": what, "actor": who, "detail": dict(detail)}
    connection.execute(insert_into(ticket_events), row)


def get(connection: Connection, ticket_id: int) -> Ticket:
    """One ticket. Raises `Missing`."""
    row = connection.execute(_BY_ID, {"one": ticket_id}).one_or_none()
    if row is None:
        raise Missing("no such ticket", where=f"ticket {ticket_id}")
    return Ticket(*row)


def events(connection: Connection, ticket_id: int) -> list[TicketEvent]:
    """What was done with a ticket, oldest first."""
    return [TicketEvent(*row) for row in connection.execute(_EVENTS, {"some": [ticket_id]})]


def ledgers(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, list[TicketEvent]]:
    """What was done with some tickets, oldest first, of each that is asked."""
    found: dict[int, list[TicketEvent]] = {one: [] for one in ticket_ids}
    for some in batched(sorted(found)):
        for row in connection.execute(_EVENTS, {"some": some}).all():
            found[row.ticket_id].append(TicketEvent(*row))
    return found


def news(connection: Connection, since: datetime, whats: Iterable[str]) -> list[tuple[TicketEvent, Ticket]]:
    """Events of some kinds at or after a time, oldest first, of tickets about a customer's device; each with its ticket."""
    query = (
        sa.select(*(column.label(f"event_{column.name}") for column in ticket_events.c), *_COLUMNS)
        .join(tickets, tickets.c.id == ticket_events.c.ticket_id)
        .where(
            ticket_events.c.at >= since,
            ticket_events.c.what.in_(list(whats)),
            tickets.c.customer_id.is_not(None),
            tickets.c.device_id.is_not(None),
        )
        .order_by(ticket_events.c.at, ticket_events.c.id)
    )
    return [
        (
            TicketEvent(**{name: row[f"event_{name}"] for name in TicketEvent.__dataclass_fields__}),
            Ticket(**{name: row[name] for name in Ticket.__dataclass_fields__}),
        )
        for row in connection.execute(query).mappings()
    ]


def list_tickets(
    connection: Connection,
    *,
    after: int | None = None,
    limit: int = 100,
    **sought: Unpack[Sought],
) -> list[Ticket]:
    """Tickets, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).where(*_wanted(sought)).order_by(tickets.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tickets.c.id < after)
    return [Ticket(*row) for row in connection.execute(query).all()]


def list_by_due(
    connection: Connection,
    *,
    after: tuple[datetime, int] | None = None,
    offset: int = 0,
    limit: int = 100,
    **sought: Unpack[Sought],
) -> list[Ticket]:
    """Tickets by when they are due, those without such a time last; ``after`` is the `due_key` to go on from."""
    query = sa.select(*_COLUMNS).where(*_wanted(sought)).order_by(_DUE, tickets.c.id).limit(limit).offset(offset)
    if after is not None:
        due, id_ = sa.literal(after[0], Instant()), after[1]
        query = query.where(sa.or_(due < _DUE, sa.and_(due == _DUE, tickets.c.id > id_)))
    return [Ticket(**row) for row in connection.execute(query).mappings()]


def due_key(ticket: Ticket) -> tuple[datetime, int]:
    """Where a ticket stands in `list_by_due`."""
    return ticket.due_at or NEVER_DUE, ticket.id


def count(connection: Connection, **sought: Unpack[Sought]) -> int:
    """How many tickets there are of a kind."""
    return connection.execute(sa.select(sa.func.count()).select_from(tickets).where(*_wanted(sought))).scalar_one()


def known(connection: Connection, column: Literal["model", "mode", "source"]) -> list[str]:
    """Which models, failure modes or sources there are tickets of, sorted."""
    found = connection.execute(sa.select(tickets.c[column]).distinct().where(tickets.c[column].is_not(None))).scalars()
    return sorted(found)


def _wanted(sought: Sought) -> list[sa.ColumnElement[bool]]:
    """What a row has to be like. A name or value that is not given asks for nothing."""
    rules: dict[str, Callable[[Any], sa.ColumnElement[bool]]] = {
        "open_only": lambda _: tickets.c.state != "closed",
        "due_before": lambda value: tickets.c.due_at < value,
        "unassigned": lambda _: tickets.c.technician_id.is_(None),
    }
    found = []
    for name, value in sought.items():
        if value is not None and value is not False:
            found.append(rules[name](value) if name in rules else tickets.c[name] == value)
    return found


def closed_like(connection: Connection, *, mode: str | None, part: str | None, limit: int) -> list[Ticket]:
    """Closed tickets of a failure mode, else of a part, newest first; none where neither is known."""
    if mode is None and part is None:
        return []
    same = tickets.c.mode == mode if mode is not None else tickets.c.part == part
    query = (
        sa.select(*_COLUMNS).where(tickets.c.state == "closed", same).order_by(tickets.c.closed_at.desc()).limit(limit)
    )
    return [Ticket(**row) for row in connection.execute(query).mappings()]


def with_stem(connection: Connection, stem: str, *, kind: str, device_id: str | None = None) -> list[Ticket]:
    """Every ticket whose cause is ``stem`` with a number behind it (``device:d-1/battery/``), oldest first."""
    sought = {"stem": stem.removesuffix("/"), "kind": kind}
    if device_id is None:
        return [Ticket(*row) for row in connection.execute(_OF_STEM, sought)]
    return [Ticket(*row) for row in connection.execute(_OF_STEM_AND_DEVICE, {**sought, "device": device_id})]


def open_of_stem(connection: Connection, stem: str) -> Ticket | None:
    """The ticket of a stem that is open, if there is one."""
    query = sa.select(*_COLUMNS).where(tickets.c.stem == stem, tickets.c.state != "closed")
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Ticket(**row)


def maybe_over(connection: Connection, since: datetime, mended_models: Iterable[str]) -> list[Ticket]:
    """Open tickets, newest first: those whose findings all recovered until a time, of devices of some models, and of releases."""
    stands = sa.or_(findings.c.state != "recovered", findings.c.recovered_at.is_(None), findings.c.recovered_at > since)
    standing_one = (
        sa.exists()
        .where(ticket_findings.c.ticket_id == tickets.c.id, findings.c.id == ticket_findings.c.finding_id, stands)
        .correlate(tickets)
    )
    mended = tickets.c.device_id.in_(sa.select(devices.c.id).where(devices.c.model.in_(list(mended_models))))
    maybe = sa.or_(tickets.c.kind == "cohort", sa.not_(standing_one), mended)
    query = sa.select(*_COLUMNS).where(tickets.c.state != "closed", maybe).order_by(tickets.c.id.desc())
    return [Ticket(*row) for row in connection.execute(query).all()]


def waited_enough(connection: Connection, now: datetime) -> list[Ticket]:
    """Tickets that waited until now for anything but an approval, oldest first."""
    query = sa.select(*_COLUMNS).where(
        tickets.c.state == "waiting", tickets.c.waiting_for != "approval", tickets.c.waiting_until <= now
    )
    return [Ticket(**row) for row in connection.execute(query.order_by(tickets.c.id)).mappings()]


def load_by_technician(connection: Connection) -> dict[str, int]:
    """How many open tickets each technician has; those without any are absent."""
    return {technician: count for technician, count in connection.execute(_LOADS) if technician is not None}
