"""How the ticket is going."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers.progress import Progress, progress_of, ticket_about
from api.customer.look import Look, Section, phrase
from hearthwatch.values import Ticket

STATES: Mapping[str, str] = {
    "open": phrase("We know about it and are planning what to do."),
    "assigned": phrase("A technician is taking care of it."),
    "in_progress": phrase("We are working on it."),
    "scheduled": phrase("A visit is arranged."),
    "waiting": phrase("We are waiting for something we need, such as a spare part."),
    "closed": phrase("This is settled."),
}
STEPS: Mapping[str, str] = {
    "opened": phrase("We opened the case"),
    "assigned": phrase("A technician took it over"),
    "started": phrase("We began to work on it"),
    "scheduled": phrase("A visit was arranged"),
    "closed": phrase("The case was settled"),
    "reopened": phrase("The case was opened again"),
    "customer": phrase("We heard from you"),
    "message": phrase("We heard from you"),
}
"""By what the ticket's ledger calls it."""


def show(look: Look) -> Mapping[str, Any] | None:
    """The ticket of the link, or the one about its notice."""
    ticket = _ticket(look)
    if ticket is None:
        return None
    progress = progress_of(look.connection, ticket)
    say = look.say
    return {
        "progress": progress,
        "state": say(STATES[progress.state]),
        "steps": [f"{say.date(step.at)}: {say(STEPS[step.what])}" for step in progress.steps],
        "visit": _visit(look, progress),
    }


def _ticket(look: Look) -> Ticket | None:
    if look.ticket is not None:
        return look.ticket
    return ticket_about(look.connection, look.notice) if look.notice is not None else None


def _visit(look: Look, progress: Progress) -> str:
    return look.say("Visit: {when}", when=look.say.moment(progress.visit_at)) if progress.visit_at else ""


SECTION = Section("progress", show)
