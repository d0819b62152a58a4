"""How the ticket is going."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers.progress import Progress, Step, progress_of, ticket_about
from api.customer.look import Look, Section, phrase
from hearthwatch.values import Ticket

STATES: Mapping[str, str] = {
    "open": phrase("We know about it and are planning what to do."),
    "assigned": phrase("A technician is taking care of it."),
    "in_progress": phrase("We are working on it."),
    "scheduled": phrase("A visit is arranged."),
    "waiting": phrase("We are waiting for somebody whose help we need."),
    "closed": phrase("This is settled."),
}
WAITING: Mapping[str, str] = {
    "customer": phrase("We are waiting for your answer."),
    "approval": phrase("We are waiting for your answer about the price."),
    "part": phrase("We are waiting for a spare part."),
}
"""By what a case waits for; of everything else, as of a case that waits."""
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
        "state": say(WAITING.get(progress.waiting_for or "", STATES[progress.state])),
        "steps": list(dict.fromkeys(_step(look, step) for step in progress.steps)),  # twice on a day is told once
        "visit": _visit(look, progress),
    }


def _step(look: Look, step: Step) -> str:
    return look.say("{day}: {step}", day=look.say.date(step.at), step=look.say(STEPS[step.what]))


def _ticket(look: Look) -> Ticket | None:
    if look.ticket is not None:
        return look.ticket
    return ticket_about(look.connection, look.notice) if look.notice is not None else None


def _visit(look: Look, progress: Progress) -> str:
    return look.say("Visit: {when}", when=look.say.moment(progress.visit_at)) if progress.visit_at else ""


SECTION = Section("progress", show)
