"""Corrects the outcome of a closed ticket: the label, the part, the recall and the letter that followed from it follow the new one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets import conversation, ending, recalls
from alerts.tickets.ledger import at_revision, record
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import outcomes, parts
from hearthwatch.values import CLOSING_CODES, Ticket

NOT_CHOSEN = "duplicate"


def correct(
    connection: Connection,
    ticket_id: int,
    revision: int | None,
    *,
    code: str,
    part: str | None,
    why: str,
    actor: str,
    now: datetime,
    failed_at: datetime | None = None,
) -> Ticket:
    """Say what was really wrong where a ticket was closed with something else; ``why`` is kept as an internal note.

    The ledger holds both outcomes. The old label counts no more from now on and is not deleted; the new one has the time of the closing, or
    ``failed_at``. A part that was noted as new is taken back where it was not replaced after all. Raises `Missing`, `Stale`, `Conflict`
    where it is open, was merged or says so already, `Invalid` as `alerts.tickets.ending.close` does, or without a reason.
    """
    if code not in CLOSING_CODES or code == NOT_CHOSEN:
        named = ", ".join(one for one in CLOSING_CODES if one != NOT_CHOSEN)
        raise Invalid(f"an outcome is {named}, not {code!r}", where="code")
    ticket = at_revision(connection, ticket_id, revision)
    if ticket.state != "closed" or ticket.closed_at is None:
        raise Conflict("it is open: close it with its outcome", where=f"ticket {ticket_id}")
    if code == "different_fault" and not part:
        raise Invalid("say which part it was", where="part")
    ending.check_failed_at(connection, ticket, code, failed_at, ticket.closed_at)
    replaced = ending.replaced_part(ticket, code, part)
    if (code, replaced, failed_at) == (ticket.closing_code, ticket.closing_part, ticket.failed_at):
        raise Conflict(f"it was closed as {code}", where=f"ticket {ticket_id}")
    noted = conversation.keep(connection, ticket, "internal", why, actor, now)
    detail: dict[str, object] = {
        "code": code,
        "part": replaced,
        "was": ticket.closing_code,
        "was_part": ticket.closing_part,
        "message_id": noted,
    }
    if failed_at is not None:
        detail["failed_at"] = failed_at.isoformat()
    _take_back(connection, ticket, actor, now)
    settled = recalls.settle(connection, ticket, code, actor, now)
    if settled:
        detail[recalls.SETTLED] = settled
    corrected = record(connection, ticket, "corrected", actor, now, detail, also={"failed_at": failed_at})
    ending.learn(connection, corrected, ticket.closed_at)
    if code in ending.SETTLING and corrected.kind != "cohort":
        ending.settle_findings(connection, corrected, now)
    return corrected


def _take_back(connection: Connection, ticket: Ticket, actor: str, now: datetime) -> None:
    """What followed from the old outcome: its label, the part that was noted as new, and the end of a recall."""
    for label in outcomes.of_source(connection, ending.source_of_label(ticket)):
        outcomes.supersede(connection, label, now)
    if ticket.device_id is not None and ticket.closing_part is not None:
        parts.take_back(connection, ticket.device_id, ticket.closing_part, ending.source_of_part(ticket))
    recalls.undo(connection, ticket, actor, now)
