"""The budgets for notices outside a round: whether one more may leave because a person says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import floor

from sqlalchemy import Connection

from alerts.policy.decisions import BUDGET_PERIOD
from alerts.policy.file import Policy, parse
from hearthwatch.errors import Conflict
from hearthwatch.records import budgets, notices, policies
from hearthwatch.records.notices import ASKING, SPENT
from hearthwatch.values import Notice

FLEET_PERIOD = timedelta(days=7)
"""Over which the fleet's budget counts."""
PER = 1000


def of_fleet(connection: Connection, policy: Policy, now: datetime) -> int | None:
    """How many notices a week the whole fleet may get; None where the policy sets no budget. Small fleets count as 1,000 devices."""
    rate = policy.notices.per_1000_devices_and_week
    return None if rate is None else floor(rate * max(1.0, budgets.fleet_size(connection, now) / PER))


def check(connection: Connection, notice: Notice, now: datetime) -> None:
    """Raise `Conflict`, naming the budget, where a notice that is not on its way would be one more than the household or the fleet may get.

    Reminders, news and what counts already are not asked for; neither are warnings of danger, which the caller knows.
    """
    version = policies.current(connection)
    if version is None or notice.kind not in ASKING or notice.state in SPENT or notices.occasion(connection, notice.id):
        return
    policy, where = parse(version.text), f"notice {notice.id}"
    limit, spent = policy.notices.per_household_and_month, _of_household(connection, notice, now)
    if spent >= limit:
        raise Conflict(
            f"the household's budget is used up: it had {spent} of {limit} notices within 30 days", where=where
        )
    allowed = of_fleet(connection, policy, now)
    if allowed is not None and (left := budgets.of_fleet(connection, now - FLEET_PERIOD)) >= allowed:
        raise Conflict(f"the fleet's budget is used up: {left} of {allowed} notices within a week", where=where)


def _of_household(connection: Connection, notice: Notice, now: datetime) -> int:
    homes, people = ([notice.home_id], []) if notice.home_id else ([], [notice.customer_id])
    counts = budgets.of_households(connection, now - BUDGET_PERIOD, home_ids=homes, customer_ids=people)
    return counts.get(notice.home_id or notice.customer_id, 0)
