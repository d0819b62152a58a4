"""What is read once in a round and shared by all its decisions: consents, budgets, refusals, fixes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from alerts.policy import decisions
from alerts.policy.decisions import Addressee, NoticePlan
from alerts.policy.file import Policy, Rule
from alerts.policy.fixes import Fixes
from hearthwatch.records import consents, notices
from hearthwatch.records.customers import Owner
from hearthwatch.records.outages import PlannedOutage
from hearthwatch.values import Notice

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
    subjects: set[str] = field(default_factory=set)
    """Devices that have their notice, from this round or shortly before."""
    _consents: dict[str, dict[str, bool]] = field(default_factory=dict)
    _spent: dict[tuple[str, str], int] = field(default_factory=dict)
    _learned: set[tuple[str, str]] = field(default_factory=set)
    _disowned: set[tuple[str, str]] = field(default_factory=set)

    def learn(self, owners: Iterable[Owner], device_ids: Sequence[str]) -> None:
        """Read the budgets of some households and the refusals about some devices."""
        new = {_household(one) for one in owners} - self._learned
        self._learned |= new
        since = self.now - decisions.BUDGET_PERIOD
        for kind, named in ((HOME, "home_ids"), (CUSTOMER, "customer_ids")):
            ids = {"home_ids": [], "customer_ids": [], named: sorted(id_ for what, id_ in new if what == kind)}
            counts = notices.spent(self.connection, since, **ids)
            self._spent.update({(kind, id_): count for id_, count in counts.items()})
        self._disowned |= notices.disowned(self.connection, device_ids)

    def plan(self, rule: Rule, owner: Owner, device_id: str, existing: Notice | None) -> NoticePlan:
        """Decide about a notice, and count what is going to be sent against the household's budget."""
        household = _household(owner)
        own = 1 if existing is not None and existing.state in notices.SPENT else 0
        spent = self._spent.get(household, 0) - own
        disowned = (device_id, owner.customer.id) in self._disowned
        to = Addressee(owner, self._consents_of(owner.customer.id), spent, disowned)
        plan = decisions.plan_notice(self.policy, live=self.live, rule=rule, to=to, now=self.now)
        if plan.state == "queued":
            self._spent[household] = spent + 1
        return plan

    def _consents_of(self, customer_id: str) -> dict[str, bool]:
        if customer_id not in self._consents:
            self._consents[customer_id] = consents.current(self.connection, customer_id)
        return self._consents[customer_id]


def _household(owner: Owner) -> tuple[str, str]:
    return (HOME, owner.home.id) if owner.home else (CUSTOMER, owner.customer.id)
