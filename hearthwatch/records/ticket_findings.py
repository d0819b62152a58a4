"""Which findings a ticket stands for: each finding belongs to one ticket at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.statements import among, replace_in
from hearthwatch.records.tables import findings, ticket_findings, tickets
from hearthwatch.values import Ticket


@dataclass(frozen=True, slots=True)
class LinkedFinding:
    """What a ticket needs to know of a finding it stands for."""

    id: int
    kind: str
    subject: str
    mode: str
    state: str
    probability: float | None
    last_seen: datetime
    recovered_at: datetime | None


_COLUMNS = tuple(tickets.c[name] for name in Ticket.__dataclass_fields__)
_OF_FINDINGS = (
    sa.select(ticket_findings.c.finding_id, *_COLUMNS)
    .join(tickets, tickets.c.id == ticket_findings.c.ticket_id)
    .where(among(ticket_findings.c.finding_id))
)
_LINKED = (
    sa.select(ticket_findings.c.ticket_id, *(findings.c[name] for name in LinkedFinding.__dataclass_fields__))
    .join(findings, findings.c.id == ticket_findings.c.finding_id)
    .where(among(ticket_findings.c.ticket_id))
    .order_by(ticket_findings.c.at, findings.c.id)
)


def join(connection: Connection, finding_id: int, ticket_id: int, now: datetime) -> None:
    """Say which ticket a finding belongs to; it leaves the one it was in."""
    row = {"finding_id": finding_id, "ticket_id": ticket_id, "at": now}
    connection.execute(replace_in(connection, ticket_findings), row)


def of_findings(connection: Connection, finding_ids: Iterable[int]) -> dict[int, Ticket]:
    """The ticket of each finding that has one."""
    found: dict[int, Ticket] = {}
    for some in batched(finding_ids):
        for row in connection.execute(_OF_FINDINGS, {"some": some}).all():
            found[row[0]] = Ticket(*row[1:])
    return found


def ids_of_findings(connection: Connection, finding_ids: Iterable[int]) -> dict[int, int]:
    """The number of the ticket of each finding that has one."""
    found: dict[int, int] = {}
    for some in batched(finding_ids):
        query = sa.select(ticket_findings.c.finding_id, ticket_findings.c.ticket_id)
        rows = connection.execute(query.where(ticket_findings.c.finding_id.in_(some))).all()
        found.update((finding, ticket) for finding, ticket in rows)
    return found


def standing(connection: Connection, ticket_ids: Iterable[int]) -> dict[int, list[LinkedFinding]]:
    """What each ticket's findings are like now, in the order they came."""
    found: dict[int, list[LinkedFinding]] = {}
    for some in batched(ticket_ids):
        for row in connection.execute(_LINKED, {"some": some}).all():
            found.setdefault(row[0], []).append(LinkedFinding(*row[1:]))
    return found
