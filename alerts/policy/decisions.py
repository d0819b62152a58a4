"""What a policy says about one finding: pure decisions, without any store, so that they can be replayed over history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.channels.addresses import usable
from alerts.policy.facts import Facts
from alerts.policy.file import Policy, Rule
from alerts.policy.quiet import Quiet, zone
from alerts.policy.rules import misfit
from alerts.sla import terms as service_levels
from hearthwatch.failure_modes import FLAPPING, MODES, SILENT
from hearthwatch.firmware import version
from hearthwatch.records.customers import Owner
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.values import Device, Finding, Release, Ticket

BUDGET_PERIOD = timedelta(days=30)
REPAIRED = frozenset({"confirmed", "different_fault", "fixed_by_update"})
VERY_LIKELY = 0.8
OF_THE_NETWORK = frozenset({SILENT, FLAPPING, "wifi_failing"})
"""Failure modes that an outage of the network looks like."""

TicketStep = Literal["none", "open", "cover", "adopt", "reopen", "raise"]


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """How a notice stands: its state, why it is not sent where it is not, and when it may go at the earliest."""

    state: str
    reason: str | None
    send_after: datetime


@dataclass(frozen=True, slots=True)
class Addressee:
    """What a decision needs to know of an owner. ``spent`` counts the household's notices of the budget's period."""

    owner: Owner
    consents: Mapping[str, bool]
    spent: int
    disowned: bool


def silence(
    finding: Finding,
    device: Device | None,
    outages: Sequence[PlannedOutage],
    now: datetime,
    incident: int | None = None,
    *,
    safety: bool = False,
) -> str | None:
    """Why nothing may come of a device's finding for the time being, or None.

    ``incident`` is the finding of the mass silence that the device is part of: what the network does to it is no fault of its own.
    Neither that nor a planned outage silences a matter of ``safety``.
    """
    if finding.state not in {"open", "acknowledged"}:
        return finding.state
    if finding.muted_until is not None and finding.muted_until > now:
        return "muted"
    if device is None:
        return None
    if device.test:
        return "test device"
    if device.removed_at is not None and device.removed_at <= now:
        return "removed device"
    if safety:
        return None
    for outage in outages:
        if outage.model in {None, device.model} and outage.region in {None, device.region}:
            return f"planned outage: {outage.reason}"
    if incident is not None and finding.mode in OF_THE_NETWORK:
        return f"part of incident {incident}"
    return None


def rule_for(policy: Policy, finding: Finding, facts: Facts, held: str | None = None) -> Rule | None:
    """The first rule that fits a finding. The rule that ``held`` it before lets go only well below its line."""
    part, margin = part_of(finding), policy.hysteresis.probability
    for rule in policy.rules:
        if misfit(rule, finding, part, facts, margin=margin if rule.name == held else 0.0) is None:
            return rule
    return None


def tried(policy: Policy, finding: Finding, facts: Facts) -> list[tuple[str, str]]:
    """Every rule with the first of its keys that a finding does not fit."""
    part = part_of(finding)
    asked = ((rule.name, misfit(rule, finding, part, facts)) for rule in policy.rules)
    return [(name, key) for name, key in asked if key is not None]


def part_of(finding: Finding) -> str:
    """The part a finding is about; the mode's own where the finding names none, empty where there is none."""
    if finding.part:
        return finding.part
    mode = MODES.get(finding.mode)
    return mode.part if mode else ""


def stands(finding: Finding, rule: Rule, now: datetime) -> bool:
    """Whether a finding has stood as long as its rule wants."""
    return now - finding.first_seen >= rule.hold


def is_worse(finding: Finding) -> bool:
    """Whether a cohort's finding says that a release is worse."""
    return finding.kind == "cohort" and finding.evidence.get("verdict", "worse") == "worse"


def covered(policy: Policy, finding: Finding) -> bool:
    """Whether a device's finding is a symptom that goes into a worse release's ticket."""
    if finding.kind == "prognosis":
        return part_of(finding) in policy.suppression.prognosis_parts
    return finding.kind == "anomaly" and finding.mode in policy.suppression.anomaly_modes


def priority(finding: Finding, rule: Rule) -> int:
    """1 (now) to 4, from urgency, severity and probability."""
    if rule.urgent:
        return 1
    if finding.severity == "critical" or (finding.probability or 0.0) >= VERY_LIKELY:
        return 1 if finding.kind == "cohort" else 2
    if finding.kind == "cohort":
        return 2
    return 3 if finding.severity == "warning" else 4


