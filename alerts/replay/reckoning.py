"""What a policy would have been worth: how much of what it did was right, how early, what it missed, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from alerts.policy.costs import Costs
from alerts.policy.file import Policy
from alerts.replay.truth import Failure, Judged, Truth
from alerts.replay.written import OpenedTicket, Written, WrittenNotice
from hearthwatch.records.notices import ASKING
from hearthwatch.values import Span

BY_ITSELF = "policy"
NOBODY_CAME = frozenset({"recovered", "fixed_by_update", "duplicate"})
"""Closing codes of tickets that cost no visit."""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a policy did, and what each of it was worth, in the order of `Written`."""

    written: Written
    notices: tuple[Judged, ...]
    tickets: tuple[Judged, ...]
    failures: tuple[tuple[Failure, bool], ...]
    """What failed within the span, and whether it had been acted on before."""


def reckon(written: Written, truth: Truth, span: Span) -> Reckoning:
    """Judge all that a policy did."""
    return Reckoning(
        written,
        tuple(truth.of_finding(one.finding_id, one.device, one.leaves_at or one.written_at) for one in written.notices),
        tuple(truth.of_finding(one.finding_id, one.device, one.opened_at) for one in written.tickets),
        tuple(_acted_on(written, truth, truth.failures(span))),
    )


def answer(policy: Policy, found: Reckoning) -> dict[str, Any]:
    """The figures that stand first: counts, how many were right, how early, what was missed, and what it costs."""
    written = found.written
    told = [(one, judged) for one, judged in zip(written.notices, found.notices, strict=True) if about_a_fault(one)]
    sent = [(one, judged) for one, judged in told if one.sent]
    leads = [lead for one, judged in sent if (lead := judged.lead_days(one.leaves_at or one.written_at)) is not None]
    verdicts = Counter(judged.verdict for _, judged in sent)
    of_tickets = Counter(judged.verdict for judged in found.tickets)
    return {
        "notices": len(sent),
        "customers": len({one.customer for one, _ in sent}),
        "devices": len({one.device for one, _ in sent}),
        "by_kind": dict(sorted(Counter(one.kind for one, _ in sent).items())),
        "news": sum(one.sent and not about_a_fault(one) for one in written.notices),
        "confirmed": verdicts["confirmed"],
        "refuted": verdicts["refuted"],
        "unknown": verdicts["unknown"],
        "lead_days_median": round(median(leads), 2) if leads else None,
        "held_back": len(told) - len(sent),
        "held_back_why": dict(
            Counter(_plainly(one.reason or one.state) for one, _ in told if not one.sent).most_common()
        ),
        "tickets": len(written.tickets),
        "tickets_confirmed": of_tickets["confirmed"],
        "tickets_refuted": of_tickets["refuted"],
        "tickets_unknown": of_tickets["unknown"],
        "engineers": written.engineers,
        "failures": len(found.failures),
        "failures_acted_on": sum(acted for _, acted in found.failures),
        "failures_missed": sum(not acted for _, acted in found.failures),
        "cost": cost(policy.costs, found),
    }


def about_a_fault(notice: WrittenNotice) -> bool:
    """Whether a notice is a first one about a fault; news of tickets and reminders are none."""
    return notice.kind in ASKING and notice.occasion == ""


def cost(costs: Costs, found: Reckoning) -> dict[str, Any]:
    """What it would have cost by the policy's own costs, in its currency."""
    written = found.written
    sent = sum(one.sent for one in written.notices) * costs.notice
    visits = sum(_of(costs, one.part, "visit") for one in written.tickets if one.closing_code not in NOBODY_CAME)
    refuted = {one.finding_id for one, judged in _sent(found) if judged.verdict == "refuted"} | {
        one.finding_id
        for one, judged in zip(written.tickets, found.tickets, strict=True)
        if judged.verdict == "refuted"
    }
    missed = sum(_of(costs, failure.part, "failure") for failure, acted in found.failures if not acted)
    parts = {
        "notices": sent,
        "visits": visits,
        "false_alarms": len(refuted) * costs.false_alarm,
        "failures_missed": missed,
    }
    rounded = {name: round(float(value), 2) for name, value in parts.items()}
    return {"currency": costs.currency, **rounded, "total": round(sum(rounded.values()), 2)}


def difference(this: Reckoning, today: Reckoning) -> dict[str, Any]:
    """What both policies do, and what only one of them does; of what both do, how often this one is earlier or later."""
    mine = {one.key: one for one in this.written.notices if one.sent and about_a_fault(one)}
    theirs = {one.key: one for one in today.written.notices if one.sent and about_a_fault(one)}
    opened = {one.key: one for one in this.written.tickets}
    opened_today = {one.key: one for one in today.written.tickets}
    return {
        "notices": _compared(mine, theirs, _leaves),
        "tickets": _compared(opened, opened_today, _opened),
    }


def place(key: tuple[str, ...], here: Mapping[tuple[str, ...], Any], there: Mapping[tuple[str, ...], Any]) -> str:
    """``both``, ``only_this`` or ``only_today``."""
    return "both" if key in here and key in there else "only_this" if key in here else "only_today"


def _compared(here: Mapping[tuple[str, ...], Any], there: Mapping[tuple[str, ...], Any], when: Any) -> dict[str, int]:
    both = here.keys() & there.keys()
    return {
        "both": len(both),
        "only_this": len(here.keys() - both),
        "only_today": len(there.keys() - both),
        "earlier": sum(when(here[key]) < when(there[key]) for key in both),
        "later": sum(when(here[key]) > when(there[key]) for key in both),
    }


def _leaves(notice: WrittenNotice) -> datetime:
    return notice.leaves_at or notice.written_at


def _opened(ticket: OpenedTicket) -> datetime:
    return ticket.opened_at


def _sent(found: Reckoning) -> Iterable[tuple[WrittenNotice, Judged]]:
    pairs = zip(found.written.notices, found.notices, strict=True)
    return [(one, judged) for one, judged in pairs if one.sent and about_a_fault(one)]


def _acted_on(written: Written, truth: Truth, failures: Sequence[Failure]) -> Iterable[tuple[Failure, bool]]:
    """Whether a customer was told of the part, or a ticket about it was open, before it failed or in the moment it was said to have."""
    acted: dict[str, list[tuple[str, datetime]]] = {}
    for notice in written.notices:
        if notice.sent and about_a_fault(notice):
            part = truth.parts.get(notice.finding_id or 0, "")
            acted.setdefault(notice.device, []).append((part, notice.leaves_at or notice.written_at))
    for ticket in written.tickets:
        if ticket.device is not None:
            acted.setdefault(ticket.device, []).append((ticket.part or "", ticket.opened_at))
    for failure in failures:
        yield (
            failure,
            any(
                at < failure.at and (not part or not failure.part or part == failure.part)
                for part, at in acted.get(failure.device, ())
            ),
        )


def _of(costs: Costs, part: str | None, name: str) -> float:
    own = costs.parts.get(part or "")
    given = getattr(own, name) if own is not None else None
    return float(getattr(costs, name) if given is None else given)


def _plainly(reason: str) -> str:
    """A reason without the numbers and names that would make each its own."""
    if reason.startswith("round:"):
        return "the round was too large for one person"
    if reason.startswith("the household had "):
        return "the household had as many notices as it may within 30 days"
    return reason
