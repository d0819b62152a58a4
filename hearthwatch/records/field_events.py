"""What happened to devices in the field: failures and other labels, complaints, tickets; each with its failure mode and what it cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.failure_modes import mode_of_part
from hearthwatch.records.database import batched
from hearthwatch.records.outcomes import HOLDS
from hearthwatch.records.tables import outcomes, ticket_events, ticket_reports, tickets

TICKET = "ticket:"


@dataclass(frozen=True, slots=True)
class FieldEvent:
    """One thing that happened to a device. ``cost`` is ours, in minor units of ``currency``, where a remedy was chosen."""

    device_id: str
    at: datetime
    mode: str
    ticket_id: int | None
    cost: int | None = None
    currency: str | None = None


def labelled(connection: Connection, outcome: str, since: datetime, until: datetime) -> list[FieldEvent]:
    """Outcomes of a kind (failure, no_fault_found, user_error, environment, fixed_by_update) in [since, until)."""
    query = sa.select(outcomes.c.device_id, outcomes.c.at, outcomes.c.part, outcomes.c.source).where(
        outcomes.c.outcome == outcome, outcomes.c.at >= since, outcomes.c.at < until, HOLDS
    )
    rows = list(connection.execute(query.order_by(outcomes.c.at, outcomes.c.id)))
    numbers = {row.source: int(row.source.removeprefix(TICKET)) for row in rows if _is_ticket(row.source)}
    modes, costs = _modes(connection, numbers.values()), _costs(connection, numbers.values())
    found = []
    for row in rows:
        number = numbers.get(row.source)
        mode = mode_of_part(row.part) if row.part else (modes.get(number) if number else None) or "unknown"
        found.append(FieldEvent(row.device_id, row.at, mode, number, *costs.get(number or 0, (None, None))))
    return found


def tickets_opened(connection: Connection, since: datetime, until: datetime) -> list[FieldEvent]:
    """Tickets about devices that opened in [since, until)."""
    query = sa.select(tickets.c.id, tickets.c.device_id, tickets.c.opened_at, tickets.c.mode).where(
        tickets.c.device_id.is_not(None),
        tickets.c.opened_at >= since,
        tickets.c.opened_at < until,
        tickets.c.merged_into.is_(None),
    )
    rows = list(connection.execute(query.order_by(tickets.c.id)))
    costs = _costs(connection, [row.id for row in rows])
    return [
        FieldEvent(row.device_id, row.opened_at, row.mode or "unknown", row.id, *costs.get(row.id, (None, None)))
        for row in rows
    ]


def complaints(connection: Connection, since: datetime, until: datetime) -> list[FieldEvent]:
    """What people reported about devices in [since, until)."""
    query = sa.select(
        ticket_reports.c.device_id, ticket_reports.c.at, ticket_reports.c.mode, ticket_reports.c.ticket_id
    ).where(ticket_reports.c.device_id.is_not(None), ticket_reports.c.at >= since, ticket_reports.c.at < until)
    rows = list(connection.execute(query.order_by(ticket_reports.c.id)))
    costs = _costs(connection, [row.ticket_id for row in rows])
    return [
        FieldEvent(row.device_id, row.at, row.mode or "unknown", row.ticket_id, *costs.get(row.ticket_id, (None, None)))
        for row in rows
    ]


def _is_ticket(source: str) -> bool:
    return source.startswith(TICKET) and source.removeprefix(TICKET).isdecimal()


def _modes(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for some in batched(sorted(set(numbers))):
        query = sa.select(tickets.c.id, tickets.c.mode).where(tickets.c.id.in_(some), tickets.c.mode.is_not(None))
        found.update((row.id, row.mode) for row in connection.execute(query))
    return found


def _costs(connection: Connection, numbers: Iterable[int]) -> dict[int, tuple[int | None, str | None]]:
    """What the remedy that was chosen last costs us, by ticket."""
    found: dict[int, tuple[int | None, str | None]] = {}
    for some in batched(sorted(set(numbers))):
        query = sa.select(ticket_events.c.ticket_id, ticket_events.c.detail).where(
            ticket_events.c.ticket_id.in_(some), ticket_events.c.what == "remedy_chosen"
        )
        for row in connection.execute(query.order_by(ticket_events.c.id)):
            found[row.ticket_id] = (row.detail.get("cost"), row.detail.get("currency"))
    return found
