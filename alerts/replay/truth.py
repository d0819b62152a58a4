"""What became of the devices in the end: whether what a policy acted on was right, and how much earlier it acted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.outcomes import HOLDS
from hearthwatch.records.tables import findings, outcomes, ticket_findings, tickets
from hearthwatch.values import Span

Verdict = Literal["confirmed", "refuted", "unknown"]

RIGHT = frozenset({"confirmed", "different_fault", "fixed_by_update"})
WRONG = frozenset({"no_fault_found", "user_error", "environment"})
"""Closing codes that say that the device was not at fault."""
WITHIN = timedelta(days=30)
"""A failure without a ticket confirms what was said of the device no longer than this before."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether acting was right; ``at`` is when the failure, or the closing of its ticket, came."""

    verdict: Verdict
    at: datetime | None = None

    def lead_days(self, acted_at: datetime) -> float | None:
        """By how many days acting was ahead of what confirmed it."""
        if self.verdict != "confirmed" or self.at is None:
            return None
        return (self.at - acted_at) / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A device failed; ``part`` is empty where nobody knows it."""

    device: str
    part: str
    at: datetime


UNKNOWN = Judged("unknown")


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is known of what became of findings and devices."""

    closings: Mapping[int, tuple[str, datetime]]
    """Code and time (of the failure, where it is known) of the closed ticket of a finding."""
    failures_of: Mapping[str, list[Failure]]
    parts: Mapping[int, str]

    def of_finding(self, finding_id: int | None, device: str | None, acted_at: datetime) -> Judged:
        """What became of what was said about a device at a time."""
        closing = self.closings.get(finding_id or 0)
        if closing is not None and closing[1] >= acted_at:
            if closing[0] in RIGHT:
                return Judged("confirmed", closing[1])
            if closing[0] in WRONG:
                return Judged("refuted", closing[1])
        failure = self._next(device or "", self.parts.get(finding_id or 0, ""), acted_at)
        return Judged("confirmed", failure.at) if failure is not None else UNKNOWN

    def failures(self, span: Span) -> list[Failure]:
        """What failed within a span, in order of time."""
        every = (one for of in self.failures_of.values() for one in of if span.since < one.at <= span.until)
        return sorted(every, key=lambda one: (one.at, one.device))

    def _next(self, device: str, part: str, since: datetime) -> Failure | None:
        theirs = self.failures_of.get(device, [])
        for one in theirs[bisect_left(theirs, since, key=lambda failure: failure.at) :]:
            if one.at > since + WITHIN:
                return None
            if not part or not one.part or part == one.part:
                return one
        return None


def read(source: Connection, until: datetime) -> Truth:
    """What is stored of it, up to a time."""
    over = sa.func.coalesce(tickets.c.failed_at, tickets.c.closed_at)
    closed = (
        sa.select(ticket_findings.c.finding_id, tickets.c.closing_code, over, tickets.c.closed_at)
        .join(tickets, tickets.c.id == ticket_findings.c.ticket_id)
        .where(tickets.c.closing_code.is_not(None), tickets.c.closed_at <= until)
    )
    closings = {
        finding: (code, at if at is not None else closed_at) for finding, code, at, closed_at in source.execute(closed)
    }
    failed = sa.select(outcomes.c.device_id, outcomes.c.part, outcomes.c.at).where(
        outcomes.c.outcome == "failure", outcomes.c.at <= until, HOLDS
    )
    failures: dict[str, list[Failure]] = {}
    for device, part, at in source.execute(failed.order_by(outcomes.c.at, outcomes.c.id)):
        failures.setdefault(device, []).append(Failure(device, part, at))
    named = sa.select(findings.c.id, findings.c.part).where(findings.c.part.is_not(None))
    return Truth(closings, failures, {number: part for number, part in source.execute(named)})  # noqa: C416
