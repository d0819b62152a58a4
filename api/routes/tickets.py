"""Service tickets: which there are, what was done with them, and what was written on them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.tickets.states import State, WaitingFor
from api.acts import tagged
from api.context import Context
from api.paging import Asked, Page, Paging
from api.security import Caller, FieldWorker, TicketReader
from hearthwatch.errors import Denied, Invalid, Missing
from hearthwatch.records import commands, technicians, ticket_messages, tickets
from hearthwatch.records.commands import Command
from hearthwatch.records.ticket_messages import TicketMessage
from hearthwatch.records.tickets import Sought, TicketEvent
from hearthwatch.values import Ticket

router = APIRouter(tags=["tickets"])

TicketId = Annotated[int, Path(ge=1, le=2**53)]
Name = Annotated[str | None, Query(max_length=120)]
Order = Literal["newest", "due"]


@router.get("/tickets")
def list_tickets(
    context: Context,
    caller: TicketReader,
    paging: Paging,
    state: State | None = None,
    open_only: Annotated[bool, Query(alias="open", description="Only tickets that are not closed.")] = False,
    device: Name = None,
    technician: Name = None,
    unassigned: Annotated[bool, Query(description="Only tickets that nobody has.")] = False,
    customer: Name = None,
    kind: Name = None,
    parent: Annotated[int | None, Query(ge=1, le=2**53, description="Tickets of this problem.")] = None,
    priority: Annotated[int | None, Query(ge=1, le=4)] = None,
    waiting_for: WaitingFor | None = None,
    due_before: AwareDatetime | None = None,
    model: Name = None,
    mode: Annotated[str | None, Query(max_length=64, description="Failure mode.")] = None,
    source: Name = None,
    order: Annotated[Order, Query(description="`due`: what is due first comes first.")] = "newest",
) -> Page[Ticket]:
    """Tickets, newest first or by when they are due. A technician sees those assigned to them."""
    with context.database.reading() as connection:
        mine = own_id(connection, caller)
        if mine is not None and technician not in {None, mine}:
            raise Denied("a technician sees their own tickets", where="technician")
        sought = Sought(
            state=state,
            open_only=open_only,
            device_id=device,
            technician_id=mine or technician,
            unassigned=unassigned,
            customer_id=customer,
            kind=kind,
            parent_id=parent,
            priority=priority,
            waiting_for=waiting_for,
            due_before=due_before,
            model=model,
            mode=mode,
            source=source,
        )
        return _page(connection, paging, order, sought)


def _page(connection: Connection, paging: Asked, order: Order, sought: Sought) -> Page[Ticket]:
    if order == "newest":
        return paging.page(
            lambda limit: tickets.list_tickets(connection, after=paging.after_id, limit=limit, **sought),
            key=lambda ticket: ticket.id,
        )
    return paging.page(
        lambda limit: tickets.list_by_due(connection, after=_after_due(paging), limit=limit, **sought),
        key=lambda ticket: f"{tickets.due_key(ticket)[0].isoformat()} {ticket.id}",
    )


def _after_due(paging: Asked) -> tuple[datetime, int] | None:
    if paging.after is None:
        return None
    due, _, number = paging.after.partition(" ")
    try:
        at, id_ = datetime.fromisoformat(due), int(number)
    except ValueError:
        raise Invalid("not a cursor of this list", where="cursor") from None
    if at.tzinfo is None or not 0 <= id_ <= 2**53:
        raise Invalid("not a cursor of this list", where="cursor")
    return at, id_


@router.get("/tickets/{ticket_id}", response_model=Ticket)
def get_ticket(context: Context, caller: TicketReader, ticket_id: TicketId) -> Response:
    """One ticket."""
    with context.database.reading() as connection:
        return tagged(visible(connection, caller, ticket_id))


@router.get("/tickets/{ticket_id}/events")
def list_events(context: Context, caller: TicketReader, ticket_id: TicketId) -> Page[TicketEvent]:
    """What was done with a ticket, oldest first. Texts are named by `message_id`; they stand under `messages`."""
    with context.database.reading() as connection:
        visible(connection, caller, ticket_id)
        return Page(items=tickets.events(connection, ticket_id))


@router.get("/tickets/{ticket_id}/messages")
def list_messages(context: Context, caller: FieldWorker, ticket_id: TicketId) -> Page[TicketMessage]:
    """What was written on a ticket, oldest first.

    `in` and `out` went between customer and staff, `internal` among staff alone; `unverified` came from somebody who may be anybody.
    """
    with context.database.reading() as connection:
        visible(connection, caller, ticket_id)
        return Page(items=ticket_messages.of_ticket(connection, ticket_id))


@router.get("/tickets/{ticket_id}/commands")
def list_commands(context: Context, caller: TicketReader, ticket_id: TicketId) -> Page[Command]:
    """What its device was asked for it, and the device's diagnostics while it was open; newest first."""
    with context.database.reading() as connection:
        return Page(items=commands.of_ticket(connection, visible(connection, caller, ticket_id)))


def visible(connection: Connection, caller: Caller, ticket_id: int) -> Ticket:
    """A ticket that the caller may see: a technician only sees what is assigned, and to them where they are known by name."""
    ticket = tickets.get(connection, ticket_id)
    if caller.role == "technician":
        mine = own_id(connection, caller)
        if ticket.technician_id is None or mine not in {None, ticket.technician_id}:
            raise Denied("this ticket is not assigned to you", where=f"ticket {ticket_id}")
    return ticket


def own_id(connection: Connection, caller: Caller) -> str | None:
    """A technician's own id: the name of their account or token. None for other roles, and for a field service's shared token."""
    if caller.role != "technician":
        return None
    name = caller.name.removeprefix("token:")
    try:
        return technicians.get(connection, name).id
    except Missing:
        return None
