"""Remedies on a ticket: what is proposed, what a person chooses, and the customer's agreement to what it costs them.

A remedy that costs the customer something does not begin before they agreed: `alerts.tickets.states` refuses it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.policy.decisions import helps
from alerts.policy.file import parse
from alerts.policy.fixes import Fixes
from alerts.remedies.choice import Known, Option, Proposal, propose
from alerts.remedies.money import told
from alerts.remedies.terms import REMEDIES, RemedyTerms
from alerts.tickets import conversation
from alerts.tickets.ending import withdraw
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import devices, models, policies, ticket_approvals, tickets, warranties
from hearthwatch.records.ticket_approvals import Approval
from hearthwatch.values import Device, Ticket

NEVER = frozenset({"no_update", "safety_hands", "safety_without"})
"""Obstacles that no reason overrides."""


def terms_of(connection: Connection) -> RemedyTerms:
    """The terms of the policy that is in force, else the ones that come with Hearthwatch."""
    version = policies.current(connection)
    return RemedyTerms() if version is None else parse(version.text).remedies


def proposal(connection: Connection, ticket: Ticket, terms: RemedyTerms, now: datetime) -> Proposal:
    """The remedies for a ticket's device as it stands now, ranked, with reasons."""
    device = devices.find(connection, [ticket.device_id]).get(ticket.device_id) if ticket.device_id else None
    warranty = warranties.of_device(connection, ticket.device_id) if ticket.device_id else None
    known_models = models.find(connection, [ticket.model]) if ticket.model else {}
    model = known_models.get(ticket.model or "")
    known = Known(
        part=ticket.part or None,
        mode=ticket.mode,
        covered=warranty.covers(now) if warranty is not None else None,
        safety_class=model.safety_class if model is not None else "none",
        update=_update(connection, ticket, device),
        reachable=ticket.home_id is not None,
    )
    return propose(known, terms)


def choose(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    remedy: str,
    *,
    price: int | None,
    why: str | None,
    actor: str,
    now: datetime,
) -> Ticket:
    """Decide on a remedy. ``price`` is what the customer pays for it in minor units; without one, what terms and warranty say.

    Another remedy or price than proposed needs a reason (``why``, kept as an internal note). What was agreed to holds only for the same
    remedy and price. Raises `Invalid` for an unknown remedy, a missing reason, or no price where nobody knows whether the warranty lasts;
    `Conflict` where it is closed, or safety or the lack of an update forbid it.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if remedy not in REMEDIES:
        raise Invalid(f"there are {', '.join(REMEDIES)}, not {remedy!r}", where="remedy")
    found = proposal(connection, ticket, terms_of(connection), now)
    option = found.of(remedy)
    amount = _price(found, option, price)
    other = found.best is None or found.best.remedy != remedy or amount != option.price
    if other and not (why and why.strip()):
        raise Invalid("say why it is not what is proposed", where="why")
    detail = {
        "remedy": remedy,
        "price": amount,
        "currency": found.currency,
        "covered": found.covered,
        "cost": option.cost,
    }
    if why and why.strip():
        detail["message_id"] = conversation.keep(connection, ticket, "internal", why, actor, now)
    ticket = _note_proposal(connection, ticket, found, actor, now)
    if (ticket.remedy, ticket.remedy_price, ticket.remedy_currency) != (remedy, amount, found.currency):
        ticket = take_back(connection, ticket, "changed", actor, now)
    return record(connection, ticket, "remedy_chosen", actor, now, detail)


def ask_approval(connection: Connection, ticket_id: int, revision: int | None, actor: str, now: datetime) -> Ticket:
    """Ask the customer whether they agree to what the chosen remedy costs them; the ticket waits for that.

    Raises `Conflict` where nothing is to be paid, no customer is known, or it was asked already.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if not ticket.remedy or not ticket.remedy_price or not ticket.remedy_currency:
        raise Conflict("nothing is to be paid: choose a remedy first, or begin", where=f"ticket {ticket_id}")
    if ticket.customer_id is None:
        raise Conflict("no customer is known who could agree", where=f"ticket {ticket_id}")
    if ticket_approvals.asked(connection, ticket_id) is not None:
        raise Conflict("the customer was asked already", where=f"ticket {ticket_id}")
    until = now + timedelta(days=terms_of(connection).approval_days)
    asked = ticket_approvals.ask(
        connection,
        ticket_id,
        remedy=ticket.remedy,
        price=ticket.remedy_price,
        currency=ticket.remedy_currency,
        actor=actor,
        now=now,
        expires_at=until,
    )
    detail = {**_told(asked), "expires_at": until.isoformat()}
    ticket = record(connection, ticket, "approval_asked", actor, now, detail)
    waits = {"for": "approval", "until": until.isoformat(), "approval_id": asked.id}
    return record(connection, ticket, "waiting", actor, now, waits)


