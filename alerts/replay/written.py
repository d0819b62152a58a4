"""What a policy wrote and opened, read in the same way from the stored records and from the scratch records of a replay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.tables import notice_events, notices, outbox, ticket_events, tickets
from hearthwatch.values import Span

LEAVES = ("queued", "sent", "failed")
"""States of a notice that leaves the house, or left it."""


@dataclass(frozen=True, slots=True)
class WrittenNotice:
    """A notice. ``cause`` is the same in every run, a finding's number or a ticket's own cause, and so is ``occasion``.

    ``leaves_at`` is when it may go at the earliest, None where it was held back for ``reason``. ``rule`` is the policy's, where known.
    """

    cause: str
    finding_id: int | None
    device: str
    customer: str
    kind: str
    occasion: str
    state: str
    reason: str | None
    written_at: datetime
    leaves_at: datetime | None
    sent_at: datetime | None
    rule: str | None

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same notice in another run."""
        return self.cause, self.device, self.customer, self.kind, self.occasion

    @property
    def sent(self) -> bool:
        """Whether its customer gets it."""
        return self.leaves_at is not None


@dataclass(frozen=True, slots=True)
class OpenedTicket:
    """A ticket that opened by itself. ``closed_by`` is ``policy`` where it also closed by itself."""

    cause: str
    kind: str
    finding_id: int | None
    device: str | None
    customer: str | None
    model: str | None
    part: str | None
    priority: int
    opened_at: datetime
    closed_at: datetime | None
    closing_code: str | None
    closed_by: str | None
    reopened: int

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same ticket in another run: its finding where it has one, for the numbers of causes may differ."""
        return (f"finding:{self.finding_id}",) if self.finding_id is not None else (self.cause,)


@dataclass(frozen=True, slots=True)
class Written:
    """All that a policy did by itself within a span. ``engineers`` counts alerts to engineers."""

    notices: tuple[WrittenNotice, ...]
    tickets: tuple[OpenedTicket, ...]
    engineers: int


def read(connection: Connection, span: Span) -> Written:
    """What was written, opened and sent in ``(since, until]`` by a policy itself, in order of time."""
    causes = {number: cause for number, cause in connection.execute(sa.select(tickets.c.id, tickets.c.cause))}  # noqa: C416
    return Written(
        notices=tuple(_notices(connection, span, causes)),
        tickets=tuple(_tickets(connection, span)),
        engineers=_engineers(connection, span),
    )


def _notices(connection: Connection, span: Span, causes: Mapping[int, str]) -> list[WrittenNotice]:
    columns = notices.c
    names = ("id", "cause", "finding_id", "device_id", "customer_id", "kind", "occasion", "state", "reason", "created_at",
             "send_after", "sent_at", "why", "ticket_id")  # fmt: skip
    query = sa.select(*(columns[name] for name in names)).where(
        sa.or_(_within(columns.created_at, span), columns.id.in_(_brought(span)))
    )
    events = _occasions(connection)
    return [
        WrittenNotice(
            cause=_same_cause(row["cause"], causes),
            finding_id=row["finding_id"],
            device=row["device_id"],
            customer=row["customer_id"],
            kind=row["kind"],
            occasion=events.get(row["occasion"], row["occasion"]),
            state=row["state"],
            reason=row["reason"],
            written_at=row["created_at"],
            leaves_at=row["send_after"] if row["state"] in LEAVES else None,
            sent_at=row["sent_at"],
            rule=_rule(row["why"]),
        )
        for row in connection.execute(query.order_by(columns.created_at, columns.id)).mappings()
    ]


def _within(column: Any, span: Span) -> Any:
    return sa.and_(column > span.since, column <= span.until)


def _brought(span: Span) -> sa.Select[Any]:
    """Notices that were written before, and brought into another state by a policy within the span."""
    changed = ("queued", "held", "suppressed", "waiting")
    return sa.select(notice_events.c.notice_id).where(
        _within(notice_events.c.at, span), notice_events.c.actor == "policy", notice_events.c.what.in_(changed)
    )


def _same_cause(cause: str, causes: Mapping[int, str]) -> str:
    what, _, number = cause.partition(":")
    return f"ticket:{causes.get(int(number), number)}" if what == "ticket" and number.isdecimal() else cause


def _occasions(connection: Connection) -> dict[str, str]:
    """What occasions of ticket news are, whatever number the entry of the ledger has."""
    wanted = sa.select(notices.c.occasion).where(notices.c.occasion.like("ticket_event:%")).distinct()
    numbers = {int(one.partition(":")[2]): one for one in connection.execute(wanted).scalars()}
    if not numbers:
        return {}
    columns = ticket_events.c
    found = {}
    for some in _in_batches(sorted(numbers)):
        query = sa.select(columns.id, columns.what, columns.at).where(columns.id.in_(some))
        found.update(
            {numbers[number]: f"{what} {at:%Y-%m-%dT%H:%M:%S}" for number, what, at in connection.execute(query)}
        )
    return found


def _in_batches(numbers: list[int]) -> Iterable[list[int]]:
    return (numbers[start : start + 5000] for start in range(0, len(numbers), 5000))


def _rule(why: Any) -> str | None:
    rule = why.get("rule") if isinstance(why, Mapping) else None
    if isinstance(rule, Mapping):
        rule = rule.get("name")
    return str(rule) if rule is not None else None


def _tickets(connection: Connection, span: Span) -> list[OpenedTicket]:
    columns = tickets.c
    opened = (
        sa.select(ticket_events.c.ticket_id)
        .where(_within(ticket_events.c.at, span), ticket_events.c.what == "opened", ticket_events.c.actor == "policy")
    )  # fmt: skip
    again = (
        sa.select(ticket_events.c.ticket_id, sa.func.count())
        .where(_within(ticket_events.c.at, span), ticket_events.c.what == "reopened", ticket_events.c.actor == "policy")
        .group_by(ticket_events.c.ticket_id)
    )
    reopened = {number: count for number, count in connection.execute(again)}  # noqa: C416
    query = sa.select(tickets).where(sa.or_(columns.id.in_(opened), columns.id.in_(sorted(reopened)[:5000])))
    return [
        OpenedTicket(
            cause=row["cause"],
            kind=row["kind"],
            finding_id=row["finding_id"],
            device=row["device_id"],
            customer=row["customer_id"],
            model=row["model"],
            part=row["part"],
            priority=row["priority"],
            opened_at=row["opened_at"],
            closed_at=row["closed_at"],
            closing_code=row["closing_code"],
            closed_by=row["closed_by"],
            reopened=reopened.get(row["id"], 0),
        )
        for row in connection.execute(query.order_by(columns.opened_at, columns.id)).mappings()
    ]


def _engineers(connection: Connection, span: Span) -> int:
    first = sa.and_(outbox.c.kind == "engineer", outbox.c.idempotency_key.like("%:0"))
    query = sa.select(sa.func.count()).select_from(outbox).where(first, _within(outbox.c.created_at, span))
    return int(connection.execute(query).scalar_one())
