"""Findings that become a matter of safety: what was said or closed before, when they were a lesser matter, does not keep them silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alerts.policy.cases import DeviceCase
from alerts.policy.current_round import Round
from alerts.policy.decisions import part_of
from hearthwatch.records import findings, notices, tickets
from hearthwatch.records.tickets import OF_DANGER
from hearthwatch.values import Notice

LATEST_NOTICES = 50


def risen(this: Round, cases: Sequence[DeviceCase]) -> list[DeviceCase]:
    """The cases; those that became a matter of safety since a person closed their ticket have it opened again, once.

    Not where the owner was warned of this danger, or the ticket was about it, before it was closed: then a person has decided about it.
    """
    maybe = {case.finding.id: case for case in cases if _is_grave_again(case)}
    if not maybe:
        return list(cases)
    warned = notices.warned(this.connection, maybe, this.now, told_states(this))
    unwarned = {number: case for number, case in maybe.items() if number not in warned}
    ledgers = tickets.ledgers(this.connection, {case.ticket.id for case in unwarned.values() if case.ticket})
    known = {number for number, ledger in ledgers.items() if any(event.detail.get(OF_DANGER) for event in ledger)}
    new = {number for number, case in unwarned.items() if case.ticket is not None and case.ticket.id not in known}
    return [_opened_again(this, case) if case.finding.id in new else case for case in cases]


def _is_grave_again(case: DeviceCase) -> bool:
    """Whether a matter of safety has a ticket that is closed, and was seen since."""
    if not case.rule.is_safety or not case.settled or case.ticket is None:
        return False
    return case.ticket.closed_at is not None and case.finding.last_seen > case.ticket.closed_at


def _opened_again(this: Round, case: DeviceCase) -> DeviceCase:
    """A release's ticket is not the device's: that gets one of its own."""
    if not (this.live and case.rule.ticket) or case.ticket is None:
        return replace(case, risen=True)
    return replace(case, risen=True, step="open" if case.ticket.kind == "cohort" else "reopen")


def told_states(this: Round) -> tuple[str, ...]:
    """The states of notices that told somebody, or would have while the policy observes."""
    told = (*notices.SPENT, "failed")
    return told if this.live else (*told, "observed")


def rises(this: Round, case: DeviceCase, before: Notice | None) -> bool:
    """Whether a finding is a matter of safety now whose notice spoke of a lesser one: the warning has an occasion of its own."""
    return (
        case.rule.is_safety
        and before is not None
        and before.state in told_states(this)
        and not notices.is_warning(before.why)
    )


def was_warned(this: Round, case: DeviceCase) -> bool:
    """Whether the customer was warned of a danger that stands, of the same part: a lesser matter does not stand for that."""
    customer = case.owner.customer.id if case.owner else None
    before = notices.list_notices(
        this.connection, device_id=case.finding.subject, customer_id=customer, limit=LATEST_NOTICES
    )
    causes = {one.finding_id for one in before if one.state in notices.SPENT and notices.is_warning(one.why)}
    about = [findings.get(this.connection, number) for number in causes if number is not None]
    return any(one.state != "recovered" and part_of(one) == part_of(case.finding) for one in about)
