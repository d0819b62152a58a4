"""Service tickets: worked by after-sales staff and technicians."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.tickets import acts as work
from alerts.tickets import conversation, ending
from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.security import Agent, Caller, FieldWorker, TicketReader
from hearthwatch.errors import Denied, Missing
from hearthwatch.records import commands, technicians, tickets
from hearthwatch.records.commands import Command
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Ticket

router = APIRouter(tags=["tickets"])

TicketId = Annotated[int, Path(ge=1, le=2**53)]
State = Literal["open", "assigned", "scheduled", "waiting", "closed"]
Code = Literal[
    "confirmed",
    "no_fault_found",
    "different_fault",
    "fixed_by_update",
    "recovered",
    "customer_declined",
    "not_customers_device",
    "duplicate",
]


class Assignment(BaseModel):
    """Who is to do it."""

    model_config = ConfigDict(extra="forbid")

    technician_id: Annotated[str, Field(min_length=1, max_length=64)]


class Appointment(BaseModel):
    """When the visit is."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime


class TicketNote(BaseModel):
    """What somebody found or agreed."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=conversation.LONGEST_TEXT)]


class Closing(BaseModel):
    """What was really wrong. ``part`` is what was replaced or repaired."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    part: Annotated[str | None, Field(max_length=64)] = None
    note: Annotated[str | None, Field(max_length=conversation.LONGEST_TEXT)] = None


@router.get("/tickets")
def list_tickets(
    context: Context,
    caller: TicketReader,
    paging: Paging,
    state: State | None = None,
    open_only: Annotated[bool, Query(alias="open", description="Only tickets that are not closed.")] = False,
    device: str | None = None,
    technician: str | None = None,
) -> Page[Ticket]:
    """Tickets, newest first. A technician sees those assigned to them."""
    with context.database.reading() as connection:
        mine = _own_id(connection, caller)
        if mine is not None and technician not in {None, mine}:
            raise Denied("a technician sees their own tickets", where="technician")
        return paging.page(
            lambda limit: tickets.list_tickets(
                connection,
                state=state,
                open_only=open_only,
                device_id=device,
                technician_id=mine or technician,
                after=paging.after_id,
                limit=limit,
            ),
            key=lambda ticket: ticket.id,
        )


@router.get("/tickets/{ticket_id}", response_model=Ticket)
def get_ticket(context: Context, caller: TicketReader, ticket_id: TicketId) -> Response:
    """One ticket."""
    with context.database.reading() as connection:
        return tagged(_visible(connection, caller, ticket_id))


@router.get("/tickets/{ticket_id}/events")
def list_events(context: Context, caller: TicketReader, ticket_id: TicketId) -> Page[TicketEvent]:
    """What was done with a ticket, oldest first."""
    with context.database.reading() as connection:
        _visible(connection, caller, ticket_id)
        return Page(items=tickets.events(connection, ticket_id))


@router.get("/tickets/{ticket_id}/commands")
def list_commands(context: Context, caller: TicketReader, ticket_id: TicketId) -> Page[Command]:
    """What its device was asked for it, and the device's diagnostics while it was open; newest first."""
    with context.database.reading() as connection:
        return Page(items=commands.of_ticket(connection, _visible(connection, caller, ticket_id)))


@router.post("/tickets/{ticket_id}/assign", response_model=Ticket)
def assign_ticket(
    context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Assignment
) -> Response:
    """Give a ticket to a technician."""
    return act.do(
        caller,
        "ticket.assign",
        f"ticket:{ticket_id}",
        lambda connection: work.assign(
            connection, ticket_id, if_match, body.technician_id, caller.name, context.clock.now()
        ),
        detail={"technician": body.technician_id},
    )


@router.post("/tickets/{ticket_id}/schedule", response_model=Ticket)
def schedule_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Appointment
) -> Response:
    """Agree when the visit is."""

    def schedule(connection: Connection) -> Ticket:
        _visible(connection, caller, ticket_id)
        return work.schedule(connection, ticket_id, if_match, body.at, caller.name, context.clock.now())

    return act.do(caller, "ticket.schedule", f"ticket:{ticket_id}", schedule)


@router.post("/tickets/{ticket_id}/note", response_model=Ticket)
def note_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: TicketNote
) -> Response:
    """Add a note."""

    def note(connection: Connection) -> Ticket:
        _visible(connection, caller, ticket_id)
        return conversation.note(connection, ticket_id, if_match, body.text, caller.name, context.clock.now())

    return act.do(caller, "ticket.note", f"ticket:{ticket_id}", note)


@router.post("/tickets/{ticket_id}/close", response_model=Ticket)
def close_ticket(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Closing
) -> Response:
    """Close a ticket with what was really wrong; from this, prognosis learns."""

    def close(connection: Connection) -> Ticket:
        _visible(connection, caller, ticket_id)
        return ending.close(
            connection,
            ticket_id,
            if_match,
            code=body.code,
            part=body.part,
            note=body.note,
            actor=caller.name,
            now=context.clock.now(),
        )

    return act.do(caller, "ticket.close", f"ticket:{ticket_id}", close, detail={"code": body.code})


def _visible(connection: Connection, caller: Caller, ticket_id: int) -> Ticket:
    """A ticket that the caller may see: a technician only sees what is assigned, and to them where they are known by name."""
    ticket = tickets.get(connection, ticket_id)
    if caller.role == "technician":
        mine = _own_id(connection, caller)
        if ticket.technician_id is None or mine not in {None, ticket.technician_id}:
            raise Denied("this ticket is not assigned to you", where=f"ticket {ticket_id}")
    return ticket


def _own_id(connection: Connection, caller: Caller) -> str | None:
    """A technician's own id: the name of their account or token. None for other roles, and for a field service's shared token."""
    if caller.role != "technician":
        return None
    name = caller.name.removeprefix("token:")
    try:
        return technicians.get(connection, name).id
    except Missing:
        return None