def check_price_of_visit(connection: Connection, ticket: Ticket, now: datetime) -> None:
    """Raise `Conflict` where nothing is chosen yet and a visit costs the customer something: the warranty is known to be over."""
    if ticket.remedy is not None or ticket.device_id is None or ticket.kind == "cohort":
        return
    found = proposal(connection, ticket, terms_of(connection), now)
    price = found.of("visit").price
    if found.covered is False and price:
        raise Conflict(
            f"the warranty is over, so a visit costs the customer {told(price, found.currency, 'en')}: choose the remedy first",
            where="remedy",
        )


def expire(connection: Connection, now: datetime) -> int:
    """End the questions that nobody answered in time; their tickets come back to those who work them. Returns how many."""
    over = ticket_approvals.overdue(connection, now)
    for one in over:
        ticket = tickets.get(connection, one.ticket_id)
        ticket_approvals.change(connection, one.id, one.revision, {"state": "expired", "decided_at": now})
        _end_wait(connection, ticket, {**_told(one), "why": "expired"}, "policy", now)
    return len(over)


def _note_proposal(connection: Connection, ticket: Ticket, found: Proposal, actor: str, now: datetime) -> Ticket:
    """Put what was proposed into the ledger: what a person saw when they chose is known later."""
    best = found.best
    if best is None:
        return ticket
    detail = {
        "remedy": best.remedy,
        "cost": best.cost,
        "price": best.price,
        "currency": found.currency,
        "covered": found.covered,
        "why": [reason.code for reason in best.why],
    }
    return record(connection, ticket, "remedy_proposed", actor, now, detail)


def _price(found: Proposal, option: Option, given: int | None) -> int:
    blocked = next((reason for reason in option.why if reason.code in NEVER), None)
    if blocked is not None and not option.possible:
        raise Conflict(f"{option.remedy} is not possible here: {blocked.code.replace('_', ' ')}", where="remedy")
    if given is not None:
        if given < 0:
            raise Invalid("a price is not below nothing", where="price")
        return given
    if found.covered is None and option.price:
        raise Invalid(
            "nobody knows whether the warranty lasts: say what the customer pays, 0 for nothing", where="price"
        )
    return option.price


def take_back(connection: Connection, ticket: Ticket, why: str, actor: str, now: datetime) -> Ticket:
    """What the customer was asked, or agreed to, does not hold any more. ``why`` is a code for the ledger."""
    asked = ticket_approvals.asked(connection, ticket.id)
    withdrawn = withdraw(connection, ticket, now)
    if not withdrawn and ticket.approved_until is None:
        return ticket
    detail = {**(_told(asked) if asked else {}), "why": why}
    return _end_wait(connection, ticket, detail, actor, now)


def _end_wait(connection: Connection, ticket: Ticket, detail: dict[str, object], actor: str, now: datetime) -> Ticket:
    ticket = record(connection, ticket, "approval_over", actor, now, detail)
    if ticket.state == "waiting" and ticket.waiting_for == "approval":
        ticket = record(connection, ticket, "resumed", actor, now, {"approval_id": detail.get("approval_id")})
    return ticket


def _told(one: Approval) -> dict[str, object]:
    return {"approval_id": one.id, "remedy": one.remedy, "price": one.price, "currency": one.currency}


def _update(connection: Connection, ticket: Ticket, device: Device | None) -> str | None:
    """The version that puts this right on the device, where it may be installed now."""
    if device is None or not ticket.mode:
        return None
    fixes = Fixes(connection)
    fix = fixes.find(device.model, ticket.mode)
    return fix.version if fix is not None and helps(fix, device) and fixes.open_to(fix, [device.id]) else None
