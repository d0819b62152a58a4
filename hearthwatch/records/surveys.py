"""What customers say about cases that are over: one answer for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.tables import notice_findings, notices, surveys, ticket_findings, tickets
from hearthwatch.values import Ticket

FOLLOW_UPS = ("reopened", "request")


@dataclass(frozen=True, slots=True)
class Survey:
    """An answer: whether it is solved, how content from 1 to 5, and in their own words; and what came of a bad one."""

    id: int
    ticket_id: int
    customer_id: str
    solved: bool
    score: int
    comment: str | None
    follow_up: str | None
    follow_up_ticket: int | None
    at: datetime
    revision: int


def add(
    connection: Connection,
    ticket_id: int,
    customer_id: str,
    *,
    solved: bool,
    score: int,
    comment: str | None,
    follow_up: str | None,
    follow_up_ticket: int | None,
    now: datetime,
) -> bool:
    """Keep an answer; False where there is one for this ticket already."""
    row = {
        "ticket_id": ticket_id,
        "customer_id": customer_id,
        "solved": solved,
        "score": score,
        "comment": comment,
        "follow_up": follow_up,
        "follow_up_ticket": follow_up_ticket,
        "at": now,
    }
    return insert_missing(connection, surveys, [row]) == 1


def of_ticket(connection: Connection, ticket_id: int) -> Survey | None:
    """The answer about one ticket, if there is one."""
    row = connection.execute(sa.select(surveys).where(surveys.c.ticket_id == ticket_id)).mappings().one_or_none()
    return Survey(**row) if row is not None else None


def list_surveys(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Survey]:
    """Answers of a time, newest first; ``after`` is the id to go on from."""
    query = sa.select(surveys).order_by(surveys.c.id.desc()).limit(limit)
    if since is not None:
        query = query.where(surveys.c.at >= since)
    if until is not None:
        query = query.where(surveys.c.at < until)
    if after is not None:
        query = query.where(surveys.c.id < after)
    return [Survey(**row) for row in connection.execute(query).mappings()]


def closed_between(
    connection: Connection, since: datetime, until: datetime, codes: Iterable[str] | None = None
) -> list[Ticket]:
    """Tickets that were closed in [since, until), with one of some codes where they are given, in the order of closing."""
    columns = (tickets.c[name] for name in Ticket.__dataclass_fields__)
    query = sa.select(*columns).where(
        tickets.c.state == "closed",
        tickets.c.closed_at >= since,
        tickets.c.closed_at < until,
        tickets.c.closing_code.in_(sorted(codes)) if codes is not None else sa.true(),
    )
    return [Ticket(*row) for row in connection.execute(query.order_by(tickets.c.closed_at, tickets.c.id)).all()]


def of_ids(connection: Connection, ticket_ids: Iterable[int]) -> list[Ticket]:
    """Tickets by their ids."""
    columns = [tickets.c[name] for name in Ticket.__dataclass_fields__]
    query = sa.select(*columns).where(tickets.c.id.in_(list(ticket_ids))).order_by(tickets.c.id)
    return [Ticket(**row) for row in connection.execute(query).mappings()]


def asked(connection: Connection, customer_ids: Iterable[str], since: datetime) -> set[str]:
    """Those of some customers who were asked about a case since a time; what was taken back before it left does not count."""
    found: set[str] = set()
    for some in batched(sorted(set(customer_ids))):
        query = sa.select(notices.c.customer_id).where(
            notices.c.customer_id.in_(some),
            notices.c.kind == "survey",
            notices.c.state != "cancelled",
            notices.c.created_at >= since,
        )
        found.update(connection.execute(query).scalars())
    return found


def was_told(connection: Connection, ticket_id: int, customer_id: str) -> bool:
    """Whether a customer was sent a notice about a ticket, or about what it is about."""
    about = sa.select(ticket_findings.c.finding_id).where(ticket_findings.c.ticket_id == ticket_id)
    among = sa.select(notice_findings.c.notice_id).where(notice_findings.c.finding_id.in_(about))
    query = sa.select(notices.c.id).where(
        notices.c.customer_id == customer_id,
        notices.c.state == "sent",
        sa.or_(notices.c.ticket_id == ticket_id, notices.c.finding_id.in_(about), notices.c.id.in_(among)),
    )
    return connection.execute(query.limit(1)).first() is not None


def forget_person(connection: Connection, customer_id: str) -> int:
    """Take a person's own words away; their marks stay. Returns how many there were."""
    where = (surveys.c.customer_id == customer_id, surveys.c.comment.is_not(None))
    return connection.execute(
        sa.update(surveys).where(*where).values(comment=None, revision=surveys.c.revision + 1)
    ).rowcount
