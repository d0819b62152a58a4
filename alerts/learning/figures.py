"""Figures of the service, by policy version or by month: how soon, how well, and whether the notices were right.

docs/learning.md defines each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean, median, quantiles
from typing import Literal

from sqlalchemy import Connection

from alerts.learning.cases import Case, NoticeOutcome, cases_closed, notices_judged
from alerts.learning.rates import Share, share
from hearthwatch.records import surveys
from hearthwatch.records.surveys import Survey

By = Literal["policy_version", "month"]
WORKED_ON = frozenset(
    {"confirmed", "different_fault", "no_fault_found", "user_error", "environment", "fixed_by_update"}
)
FOUND = frozenset({"confirmed", "different_fault"})
RIGHT = frozenset({"confirmed", "fixed_by_update"})
ALL_SURVEYS = 1_000_000


@dataclass(frozen=True, slots=True)
class Durations:
    """Hours: their number, median and 90th percentile; None where there are none."""

    count: int
    median_h: float | None
    p90_h: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one policy version or month (``key``). Shares are None where nothing can be said.

    ``first_response`` and ``resolution`` are by the wall clock, the others ``_business`` by the calendar of the service level.
    """

    key: str
    tickets_closed: int
    first_contact_resolution: Share | None
    first_response: Durations
    first_response_business: Durations
    resolution: Durations
    resolution_business: Durations
    visits: int
    visits_avoided: int
    reopened: Share | None
    no_fault_found: Share | None
    notices_judged: int
    notice_precision: Share | None
    lead_days: float | None
    surveys: int
    solved: Share | None
    score: float | None


def service_figures(connection: Connection, *, since: datetime, until: datetime, by: By) -> list[Figures]:
    """Figures of tickets closed in [since, until), of notices that they judge, and of customers' answers; first of all together."""
    cases = cases_closed(connection, since, until)
    judged = notices_judged(connection, [case.ticket.id for case in cases])
    numbers = {case.ticket.id for case in cases}
    answers = [
        one for one in surveys.list_surveys(connection, since=since, limit=ALL_SURVEYS) if one.ticket_id in numbers
    ]
    key_of = {case.ticket.id: _key(case, by) for case in cases}
    sent_by = {
        one.ticket_id: str(one.policy_version) if by == "policy_version" else key_of[one.ticket_id] for one in judged
    }
    keys = sorted({*key_of.values(), *sent_by.values()}, key=_in_order)
    whole = _figures("all", cases, judged, answers)
    return [whole, *(_figures(key, *_of(key, key_of, sent_by, cases, judged, answers)) for key in keys)]


def _in_order(key: str) -> tuple[int, str]:
    """Version 10 comes after version 9, what has none first."""
    return (int(key) if key.isdecimal() else 0, key)


def _key(case: Case, by: By) -> str:
    if by == "month":
        return f"{case.ticket.closed_at:%Y-%m}"
    return str(case.policy_version) if case.policy_version is not None else "–"


def _of(
    key: str,
    key_of: Mapping[int, str],
    sent_by: Mapping[int, str],
    cases: Iterable[Case],
    judged: Iterable[NoticeOutcome],
    answers: Iterable[Survey],
) -> tuple[list[Case], list[NoticeOutcome], list[Survey]]:
    return (
        [one for one in cases if key_of[one.ticket.id] == key],
        [one for one in judged if sent_by[one.ticket_id] == key],
        [one for one in answers if key_of.get(one.ticket_id) == key],
    )


def _figures(key: str, cases: Sequence[Case], judged: Sequence[NoticeOutcome], answers: Sequence[Survey]) -> Figures:
    worked = [one for one in cases if one.ticket.closing_code in WORKED_ON]
    seen = [one for one in worked if one.ticket.closing_code in FOUND | {"no_fault_found"}]
    right = [one for one in judged if one.code in RIGHT]
    leads = [one.lead_days for one in right if one.lead_days is not None]
    return Figures(
        key=key,
        tickets_closed=len(cases),
        first_contact_resolution=share(sum(one.at_first_contact for one in worked), len(worked)),
        first_response=_durations(one.first_response_s for one in cases),
        first_response_business=_durations(one.first_response_business_s for one in cases),
        resolution=_durations(one.resolution_s for one in worked),
        resolution_business=_durations(one.resolution_business_s for one in worked),
        visits=sum(one.visits > 0 for one in cases),
        visits_avoided=sum(one.visit_avoided for one in cases),
        reopened=share(sum(one.reopened for one in worked), len(worked)),
        no_fault_found=share(sum(one.ticket.closing_code == "no_fault_found" for one in seen), len(seen)),
        notices_judged=len(judged),
        notice_precision=share(len(right), len(judged)),
        lead_days=median(leads) if leads else None,
        surveys=len(answers),
        solved=share(sum(one.solved for one in answers), len(answers)),
        score=mean(one.score for one in answers) if answers else None,
    )


def _durations(seconds: Iterable[float | None]) -> Durations:
    hours = sorted(one / 3600 for one in seconds if one is not None)
    if not hours:
        return Durations(0, None, None)
    tenth = quantiles(hours, n=10, method="inclusive")[8] if len(hours) > 1 else hours[0]
    return Durations(len(hours), median(hours), tenth)