def due(policy: Policy, rank: int, now: datetime) -> datetime:
    """When a ticket of a priority is due, as far as its priority alone says it; its clocks say it for good within a minute."""
    level = policy.sla.level(service_levels.Facts(rank), policy.tickets.due_days)
    promised = level.targets.get("resolution")
    return level.calendar.add(now, promised) if promised else now + timedelta(days=policy.tickets.due_days[rank - 1])


def ticket_step(policy: Policy, finding: Finding, rule: Rule, ticket: Ticket | None, *, cover: bool) -> TicketStep:
    """What a standing finding does to its ticket (None: it has none yet); ``cover``: a worse release's ticket explains it."""
    if ticket is None:
        return "cover" if cover else "open" if rule.ticket else "none"
    if ticket.state != "closed":
        if cover and ticket.kind == "device" and ticket.parent_id is None:
            return "adopt"
        return "raise" if ticket.kind == "device" and priority(finding, rule) < ticket.priority else "none"
    if ticket.kind == "cohort" and finding.kind != "cohort":  # its release's ticket is over: now it stands for itself
        return "open" if rule.ticket and _settled(policy, finding, ticket) else "none"
    return "reopen" if relapsed(policy, finding, ticket) else "none"


def relapsed(policy: Policy, finding: Finding, ticket: Ticket) -> bool:
    """Whether a standing finding is news to its closed ticket.

    After a repair, signs of the old fault are still in the data for a while. What a person closed for any other reason stays closed
    for this episode.
    """
    if ticket.closing_code == "recovered":
        return ticket.closed_at is not None and finding.last_seen > ticket.closed_at
    return ticket.closing_code in REPAIRED and _settled(policy, finding, ticket)


def _settled(policy: Policy, finding: Finding, ticket: Ticket) -> bool:
    """Whether a finding was seen when the signs of what a ticket put right should have been gone."""
    settled = timedelta(days=policy.tickets.settle_days)
    return ticket.closed_at is not None and finding.last_seen > ticket.closed_at + settled


def helps(fix: Release | None, device: Device | None) -> bool:
    """Whether a device runs something older than a release that fixes what it has."""
    if fix is None or device is None or not device.firmware:
        return False
    return version(device.firmware).key < version(fix.version).key


def plan_notice(policy: Policy, *, live: bool, rule: Rule, to: Addressee, now: datetime) -> NoticePlan:
    """How a notice to an owner stands: suppressed with the reason, observed while the policy observes, else queued."""
    reason = _obstacle(policy, rule, to)
    if not live:
        return NoticePlan("observed", f"would be held back: {reason}" if reason else None, now)
    if reason is not None:
        return NoticePlan("suppressed", reason, now)
    return NoticePlan("queued", None, now if passes(rule) else after_quiet_hours(policy, to.owner, now))


def passes(rule: Rule) -> bool:
    """Whether neither quiet times nor budgets hold a rule's notices back."""
    return rule.urgent or rule.is_safety


def after_quiet_hours(policy: Policy, owner: Owner, now: datetime) -> datetime:
    """``now``, or the end of the quiet hours, Sunday or holiday that is on at the owner's home."""
    return quiet_at(policy, owner).next_allowed(now)


def quiet_at(policy: Policy, owner: Owner) -> Quiet:
    """The times at which an owner's home is not written to."""
    hours, home = policy.quiet_hours, owner.home
    return Quiet(
        hours.start,
        hours.end,
        zone(home.timezone if home else None, hours.timezone),
        policy.holidays.sundays,
        policy.holidays.of(home.region if home else None),
    )


def _obstacle(policy: Policy, rule: Rule, to: Addressee) -> str | None:
    if to.disowned:
        return "the customer said that it is not their device"
    if not may_write(policy, rule.purpose, to.consents):
        return no_consent(rule.purpose)
    if not usable(to.owner.customer.channels):
        return "no address that a channel serves"
    if not passes(rule) and to.spent >= policy.notices.per_household_and_month:
        return f"the household had {to.spent} notices within 30 days"
    return None


def no_consent(purpose: str) -> str:
    """Why a notice is held back whose purpose its customer did not agree to, or not any more."""
    return f"no consent to {purpose} notices"


def may_write(policy: Policy, purpose: str, consents: Mapping[str, bool]) -> bool:
    """Whether a customer may be written to for a purpose."""
    return not policy.notices.needs_consent(purpose) or consents.get(purpose, False)
