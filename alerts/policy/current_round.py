"""What is read once in a round and shared by all its decisions: consents, budgets, refusals, fixes, campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of, usable
from alerts.channels.media import medium
from alerts.policy import budget, decisions, judgement
from alerts.policy.decisions import Addressee, NoticePlan
from alerts.policy.facts import Facts
from alerts.policy.file import Policy, Rule
from alerts.policy.fixes import Fixes
from alerts.policy.judgement import Judgement, Like, Reasons
from hearthwatch.records import budgets, consents, devices, notices
from hearthwatch.records.campaigns import Campaign
from hearthwatch.records.consents import Standing
from hearthwatch.records.customers import Customer, Owner
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.records.policy_decisions import Prior
from hearthwatch.values import Device, Finding, Notice

HOME, CUSTOMER = "home", "customer"


@dataclass(slots=True)
class Round:
    """One application of a policy. ``live`` is whether anything may be sent or opened."""

    connection: Connection
    policy: Policy
    live: bool
    now: datetime
    outages: Sequence[PlannedOutage]
    incidents: Mapping[str, int]
    """Devices that are part of a mass silence, with its finding."""
    fixes: Fixes
    priors: Mapping[int, Prior] = field(default_factory=dict)
    """What the last round said about each finding."""
    facts: Mapping[str, Facts] = field(default_factory=dict)
    """What is known of each device."""
    known: Mapping[str, Device] = field(default_factory=dict)
    """Devices that findings are about."""
    judged: dict[int, Judgement] = field(default_factory=dict)
    """What was made of each finding, by its id."""
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    """Devices of a recall or an advisory that is not remedied for them yet."""
    subjects: set[tuple[str, str]] = field(default_factory=set)
    """(device, customer) that have their notice from shortly before."""
    remarks: dict[int, str] = field(default_factory=dict)
    """By finding, what became of the notice that its rule asks for: written, no_owner, told, recent, campaign, closed, covered."""
    reasons: Reasons = field(init=False)
    _rules: dict[Like, Rule | None] = field(default_factory=dict)
    _tried: dict[Like, Mapping[str, Any]] = field(default_factory=dict)
    _consents: dict[str, Standing] = field(default_factory=dict)
    _spent: dict[tuple[str, str], int] = field(default_factory=dict)
    _learned: set[tuple[str, str]] = field(default_factory=set)
    _disowned: set[tuple[str, str]] = field(default_factory=set)
    _fleet: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.reasons = Reasons(self.policy)

    def rule_of(self, finding: Finding, about: Facts, prior: Prior | None) -> Rule | None:
        """The rule that fits a finding; like findings are asked once."""
        held = prior.rule if prior else None
        key = (*judgement.likeness(finding), about, held)
        if key not in self._rules:
            self._rules[key] = decisions.rule_for(self.policy, finding, about, held)
        return self._rules[key]

    def tried(self, finding: Finding, about: Facts) -> Mapping[str, Any]:
        """Why no rule fits a finding; like findings share the answer."""
        key = (*judgement.likeness(finding), about)
        if key not in self._tried:
            self._tried[key] = judgement.no_rule(self.policy, finding, about)
        return self._tried[key]

    def devices_of(self, names: Iterable[str]) -> list[Device]:
        """Some devices, those that no finding is about among them."""
        wanted = set(names)
        others = devices.find(self.connection, sorted(wanted - self.known.keys()))
        return [*(self.known[name] for name in sorted(wanted & self.known.keys())), *others.values()]

    def learn(self, owners: Iterable[Owner], device_ids: Sequence[str]) -> None:
        """Read the budgets of some households and the refusals about some devices."""
        theirs = list(owners)
        self._learn_consents({one.customer.id for one in theirs})
        new = {household(one) for one in theirs} - self._learned
        self._learned |= new
        since = self.now - decisions.BUDGET_PERIOD
        for kind, named in ((HOME, "home_ids"), (CUSTOMER, "customer_ids")):
            ids = {"home_ids": [], "customer_ids": [], named: sorted(id_ for what, id_ in new if what == kind)}
            counts = budgets.of_households(self.connection, since, **ids)
            self._spent.update({(kind, id_): count for id_, count in counts.items()})
        self._disowned |= notices.disowned(self.connection, device_ids)

    def plan(self, rule: Rule, owner: Owner, device_id: str, existing: Notice | None) -> NoticePlan:
        """Decide about a notice, and count what is going to be sent against the household's budget."""
        of = household(owner)
        own = 1 if existing is not None and existing.state in notices.SPENT else 0
        spent = self._spent.get(of, 0) - own
        disowned = (device_id, owner.customer.id) in self._disowned
        agreed: dict[str, bool] = {
            rule.purpose: bool(self._reach(rule, owner.customer)) or self._anywhere(rule, owner.customer)
        }
        to = Addressee(owner, agreed, spent, disowned)
        plan = decisions.plan_notice(self.policy, live=self.live, rule=rule, to=to, now=self.now)
        if plan.state == "queued":
            self._spent[of] = spent + 1
        return plan

    def fleet(self) -> tuple[int, int] | None:
        """(allowed, spent) of the fleet's budget for a week; None where the policy sets none. Small fleets count as 1,000 devices."""
        if self._fleet is None:
            allowed = budget.of_fleet(self.connection, self.policy, self.now)
            if allowed is None:
                return None
            self._fleet = (allowed, budgets.of_fleet(self.connection, self.now - budget.FLEET_PERIOD))
        return self._fleet

    def limits(self, rule: Rule, owner: Owner, plan: NoticePlan) -> dict[str, Any]:
        """What a notice's plan came from besides its finding, as it is kept with the notice."""
        customer = owner.customer
        needed = self.policy.notices.needs_consent(rule.purpose)
        given = self._consents_of(customer.id).allows(rule.purpose) or bool(self._reach(rule, customer))
        counted = self._spent.get(household(owner), 0) - (1 if plan.state == "queued" else 0)
        quiet = None if decisions.passes(rule) else decisions.quiet_at(self.policy, owner).because(self.now)
        reached_by = self._reach(rule, customer)
        told: dict[str, Any] = {
            "passes": decisions.passes(rule),
            "consent": {"purpose": rule.purpose, "needed": needed, "given": given},
            "channel": channel_of(reached_by[0]) if reached_by else None,
            "household": {"limit": self.policy.notices.per_household_and_month, "spent": counted},
            "quiet": quiet,
        }
        if rule.all_channels:
            told["channels"] = [channel_of(one) for one in reached_by]
        fleet = self.fleet()
        if fleet is not None:
            told["fleet"] = {"limit": fleet[0], "spent": fleet[1]}
        return told

    def _learn_consents(self, customer_ids: Iterable[str]) -> None:
        asked = sorted(set(customer_ids) - self._consents.keys())
        self._consents.update(consents.standings(self.connection, asked))

    def _reach(self, rule: Rule, customer: Customer) -> tuple[str, ...]:
        """The addresses of a customer that may be used for a rule's purpose."""
        found = usable(customer.channels)
        if not self.policy.notices.needs_consent(rule.purpose):
            return found
        holds = self._consents_of(customer.id)
        return tuple(one for one in found if holds.allows(rule.purpose, medium(one)))

    def _anywhere(self, rule: Rule, customer: Customer) -> bool:
        """Whether a customer agreed whom no channel reaches: then the missing address is what stands in the way."""
        return not usable(customer.channels) and self._consents_of(customer.id).allows(rule.purpose)

    def _consents_of(self, customer_id: str) -> Standing:
        if customer_id not in self._consents:
            self._learn_consents([customer_id])
        return self._consents[customer_id]


def household(owner: Owner) -> tuple[str, str]:
    """Who shares a budget: the home, or the customer where no home is known."""
    return (HOME, owner.home.id) if owner.home else (CUSTOMER, owner.customer.id)
