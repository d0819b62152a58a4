"""Work on service tickets: each act is one request, audited, at a revision if one is given, and done once per idempotency key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.tickets import acts as work
from alerts.tickets import conversation, correcting, ending, merging
from alerts.tickets.states import WaitingFor
from api.acts import Act, Acting
from api.context import Context
from api.revisions import IfMatch
from api.routes.tickets import TicketId, visible
from api.security import Agent, Caller, FieldWorker
from hearthwatch.values import Ticket

router = APIRouter(tags=["tickets"])

Code = Literal[
    "confirmed",
    "no_fault_found",
    "different_fault",
    "user_error",
    "environment",
    "fixed_by_update",
    "recovered",
    "customer_declined",
    "not_customers_device",
    "duplicate",
]
Text = Annotated[str, Field(min_length=1, max_length=conversation.LONGEST_TEXT)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Assignment(_Body):
    """Who is to do it."""

    technician_id: Annotated[str, Field(min_length=1, max_length=64)]


class Appointment(_Body):
    """When the visit is."""

    at: AwareDatetime


class Wait(_Body):
    """For whom, and until when it is looked at again."""

    waiting_for: WaitingFor
    until: AwareDatetime | None = None


class Diagnosis(_Body):
    """Which part it is, which failure mode; null where that is not known."""

    part: Annotated[str | None, Field(max_length=64)] = None
    mode: Annotated[str | None, Field(max_length=64)] = None


class TicketNote(_Body):
    """What colleagues should know. No customer sees it."""

    text: Text


class Reply(_Body):
    """What the customer reads on their page; a notice tells them of it. ``wait_until`` lets the ticket wait for their answer till then."""

    text: Text
    wait_until: AwareDatetime | None = None


class Duplicate(_Body):
    """The ticket that goes into this one."""

    other_id: Annotated[int, Field(ge=1, le=2**53)]


class Reason(_Body):
    """Why."""

    why: Text


class Correction(_Body):
    """What was really wrong with what was closed as something else, and why that is known now."""

    code: Code
    part: Annotated[str | None, Field(max_length=64)] = None
    failed_at: AwareDatetime | None = None
    why: Text


class Closing(_Body):
    """What was really wrong. ``part`` is what was replaced or repaired, ``failed_at`` when it really failed, where somebody knows.

    ``children`` closes the tickets of the same problem too, but for those that somebody is on the way to.
    """

    code: Code
    part: Annotated[str | None, Field(max_length=64)] = None
    note: Annotated[str | None, Field(max_length=conversation.LONGEST_TEXT)] = None
    failed_at: AwareDatetime | None = None
    children: bool = False


def _do(
    context: Context,
    act: Act,
    caller: Caller,
    ticket_id: int,
    action: str,
    does: Callable[[Connection, datetime], Ticket],
    detail: dict[str, Any] | None = None,
) -> Response:
    """One act on a ticket that the caller may see."""

    def work_on(connection: Connection) -> Ticket:
        visible(connection, caller, ticket_id)
        return does(connection, context.clock.now())

    return act.do(caller, f"ticket.{action}", f"ticket:{ticket_id}", work_on, detail=detail)


@router.post("/tickets/{ticket_id}/assign", response_model=Ticket)
def assign_ticket(
    context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Assignment
) -> Response:
    """Give a ticket to a technician."""
    given = body.technician_id
    detail = {"technician": given}
    return _do(context, act, caller, ticket_id, "assign",
               lambda c, now: work.assign(c, ticket_id, if_match, given, caller.name, now), detail)  # fmt: skip


@router.post("/tickets/{ticket_id}/take", response_model=Ticket)
def take_ticket(context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId) -> Response:
    """Take a ticket oneself."""
    return _do(
        context, act, caller, ticket_id, "take", lambda c, now: work.take(c, ticket_id, if_match, caller.name, now)
    )


@router.post("/tickets/{ticket_id}/start", response_model=Ticket)
def start_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId
) -> Response:
    """Begin to work on it; refused while the customer has not agreed to what the chosen remedy costs."""
    return _do(
        context, act, caller, ticket_id, "start", lambda c, now: work.start(c, ticket_id, if_match, caller.name, now)
    )


@router.post("/tickets/{ticket_id}/schedule", response_model=Ticket)
def schedule_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Appointment
) -> Response:
    """Agree when the visit is; refused while the customer has not agreed to what it costs."""
    return _do(context, act, caller, ticket_id, "schedule",
               lambda c, now: work.schedule(c, ticket_id, if_match, body.at, caller.name, now))  # fmt: skip


@router.post("/tickets/{ticket_id}/wait", response_model=Ticket)
def wait_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Wait
) -> Response:
    """Let it wait for the customer, a part, an approval or somebody else."""
    return _do(context, act, caller, ticket_id, "wait",
               lambda c, now: work.wait(c, ticket_id, if_match, body.waiting_for, body.until, caller.name, now),
               {"for": body.waiting_for})  # fmt: skip


@router.post("/tickets/{ticket_id}/resume", response_model=Ticket)
def resume_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId
) -> Response:
    """Go on with it."""
    return _do(context, act, caller, ticket_id, "resume",
               lambda c, now: work.resume(c, ticket_id, if_match, caller.name, now))  # fmt: skip


@router.post("/tickets/{ticket_id}/diagnose", response_model=Ticket)
def diagnose_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Diagnosis
) -> Response:
    """Say which part and failure mode it is."""
    return _do(context, act, caller, ticket_id, "diagnose",
               lambda c, now: work.diagnose(c, ticket_id, if_match, part=body.part, mode=body.mode, actor=caller.name, now=now),
               body.model_dump())  # fmt: skip


@router.post("/tickets/{ticket_id}/note", response_model=Ticket)
def note_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: TicketNote
) -> Response:
    """Add a note for colleagues. No customer sees it."""
    return _do(context, act, caller, ticket_id, "note",
               lambda c, now: conversation.note(c, ticket_id, if_match, body.text, caller.name, now))  # fmt: skip


@router.post("/tickets/{ticket_id}/reply", response_model=Ticket)
def reply_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Reply
) -> Response:
    """Write to the customer: it stands on their page, and a notice tells them of it."""
    return _do(context, act, caller, ticket_id, "reply",
               lambda c, now: conversation.reply(
                   c, ticket_id, if_match, body.text, caller.name, now, wait_until=body.wait_until))  # fmt: skip


@router.post("/tickets/{ticket_id}/merge", response_model=Ticket)
def merge_ticket(
    context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Duplicate
) -> Response:
    """Let another ticket about the same matter go into this one."""
    return _do(context, act, caller, ticket_id, "merge",
               lambda c, now: merging.merge(c, ticket_id, if_match, body.other_id, caller.name, now),
               {"from": body.other_id})  # fmt: skip


@router.post("/tickets/{ticket_id}/close", response_model=Ticket)
def close_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Closing
) -> Response:
    """Close a ticket with what was really wrong; from this, prognosis learns."""

    def close(connection: Connection, now: datetime) -> Ticket:
        return ending.close(
            connection,
            ticket_id,
            if_match,
            code=body.code,
            part=body.part,
            note=body.note,
            actor=caller.name,
            now=now,
            failed_at=body.failed_at,
            children=body.children,
        )

    return _do(context, act, caller, ticket_id, "close", close, {"code": body.code})


@router.post("/tickets/{ticket_id}/correct", response_model=Ticket)
def correct_ticket(
    context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Correction
) -> Response:
    """Say what was really wrong where a ticket was closed with something else; labels and figures follow."""

    def correct(connection: Connection, now: datetime) -> Ticket:
        return correcting.correct(
            connection,
            ticket_id,
            if_match,
            code=body.code,
            part=body.part,
            why=body.why,
            actor=caller.name,
            now=now,
            failed_at=body.failed_at,
        )

    return _do(context, act, caller, ticket_id, "correct", correct, {"code": body.code})


@router.post("/tickets/{ticket_id}/reopen", response_model=Ticket)
def reopen_ticket(
    context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Reason
) -> Response:
    """Go on with a ticket that was closed too early."""
    return _do(context, act, caller, ticket_id, "reopen",
               lambda c, now: ending.reopen(c, ticket_id, if_match, body.why, caller.name, now))  # fmt: skip
