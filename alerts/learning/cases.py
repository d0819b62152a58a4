"""Closed cases as figures need them: what was done on each and how soon; and what each notice about them turned out to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import sla_events, surveys
from hearthwatch.records.database import batched
from hearthwatch.records.sla_events import SlaEvent
from hearthwatch.records.tables import notice_findings, notices, ticket_events, ticket_findings
from hearthwatch.values import Ticket

ANSWERS = frozenset({"replied", "scheduled", "approval_asked"})
"""Events by which the customer hears of us."""
FROM_AFAR = frozenset({"remote_fix", "update", "ship_part"})
OF_PEOPLE = frozenset({"page", "qr", "api", "mail", "staff"})
"""Sources of tickets that somebody waits for an answer to."""
CALLED_OFF = frozenset({"waiting", "visit_off", "started", "closed"})
"""Events after which a visit is not to come any more."""
WARNINGS = ("replacement", "check_up", "update")
JUDGED = frozenset({"confirmed", "different_fault", "no_fault_found", "user_error", "environment", "fixed_by_update"})


@dataclass(frozen=True, slots=True)
class Case:
    """A closed ticket with what was done. Seconds are by the wall clock, or by the calendar of its service level; None where unknown."""

    ticket: Ticket
    policy_version: int | None
    first_response_s: float | None
    first_response_business_s: float | None
    resolution_s: float | None
    resolution_business_s: float | None
    answers: int
    visits: int
    reopened: bool
    asked_for_visit: bool

    @property
    def at_first_contact(self) -> bool:
        """Whether one answer at most, no visit and no second try were needed."""
        return self.answers <= 1 and not self.visits and not self.reopened

    @property
    def visit_avoided(self) -> bool:
        """Whether it was put right without the visit that was asked for, or by a remedy from afar."""
        mended = self.ticket.closing_code in {
            "confirmed",
            "different_fault",
            "fixed_by_update",
            "user_error",
            "environment",
        }
        return mended and not self.visits and (self.asked_for_visit or self.ticket.remedy in FROM_AFAR)


@dataclass(frozen=True, slots=True)
class NoticeOutcome:
    """A notice that was sent about a finding, and how its ticket was closed. ``lead_days``: from sending to the failure, or its finding."""

    notice_id: int
    policy_version: int
    ticket_id: int
    code: str
    lead_days: float | None


def cases_closed(connection: Connection, since: datetime, until: datetime) -> list[Case]:
    """Tickets about devices that were closed in [since, until); duplicates are part of the case they were merged into."""
    closed = [
        one
        for one in surveys.closed_between(connection, since, until)
        if one.kind != "cohort" and one.merged_into is None and one.closing_code != "duplicate"
    ]
    numbers = [one.id for one in closed]
    events, clocks = _events(connection, numbers), sla_events.of_tickets(connection, numbers)
    return [_case(one, events.get(one.id, ()), clocks.get(one.id, ())) for one in closed]


Event = tuple[datetime, str, Mapping[str, object]]


def _events(connection: Connection, numbers: Iterable[int]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = defaultdict(list)
    for some in batched(numbers):
        query = sa.select(ticket_events).where(ticket_events.c.ticket_id.in_(some)).order_by(ticket_events.c.id)
        for row in connection.execute(query).mappings():
            found[row["ticket_id"]].append((row["at"], row["what"], row["detail"]))
    return found


def _case(ticket: Ticket, events: Sequence[Event], clocks: Sequence[SlaEvent]) -> Case:
    answered = [at for at, what, _ in events if what in ANSWERS]
    waits = ticket.source in OF_PEOPLE
    return Case(
        ticket=ticket,
        policy_version=clocks[0].policy_version if clocks else None,
        first_response_s=(answered[0] - ticket.opened_at).total_seconds() if waits and answered else None,
        first_response_business_s=_used(clocks, "first_response") if waits else None,
        resolution_s=(ticket.closed_at - ticket.opened_at).total_seconds() if ticket.closed_at else None,
        resolution_business_s=_used(clocks, "resolution"),
        answers=sum(what == "replied" for _, what, _ in events),
        visits=_visits([what for _, what, _ in events]),
        reopened=any(what == "reopened" for _, what, _ in events),
        asked_for_visit=any(what == "customer" and detail.get("wish") == "visit" for _, what, detail in events),
    )


def _visits(happened: Sequence[str]) -> int:
    """How many agreed visits were not called off: a wait ends what was agreed, another time takes the place of the first."""
    visits, agreed = 0, False
    for what in happened:
        if what in {"started", "closed"}:
            visits += agreed
        if what in {"scheduled", *CALLED_OFF}:
            agreed = what == "scheduled"
    return visits


def _used(clocks: Sequence[SlaEvent], clock: str) -> float | None:
    """Seconds on a clock when it was fulfilled last."""
    used = [one.used_s for one in clocks if one.clock == clock and one.what == "fulfil"]
    return used[-1] if used else None


def notices_judged(connection: Connection, ticket_ids: Iterable[int]) -> list[NoticeOutcome]:
    """Warnings that customers were sent about findings of closed tickets somebody has judged; one for each ticket, the first."""
    found: dict[int, NoticeOutcome] = {}
    by_number = {one.id: one for some in batched(ticket_ids) for one in surveys.of_ids(connection, some)}
    for some in batched(sorted(by_number)):
        for row in _warnings(connection, some):
            ticket = by_number[row.ticket_id]
            if ticket.closing_code in JUDGED and ticket.id not in found:
                found[ticket.id] = NoticeOutcome(
                    row.id, row.policy_version, ticket.id, str(ticket.closing_code), _lead(ticket, row.sent_at)
                )
    return list(found.values())


def _warnings(connection: Connection, ticket_ids: Iterable[int]) -> Iterable[sa.Row[Any]]:
    """Warnings that were sent about findings of some tickets, by themselves or in one letter with others; the oldest first."""
    about = sa.union(
        sa.select(notices.c.id, notices.c.finding_id),
        sa.select(notice_findings.c.notice_id, notice_findings.c.finding_id),
    ).subquery("about")
    query = (
        sa.select(notices.c.id, notices.c.policy_version, notices.c.sent_at, ticket_findings.c.ticket_id)
        .join(about, about.c.id == notices.c.id)
        .join(ticket_findings, ticket_findings.c.finding_id == about.c.finding_id)
        .where(ticket_findings.c.ticket_id.in_(ticket_ids), notices.c.state == "sent", notices.c.kind.in_(WARNINGS))
        .order_by(notices.c.id)
    )
    return connection.execute(query)


def _lead(ticket: Ticket, sent_at: datetime | None) -> float | None:
    failed = ticket.failed_at or ticket.closed_at
    return (failed - sent_at).total_seconds() / 86_400 if failed and sent_at else None
