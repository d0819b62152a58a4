"""What time brings: tickets that are over close by themselves, customers hear how theirs goes on, and are reminded if they asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts import ticket_news
from alerts.learning import survey
from alerts.notices import all_clears, issue, reminders, withdrawing
from alerts.notices.issue import Draft, Mail
from alerts.policy.file import Policy, parse
from alerts.tickets import closing, ending, repairs
from alerts.tickets.ledger import record
from hearthwatch.records import customer_links, notices, ticket_approvals, tickets
from hearthwatch.records.policies import PolicyVersion

POLICY = "policy"
RECOVERED = "the finding has recovered"
NONCES_KEPT = timedelta(days=2)


def look(connection: Connection, version: PolicyVersion, now: datetime) -> bool:
    """Whether there is anything to do."""
    policy, live = parse(version.text), version.mode == "live"
    if notices.overtaken(connection) or ticket_news.overtaken(connection) or survey.overtaken(connection):
        return True
    if ticket_approvals.overdue(connection, now):
        return True
    if tickets.waited_enough(connection, now) or closing.endings(connection, policy, now) != closing.Endings():
        return True
    return live and any(True for _ in _drafts(connection, policy, now))


def carry_out(connection: Connection, version: PolicyVersion, mail: Mail, now: datetime) -> Counter[str]:
    """Do it. Returns counts: cancelled, approvals_over, resumed, closed, recovered, and the notices written by their state."""
    policy, live = parse(version.text), version.mode == "live"
    done: Counter[str] = Counter()
    for notice in notices.overtaken(connection):
        done["cancelled"] += withdrawing.take_back(connection, notice, RECOVERED, POLICY, now)
    for notice, why in ticket_news.overtaken(connection):
        done["cancelled"] += withdrawing.take_back(connection, notice, why, POLICY, now)
    for notice in survey.overtaken(connection):
        done["cancelled"] += withdrawing.take_back(connection, notice, survey.NOT_OVER, POLICY, now)
    done["approvals_over"] = repairs.expire(connection, now)
    for ticket in tickets.waited_enough(connection, now):
        record(connection, ticket, "resumed", POLICY, now, {"why": "until"})
        done["resumed"] += 1
    ends = closing.endings(connection, policy, now)
    for over in ends.over:
        ticket = tickets.get(connection, over.ticket.id)
        ending.close(connection, ticket.id, None, code=over.code, part=None, note=over.why, actor=POLICY, now=now)
        done["closed"] += 1
    for ticket in ends.recovered:
        record(connection, ticket, "recovered", POLICY, now)
        done["recovered"] += 1
    if live:
        for draft in _drafts(connection, policy, now):
            written = issue.issue(connection, draft, policy, mail, policy_version=version.version, now=now)
            if written is not None:
                done[written.state] += 1
    customer_links.forget_nonces(connection, now - NONCES_KEPT)
    return done


def _drafts(connection: Connection, policy: Policy, now: datetime) -> Iterator[Draft]:
    """All notices that follow from tickets, from what customers asked for, and from faults that are over.

    Each lot is looked for when the one before has been written: the end of a ticket is the all-clear as well.
    """
    yield from ticket_news.drafts(connection, policy, now)
    yield from reminders.drafts(connection, policy, now)
    yield from all_clears.drafts(connection, policy, now)
    yield from survey.drafts(connection, policy, now)
