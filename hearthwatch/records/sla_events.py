"""The ledger of tickets' clocks: what was promised, when a clock ran, stood still, was met or broken. Append-only.

Amounts are business seconds. Of a ticket, entries are numbered, so that two writers of the same entries write them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import sla_events, ticket_events, tickets


@dataclass(frozen=True, slots=True)
class SlaEvent:
    """One entry. ``clock`` is empty where it is about all of them; ``used_s`` was on the clock at ``at``."""

    ticket_id: int
    number: int
    at: datetime
    written_at: datetime
    what: str
    clock: str
    instance: int
    target_s: float | None
    due_at: datetime | None
    used_s: float
    policy_version: int
    term: str
    priority: int
    detail: Mapping[str, Any]


_COLUMNS = tuple(sla_events.c[name] for name in SlaEvent.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """What clocks need of one event of a ticket's own ledger."""

    id: int
    ticket_id: int
    at: datetime
    what: str
    detail: Mapping[str, Any]


def append(connection: Connection, events: Sequence[SlaEvent]) -> int:
    """Write entries; those whose number is taken are there already. Returns how many were new."""
    rows = [{name: getattr(one, name) for name in SlaEvent.__dataclass_fields__} for one in events]
    return insert_missing(connection, sla_events, [row | {"detail": dict(row["detail"])} for row in rows])


def of_tickets(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, list[SlaEvent]]:
    """The entries of some tickets, each ticket's in its order; tickets without any are absent."""
    found: dict[int, list[SlaEvent]] = {}
    for some in batched(ticket_ids):
        query = (
            sa.select(*_COLUMNS)
            .where(sla_events.c.ticket_id.in_(some))
            .order_by(sla_events.c.ticket_id, sla_events.c.number)
        )
        for row in connection.execute(query):
            found.setdefault(row.ticket_id, []).append(SlaEvent(*row))
    return found


def written_between(connection: Connection, since: datetime, until: datetime, whats: Iterable[str]) -> list[SlaEvent]:
    """Entries of some kinds about [since, until), by ticket and in its order."""
    query = (
        sa.select(*_COLUMNS)
        .where(sla_events.c.at >= since, sla_events.c.at < until, sla_events.c.what.in_(list(whats)))
        .order_by(sla_events.c.ticket_id, sla_events.c.number)
    )
    return [SlaEvent(*row) for row in connection.execute(query)]


def ledgers_of(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, list[LedgerLine]]:
    """The events of some tickets' own ledgers, oldest first."""
    found: dict[int, list[LedgerLine]] = {}
    columns = tuple(ticket_events.c[name] for name in LedgerLine.__dataclass_fields__)
    for some in batched(ticket_ids):
        query = sa.select(*columns).where(ticket_events.c.ticket_id.in_(some)).order_by(ticket_events.c.id)
        for row in connection.execute(query):
            found.setdefault(row.ticket_id, []).append(LedgerLine(*row))
    return found


def set_due(connection: Connection, due: Mapping[int, datetime | None]) -> None:
    """Let tickets say when they are due.

    That follows from the ledgers and is nobody's change: the revision stays, and whoever read a ticket may still act on it.
    """
    if due:
        statement = sa.update(tickets).where(tickets.c.id == sa.bindparam("ticket")).values(due_at=sa.bindparam("due"))
        connection.execute(statement, [{"ticket": ticket, "due": at} for ticket, at in sorted(due.items())])
