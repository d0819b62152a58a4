"""Where tickets stand in an outside service desk, and which events of their ledgers the desk has been told.

The ledger of tickets is the outbox here: an event is written with its cause, and stays untold until the desk has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import mirror_events, mirror_reports, mirrors, service_desks, ticket_events, tickets
from hearthwatch.records.tables.columns import fitted

OVERLAP = 5_000
"""So many of the newest events are looked at again and again: a transaction may commit an event after later ones were told."""


@dataclass(frozen=True, slots=True)
class DeskHealth:
    """A desk and whether it can be reached. Nothing is asked of it before ``next_at``."""

    name: str
    since: datetime
    told_below: int
    away_since: datetime | None
    next_at: datetime | None
    tries: int
    error: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """A ticket's place in a desk. ``state``: standing, refused (the desk will never take it), ended (``why``)."""

    ticket_id: int
    desk: str
    state: str
    why: str | None
    outside_id: str | None
    number: str | None
    url: str | None
    told: str | None
    outside_state: str | None
    seen: int
    outcome_missing: bool
    looked_at: datetime | None
    created_at: datetime
    revision: int


_COLUMNS = tuple(mirrors.c[name] for name in Mirror.__dataclass_fields__)


def desk(connection: Connection, name: str) -> DeskHealth | None:
    """What is known of a desk; None before its first round."""
    row = connection.execute(sa.select(service_desks).where(service_desks.c.name == name)).mappings().one_or_none()
    return DeskHealth(**row) if row is not None else None


def begin(connection: Connection, name: str, now: datetime) -> None:
    """Begin to show tickets in a desk: those that are open now or open later."""
    insert_missing(connection, service_desks, [{"name": name, "since": now}])


def note_desk(connection: Connection, name: str, changes: Mapping[str, Any]) -> None:
    """Write down how a desk is."""
    if "error" in changes:
        changes = {**changes, "error": fitted(service_desks.c.error, changes["error"])}
    update_at_revision(connection, service_desks, {"name": name}, None, changes)


def untold(connection: Connection, health: DeskHealth, *, limit: int) -> list[int]:
    """Tickets that have events to tell, those waiting longest first."""
    oldest = sa.func.min(ticket_events.c.id)
    query = (
        sa.select(ticket_events.c.ticket_id)
        .join(tickets, tickets.c.id == ticket_events.c.ticket_id)
        .outerjoin(mirror_events, mirror_events.c.event_id == ticket_events.c.id)
        .outerjoin(mirrors, mirrors.c.ticket_id == ticket_events.c.ticket_id)
        .where(
            ticket_events.c.id > health.told_below,
            mirror_events.c.event_id.is_(None),
            sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at >= health.since),
            sa.or_(mirrors.c.ticket_id.is_(None), mirrors.c.state == "standing"),
        )
        .group_by(ticket_events.c.ticket_id)
        .order_by(oldest)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def untold_of(connection: Connection, ticket_id: int) -> list[int]:
    """Events of one ticket that its desk has not been told, oldest first."""
    query = (
        sa.select(ticket_events.c.id)
        .outerjoin(mirror_events, mirror_events.c.event_id == ticket_events.c.id)
        .where(ticket_events.c.ticket_id == ticket_id, mirror_events.c.event_id.is_(None))
        .order_by(ticket_events.c.id)
    )
    return list(connection.execute(query).scalars())


def settle(connection: Connection, health: DeskHealth) -> None:
    """Remember, when nothing is left to tell, below which event there is no need to look again."""
    newest = connection.execute(sa.select(sa.func.max(ticket_events.c.id))).scalar_one() or 0
    if newest - OVERLAP > health.told_below:
        note_desk(connection, health.name, {"told_below": newest - OVERLAP})


def mark(connection: Connection, event_ids: Iterable[int], what: str, now: datetime) -> None:
    """Say of events that the desk was told, that they came from it, or that it need not hear of them."""
    for some in batched(event_ids):
        insert_missing(connection, mirror_events, [{"event_id": one, "what": what, "at": now} for one in some])


def find(connection: Connection, ticket_id: int) -> Mirror | None:
    """A ticket's mirror, if it has one."""
    row = connection.execute(sa.select(*_COLUMNS).where(mirrors.c.ticket_id == ticket_id)).mappings().one_or_none()
    return Mirror(**row) if row is not None else None


def by_outside_id(connection: Connection, desk_name: str, outside_id: str) -> Mirror | None:
    """The mirror that a desk knows by an id of its own."""
    query = sa.select(*_COLUMNS).where(mirrors.c.desk == desk_name, mirrors.c.outside_id == outside_id)
    row = connection.execute(query.order_by(mirrors.c.ticket_id).limit(1)).mappings().one_or_none()
    return Mirror(**row) if row is not None else None


def save(connection: Connection, ticket_id: int, desk_name: str, changes: Mapping[str, Any], now: datetime) -> Mirror:
    """Make a ticket's mirror, or change it."""
    if "why" in changes:
        changes = {**changes, "why": fitted(mirrors.c.why, changes["why"])}
    first = {"ticket_id": ticket_id, "desk": desk_name, "state": "standing", "created_at": now}
    insert_missing(connection, mirrors, [first])
    update_at_revision(connection, mirrors, {"ticket_id": ticket_id}, None, changes)
    found = find(connection, ticket_id)
    if found is None:
        raise Missing("this ticket is shown in no desk", where=f"ticket {ticket_id}")
    return found


def to_look_at(connection: Connection, desk_name: str, *, closed_after: datetime, limit: int) -> list[Mirror]:
    """Standing mirrors, those not looked at for longest first; of closed tickets only those closed after a time, or asked for."""
    query = (
        sa.select(*_COLUMNS)
        .join(tickets, tickets.c.id == mirrors.c.ticket_id)
        .where(
            mirrors.c.desk == desk_name,
            mirrors.c.state == "standing",
            mirrors.c.outside_id.is_not(None),
            sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at >= closed_after, mirrors.c.looked_at.is_(None)),
        )
        .order_by(sa.nulls_first(mirrors.c.looked_at.asc()), mirrors.c.ticket_id)
        .limit(limit)
    )
    return [Mirror(**row) for row in connection.execute(query).mappings()]


def list_mirrors(
    connection: Connection, *, state: str | None = None, after: int | None = None, limit: int = 100
) -> list[Mirror]:
    """Mirrors, newest ticket first; ``after`` is the ticket to go on from."""
    query = sa.select(*_COLUMNS).order_by(mirrors.c.ticket_id.desc()).limit(limit)
    if state is not None:
        query = query.where(mirrors.c.state == state)
    if after is not None:
        query = query.where(mirrors.c.ticket_id < after)
    return [Mirror(**row) for row in connection.execute(query).mappings()]


def take_report(connection: Connection, message_id: str, now: datetime) -> bool:
    """Take a message of a desk by its id; False where it was taken before."""
    return insert_missing(connection, mirror_reports, [{"message_id": message_id, "at": now}]) == 1


def forget_reports(connection: Connection, before: datetime) -> int:
    """Forget ids of messages from before a time; the age of a signature keeps older ones out."""
    return connection.execute(sa.delete(mirror_reports).where(mirror_reports.c.at < before)).rowcount


def events_by(connection: Connection, ticket_id: int, actor: str, after: int) -> Sequence[int]:
    """Events of a ticket behind one of its ledger that somebody wrote."""
    query = sa.select(ticket_events.c.id).where(
        ticket_events.c.ticket_id == ticket_id, ticket_events.c.actor == actor, ticket_events.c.id > after
    )
    return list(connection.execute(query).scalars())
