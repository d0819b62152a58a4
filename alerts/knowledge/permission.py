"""Remote diagnosis: a device is asked about itself for a ticket, where its customer has said that this may be.

Who consented to the purpose service has said so already. Who did not is asked on the page of their ticket, and what they answer there
holds for this ticket alone, as long as it is open.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts import commands
from alerts.notices.catalogue import choose, translations
from alerts.tickets import conversation
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Denied, HearthwatchError
from hearthwatch.records import customers, devices, tickets
from hearthwatch.records.commands import Command
from hearthwatch.values import Ticket
from hearthwatch.wire.commands.requests import DIAGNOSTICS

QUESTION = (
    "To find the cause without a visit we would like to ask your device how it is: its signal, voltage, memory and the like; nothing it "
    "hears, sees or records. You can allow it, for this case alone, with a button on this page."
)
ASKED, ALLOWED, REFUSED = "diagnosis_asked", commands.DIAGNOSIS_ALLOWED, "diagnosis_refused"
"""Wishes in the ledger of a ticket."""


def standing(connection: Connection, ticket: Ticket) -> str | None:
    """The last word about asking the device for a ticket: asked, allowed, refused, or None."""
    words = [event.detail.get("wish") for event in tickets.events(connection, ticket.id)]
    return next((word for word in reversed(words) if word in {ASKED, ALLOWED, REFUSED}), None)


def is_needed(connection: Connection, ticket: Ticket, now: datetime) -> bool:
    """Whether the device may be asked about itself only when its customer allows it."""
    if ticket.device_id is None or ticket.state == "closed":
        return False
    try:
        commands.consent_for(connection, devices.get(connection, ticket.device_id), DIAGNOSTICS, now)
    except Denied:
        return True
    except HearthwatchError:
        return False
    return False


def ask_permission(connection: Connection, ticket_id: int, revision: int | None, actor: str, now: datetime) -> Ticket:
    """Ask the customer whether their device may be asked; it is an answer on their page, so a notice tells them.

    Raises `Conflict` where nobody has to be asked, or nobody can be.
    """
    ticket = at_revision(connection, ticket_id, revision)
    if ticket.device_id is None or ticket.state == "closed":
        raise Conflict("there is no device to ask about it now", where=f"ticket {ticket_id}")
    if not is_needed(connection, ticket, now):
        raise Conflict("it may be asked already: its customer has agreed, or it has none", where=f"ticket {ticket_id}")
    owner = customers.owner_of(connection, ticket.device_id, now)
    language = choose(owner.customer.language if owner else "en")
    replied = conversation.reply(connection, ticket_id, None, translations(language).gettext(QUESTION), actor, now)
    return record(connection, replied, "customer", actor, now, {"wish": ASKED})


def answer(connection: Connection, ticket: Ticket, actor: str, now: datetime, *, allowed: bool) -> Command | None:
    """The customer says whether it may be asked; where it may, it is asked at once. Returns the question, where one could be put."""
    recorded = record(connection, ticket, "customer", actor, now, {"wish": ALLOWED if allowed else REFUSED})
    if not allowed or recorded.device_id is None:
        return None
    why = f"the customer allowed it for ticket {ticket.id}"
    try:
        return commands.ask(
            connection, recorded.device_id, DIAGNOSTICS, why=why, actor=actor, now=now, ticket_id=ticket.id
        )
    except HearthwatchError:  # a device that can not be asked now is asked by hand later; the permission stands
        return None
