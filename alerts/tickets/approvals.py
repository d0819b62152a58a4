"""The customer's answer to what a remedy costs: what they read, in which words, how and when they answered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import get_args

from sqlalchemy import Connection

from alerts.notices.contents import content
from alerts.notices.issue import cost_of, product_name
from alerts.notices.speech import Speaker
from alerts.notices.subjects import Subject
from alerts.remedies.money import told
from alerts.tickets.ledger import record
from hearthwatch.errors import Conflict, Denied, Invalid
from hearthwatch.records import ticket_approvals, tickets
from hearthwatch.records.ticket_approvals import Approval, Via
from hearthwatch.values import Ticket


@dataclass(frozen=True, slots=True)
class Question:
    """What a customer is asked, in their words: the paragraphs of the letter, and the sum alone."""

    approval: Approval
    paragraphs: tuple[str, ...]
    price: str

    @property
    def wording(self) -> str:
        """All of it as one text: what is agreed to."""
        return "\n".join(self.paragraphs)


def question(
    connection: Connection, ticket: Ticket, approval: Approval, language: str, zone: tzinfo, now: datetime
) -> Question:
    """What is asked, in a language there is a catalogue for. The letter says the same: both come from the same sentences."""
    subject = subject_of(connection, ticket, approval, language, now)
    return Question(approval, tuple(content(Speaker(language, zone), subject).paragraphs), price_of(approval, language))


def subject_of(connection: Connection, ticket: Ticket, approval: Approval, language: str, now: datetime) -> Subject:
    """The subject of the notice that asks."""
    device = ticket.device_id or ""
    return Subject(
        "approval",
        ticket.mode or "",
        product_name(connection, ticket.model),
        (device,),
        remedy=approval.remedy,
        part=ticket.part,
        cost=cost_of(connection, device, now, price_of(approval, language)),
        act_by=approval.expires_at,
    )


def open_question(connection: Connection, ticket_id: int, now: datetime) -> Approval | None:
    """The question that a ticket's customer can answer now."""
    asked = ticket_approvals.asked(connection, ticket_id)
    return asked if asked is not None and asked.expires_at > now else None


def answer(
    connection: Connection,
    approval_id: int,
    agreed: bool,
    *,
    customer_id: str | None,
    actor: str,
    via: Via,
    now: datetime,
    link_id: int | None = None,
    language: str | None = None,
    wording: str | None = None,
) -> Approval:
    """Keep a customer's answer with what they read (``wording``), and let the ticket go on.

    ``customer_id`` is who answers by a link; None where staff wrote down what they said on the phone or by letter. Raises `Missing`,
    `Denied` where it was another customer who was asked, `Conflict` where it is answered, over, or no longer what is to be done, `Invalid`
    for a way that is none or a link's answer without the words that were read.
    """
    approval = ticket_approvals.get(connection, approval_id)
    ticket = tickets.get(connection, approval.ticket_id)
    if via not in get_args(Via):
        raise Invalid(f"customers answer by {', '.join(get_args(Via))}", where="via")
    if via == "link" and (wording is None or customer_id is None):
        raise Invalid("what was read belongs to the answer", where="wording")
    if customer_id is not None and ticket.customer_id != customer_id:
        raise Denied("this question is not theirs", where=f"approval {approval_id}")
    _check_open(approval, now)
    changes = {
        "state": "approved" if agreed else "declined",
        "decided_at": now,
        "decided_by": actor[:120],
        "via": via,
        "link_id": link_id,
        "language": language,
        "wording": wording,
        "wording_digest": hashlib.sha256(wording.encode()).hexdigest() if wording is not None else None,
    }
    decided = ticket_approvals.change(connection, approval_id, approval.revision, changes)
    _tell(connection, ticket, decided, agreed, actor, now)
    return decided


def _check_open(approval: Approval, now: datetime) -> None:
    where = f"approval {approval.id}"
    if approval.state != "asked":
        raise Conflict(f"it was {approval.state} already", where=where)
    if approval.expires_at <= now:
        raise Conflict(f"it could be answered until {approval.expires_at:%Y-%m-%d %H:%M} UTC", where=where)


def _tell(connection: Connection, ticket: Ticket, decided: Approval, agreed: bool, actor: str, now: datetime) -> None:
    detail = {
        "approval_id": decided.id,
        "remedy": decided.remedy,
        "price": decided.price,
        "currency": decided.currency,
        "via": decided.via,
        "link_id": decided.link_id,
        "wording": decided.wording_digest,
    }
    if agreed:
        detail["until"] = decided.expires_at.isoformat()
    ticket = record(connection, ticket, "approved" if agreed else "declined", actor, now, detail)
    if ticket.state == "waiting" and ticket.waiting_for == "approval":
        record(connection, ticket, "resumed", actor, now, {"approval_id": decided.id})


def price_of(approval: Approval, language: str) -> str:
    """What is asked for, as readers of a language write it."""
    return told(approval.price, approval.currency, language)
