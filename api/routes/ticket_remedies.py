"""Remedies of service tickets, and customers' agreement to what they cost. Sums are whole numbers of the currency's smallest unit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.remedies.choice import Option
from alerts.remedies.terms import RemedyName
from alerts.remedies.words import sentence
from alerts.tickets import approvals, conversation, repairs
from api.acts import Acting
from api.context import Context
from api.paging import Page
from api.revisions import IfMatch
from api.routes.tickets import TicketId, visible
from api.security import Agent, FieldWorker, TicketReader
from hearthwatch.errors import Missing
from hearthwatch.records import ticket_approvals
from hearthwatch.records.ticket_approvals import Approval
from hearthwatch.values import Ticket

router = APIRouter(tags=["tickets"])

Sum = Annotated[int, Field(ge=0, le=10**12, strict=True)]


class ToldOption(BaseModel):
    """A remedy for this ticket. ``cost`` is ours, ``price`` the customer's; ``expected`` counts what follows where it is not enough."""

    remedy: RemedyName
    possible: bool
    cost: int
    price: int
    expected: int
    why: list[str]
    codes: list[str]


class Remedies(BaseModel):
    """What can be done, the best first; ``proposed`` is null where nothing can. ``covered``: whether the warranty lasts, null: unknown."""

    proposed: RemedyName | None
    covered: bool | None
    currency: str
    options: list[ToldOption]


class Choice(BaseModel):
    """What is to be done. ``price`` is what the customer pays; without one, what terms and warranty say. Another remedy or price than
    proposed needs ``why``."""

    model_config = ConfigDict(extra="forbid")

    remedy: RemedyName
    price: Sum | None = None
    why: Annotated[str | None, Field(max_length=conversation.LONGEST_TEXT)] = None


class Answer(BaseModel):
    """What a customer said on the phone or wrote in a letter."""

    model_config = ConfigDict(extra="forbid")

    agreed: bool
    via: Literal["phone", "letter"]


@router.get("/tickets/{ticket_id}/remedies")
def list_remedies(context: Context, caller: TicketReader, ticket_id: TicketId) -> Remedies:
    """What can be done about it, what that costs, and why."""
    with context.database.reading() as connection:
        ticket = visible(connection, caller, ticket_id)
        found = repairs.proposal(connection, ticket, repairs.terms_of(connection), context.clock.now())
    return Remedies(
        proposed=found.best.remedy if found.best else None,
        covered=found.covered,
        currency=found.currency,
        options=[_told(one, found.currency) for one in found.options],
    )


def _told(one: Option, currency: str) -> ToldOption:
    return ToldOption(
        remedy=one.remedy,
        possible=one.possible,
        cost=one.cost,
        price=one.price,
        expected=one.expected,
        why=[sentence(reason, currency) for reason in one.why],
        codes=[reason.code for reason in one.why],
    )


@router.post("/tickets/{ticket_id}/remedy", response_model=Ticket)
def choose_remedy(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId, body: Choice
) -> Response:
    """Decide what is done, and what the customer pays for it."""

    def choose(connection: Connection) -> Ticket:
        visible(connection, caller, ticket_id)
        return repairs.choose(
            connection,
            ticket_id,
            if_match,
            body.remedy,
            price=body.price,
            why=body.why,
            actor=caller.name,
            now=context.clock.now(),
        )

    detail = {"remedy": body.remedy, "price": body.price}
    return act.do(caller, "ticket.remedy", f"ticket:{ticket_id}", choose, detail=detail)


@router.get("/tickets/{ticket_id}/approvals")
def list_approvals(context: Context, caller: TicketReader, ticket_id: TicketId) -> Page[Approval]:
    """What the customer was asked about prices and what they answered, newest first."""
    with context.database.reading() as connection:
        visible(connection, caller, ticket_id)
        return Page(items=ticket_approvals.of_ticket(connection, ticket_id))


@router.post("/tickets/{ticket_id}/approvals", response_model=Ticket)
def ask_approval(
    context: Context, caller: FieldWorker, act: Acting, if_match: IfMatch, ticket_id: TicketId
) -> Response:
    """Ask the customer whether they agree to the price; the ticket waits for that."""

    def ask(connection: Connection) -> Ticket:
        visible(connection, caller, ticket_id)
        return repairs.ask_approval(connection, ticket_id, if_match, caller.name, context.clock.now())

    return act.do(caller, "ticket.ask_approval", f"ticket:{ticket_id}", ask)


@router.post("/tickets/{ticket_id}/approvals/{approval_id}/answer", response_model=Approval)
def answer_approval(
    context: Context,
    caller: Agent,
    act: Acting,
    ticket_id: TicketId,
    approval_id: Annotated[int, Path(ge=1, le=2**53)],
    body: Answer,
) -> Response:
    """Write down what the customer said on the phone or in a letter. By their link they answer themselves."""

    def answer(connection: Connection) -> Approval:
        if ticket_approvals.get(connection, approval_id).ticket_id != ticket_id:
            raise Missing("no such approval", where=f"approval {approval_id}")
        now: datetime = context.clock.now()
        return approvals.answer(
            connection, approval_id, body.agreed, customer_id=None, actor=caller.name, via=body.via, now=now
        )

    detail = {"approval": approval_id, "agreed": body.agreed, "via": body.via}
    return act.do(caller, "ticket.answer_approval", f"ticket:{ticket_id}", answer, detail=detail)
