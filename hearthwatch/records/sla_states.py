"""How the clocks of each ticket stand, kept so that lists need not fold the ledgers, and so that a round finds what is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, replace_rows
from hearthwatch.records.tables import sla_states, ticket_events, tickets
from hearthwatch.values import Ticket

_TICKET = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class SlaState:
    """The clocks of a ticket after ``events`` entries of its own ledger and ``entries`` of the clocks'.

    ``clocks`` is by clock what `alerts.service_levels` wrote; ``next_at`` is when something is to be done without any event.
    """

    ticket_id: int
    events: int
    entries: int
    policy_version: int
    term: str
    next_at: datetime | None
    clocks: Mapping[str, Any]
    updated_at: datetime


def put(connection: Connection, states: Sequence[SlaState]) -> None:
    """Keep how some tickets' clocks stand."""
    rows = [{name: getattr(one, name) for name in SlaState.__dataclass_fields__} for one in states]
    for some in batched(rows, 1000):
        replace_rows(connection, sla_states, some)


def of_tickets(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, SlaState]:
    """How the clocks of some tickets stand; tickets that have none yet are absent."""
    found: dict[int, SlaState] = {}
    for some in batched(ticket_ids):
        query = sa.select(sla_states).where(sla_states.c.ticket_id.in_(some))
        found.update((row["ticket_id"], SlaState(**row)) for row in connection.execute(query).mappings())
    return found


def ids(connection: Connection) -> list[int]:
    """Every ticket that has clocks."""
    return list(connection.execute(sa.select(sla_states.c.ticket_id).order_by(sla_states.c.ticket_id)).scalars())


def tickets_by_id(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, Ticket]:
    """Some tickets at once."""
    found: dict[int, Ticket] = {}
    for some in batched(ticket_ids):
        rows = connection.execute(sa.select(*_TICKET).where(tickets.c.id.in_(some))).mappings()
        found.update((row["id"], Ticket(**row)) for row in rows)
    return found


def due(connection: Connection, now: datetime, *, limit: int) -> list[int]:
    """Tickets with whose clocks something is to be done by now, the longest due first."""
    query = (
        sa.select(sla_states.c.ticket_id)
        .where(sla_states.c.next_at <= now)
        .order_by(sla_states.c.next_at, sla_states.c.ticket_id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def look_again(connection: Connection, now: datetime) -> None:
    """Let every open ticket be due now: what is promised, or who is told, is another thing than it was."""
    is_open = sa.select(tickets.c.id).where(tickets.c.state != "closed")
    connection.execute(sa.update(sla_states).where(sla_states.c.ticket_id.in_(is_open)).values(next_at=now))


def newest_event(connection: Connection) -> int:
    """The highest number in the tickets' own ledgers; 0 where they are empty."""
    return int(connection.execute(sa.select(sa.func.max(ticket_events.c.id))).scalar_one() or 0)


def behind(connection: Connection, after: int, *, closed_since: datetime) -> list[int]:
    """Tickets with an event numbered higher than ``after`` whose clocks have not taken all of their events in.

    Without clocks, only what is open or was closed since then counts.
    """
    touched = sa.select(ticket_events.c.ticket_id).where(ticket_events.c.id > after).distinct()
    return _behind(connection, ticket_events.c.ticket_id.in_(touched), closed_since)


def all_behind(connection: Connection, *, closed_since: datetime) -> list[int]:
    """As `behind`, of all tickets whatever numbers their events have: it reads all of the ledgers."""
    return _behind(connection, sa.true(), closed_since)


def _behind(connection: Connection, which: sa.ColumnElement[bool], closed_since: datetime) -> list[int]:
    counted = (
        sa.select(ticket_events.c.ticket_id, sa.func.count().label("events"))
        .where(which)
        .group_by(ticket_events.c.ticket_id)
        .subquery()
    )
    concerned = sa.or_(tickets.c.state != "closed", tickets.c.closed_at >= closed_since)
    query = (
        sa.select(counted.c.ticket_id)
        .join(tickets, tickets.c.id == counted.c.ticket_id)
        .outerjoin(sla_states, sla_states.c.ticket_id == counted.c.ticket_id)
        .where(
            sa.or_(
                sa.and_(sla_states.c.ticket_id.is_(None), concerned),
                sla_states.c.events != counted.c.events,
            )
        )
        .order_by(counted.c.ticket_id)
    )
    return list(connection.execute(query).scalars())
