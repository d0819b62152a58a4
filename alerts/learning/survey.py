"""Surveys after a case is over: who is asked, what they answer, and what follows a bad answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.notices.issue import Draft, product_name
from alerts.notices.readers import awaiting
from alerts.notices.wording import Subject
from alerts.policy import decisions
from alerts.policy.file import Policy, Rule
from alerts.tickets import conversation
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import customers, notices, surveys, tickets
from hearthwatch.records.surveys import Survey
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Notice, Ticket

RULE = Rule(name="whether it helped", purpose="service")
ASKED_ABOUT = frozenset(
    {"confirmed", "different_fault", "no_fault_found", "user_error", "environment", "fixed_by_update"}
)
"""Closing codes of cases that somebody worked on; about the others there is nothing to ask."""
STALE = timedelta(days=14)
"""A case that was closed longer ago is not asked about any more."""
CONTENT = 3
"""From this score on an answer is not a bad one, where the matter is solved."""
LONGEST_COMMENT = 2000
ASKED = "survey"
NOT_OVER = "overtaken: the case was opened again before its customer was asked about it"
CALLED_WITHIN = timedelta(days=2)


def drafts(connection: Connection, policy: Policy, now: datetime) -> Iterator[Draft]:
    """The surveys that are due: one for each case, and for each customer at most one in ``every_days``."""
    terms = policy.survey
    if not terms.ask:
        return
    until = now - timedelta(days=terms.after_days)
    closed = surveys.closed_between(connection, now - STALE, until, ASKED_ABOUT)
    asked = [one for one in closed if _is_asked_about(one)]
    if not asked:
        return
    since = now - timedelta(days=terms.every_days)
    told = surveys.asked(connection, {one.customer_id for one in asked if one.customer_id}, since)
    for ticket in asked:
        if ticket.customer_id in told:
            continue
        draft = _draft(connection, policy, ticket, now)
        if draft is not None:
            told.add(str(ticket.customer_id))
            yield draft


def overtaken(connection: Connection) -> list[Notice]:
    """Surveys that have not left (quiet hours, a channel that is away) although their case is open again."""
    waiting = [one for one, _ in notices.unsent_of_tickets(connection, ASKED)]
    cases = {
        one.id: one for one in surveys.of_ids(connection, sorted({one.ticket_id for one in waiting if one.ticket_id}))
    }
    return [one for one in waiting if (case := cases.get(one.ticket_id or 0)) is not None and case.state != "closed"]


def _is_asked_about(ticket: Ticket) -> bool:
    return (
        ticket.kind != "cohort"
        and ticket.device_id is not None
        and ticket.customer_id is not None
        and ticket.merged_into is None
        and ticket.closing_code in ASKED_ABOUT
    )


def _draft(connection: Connection, policy: Policy, ticket: Ticket, now: datetime) -> Draft | None:
    """The draft of one survey; None where the device is somebody else's now, or who would be asked never heard of the matter."""
    assert ticket.device_id is not None
    owner = customers.owner_of(connection, ticket.device_id, now)
    if owner is None or owner.customer.id != ticket.customer_id or not _heard(connection, ticket):
        return None
    to = awaiting(connection, owner, ticket.device_id, RULE.purpose)
    plan = decisions.plan_notice(policy, live=True, rule=RULE, to=to, now=now)
    if plan.state != "queued":
        return None
    return Draft(
        notices.cause_of(ticket_id=ticket.id),
        ticket.device_id,
        ASKED,
        _occasion(connection, ticket),
        owner,
        Subject(ASKED, "", product_name(connection, ticket.model), (ticket.device_id,)),
        plan,
        why={"rule": RULE.name, "closed_as": ticket.closing_code},
        finding_id=ticket.finding_id,
        ticket_id=ticket.id,
    )


def _occasion(connection: Connection, ticket: Ticket) -> str:
    """One for each case; another one where the first was taken back before it left."""
    states = notices.states_of_ticket(connection, ticket.id)
    taken_back = sum(name.startswith(ASKED) and state == "cancelled" for name, state in states.items())
    return f"{ASKED}:{taken_back + 1}" if taken_back else ASKED


def _heard(connection: Connection, ticket: Ticket) -> bool:
    return ticket.kind == "request" or surveys.was_told(connection, ticket.id, str(ticket.customer_id))


def answer(
    connection: Connection, ticket: Ticket, *, solved: bool, score: int, comment: str, actor: str, now: datetime
) -> Survey:
    """Keep what a customer says about their case, once. What is not solved is open again; who is not content is called.

    Raises `Invalid` for a score that is none or an endless text, `Conflict` where it was answered before or the case is not over.
    """
    said = comment.strip()
    if not 1 <= score <= 5:
        raise Invalid("a score is 1 to 5", where="score")
    if len(said) > LONGEST_COMMENT:
        raise Invalid(f"a comment has at most {LONGEST_COMMENT} characters", where="comment")
    if ticket.customer_id is None or ticket.state != "closed":
        raise Conflict("this case is not over", where=f"ticket {ticket.id}")
    if surveys.of_ticket(connection, ticket.id) is not None:
        raise Conflict("it was answered before", where=f"ticket {ticket.id}")
    follow_up, number = _follow_up(connection, ticket, solved, score, said, actor, now)
    surveys.add(
        connection,
        ticket.id,
        ticket.customer_id,
        solved=solved,
        score=score,
        comment=said or None,
        follow_up=follow_up,
        follow_up_ticket=number,
        now=now,
    )
    kept = surveys.of_ticket(connection, ticket.id)
    assert kept is not None
    return kept


def _follow_up(
    connection: Connection, ticket: Ticket, solved: bool, score: int, said: str, actor: str, now: datetime
) -> tuple[str | None, int | None]:
    """What a bad answer leads to: the same case again, or a request to call somebody who is not content."""
    if solved and score >= CONTENT:
        return None, None
    if not solved:
        text = said or "It is not solved."
        try:
            conversation.message(connection, ticket.id, text=text, author=actor, now=now, verified=True)
        except Conflict:  # it was closed too long ago to go on with it
            pass
        else:
            return "reopened", conversation.surviving(connection, ticket.id).id
    return "request", _call_back(connection, ticket, said or f"{score} / 5", actor, now).id


def _call_back(connection: Connection, ticket: Ticket, text: str, actor: str, now: datetime) -> Ticket:
    """A request of its own that somebody speaks with the customer."""
    new = NewTicket(
        cause=f"follow_up:{ticket.id}/1",
        kind="request",
        title=f"{ticket.device_id}: speak with the customer about ticket {ticket.id}",
        priority=2,
        due_at=now + CALLED_WITHIN,
        device_id=ticket.device_id,
        customer_id=ticket.customer_id,
        home_id=ticket.home_id,
        model=ticket.model,
        source="page",
    )
    opened, _ = tickets.open_once(
        connection, new, actor=actor, now=now, detail={"source": "page", "survey_of": ticket.id}
    )
    conversation.message(connection, opened.id, text=text, author=actor, now=now, verified=True)
    return opened
