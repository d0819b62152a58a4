"""Tickets: what is to be done, by whom, by when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from alerts.tickets import acts as work_orders
from alerts.tickets import conversation, ending
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.commands import ticket_card
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import language_of
from api.pages.reasons import show
from api.pages.tables import table
from api.pages.wording import COLORS, moment, since
from api.security import FIELD, Person
from hearthwatch.records import commands, customers, findings, technicians, tickets
from hearthwatch.records.commands import Command
from hearthwatch.values import CLOSING_CODES, Finding, Ticket

SHOWN = 500
COLUMNS = (
    ("priority", "Priority", "left"),
    ("title", "What", "left"),
    ("device", "Device", "left"),
    ("state", "State", "left"),
    ("technician", "Technician", "left"),
    ("opened", "Opened", "left"),
    ("due", "Due", "left"),
    ("closing", "Closed as", "left"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """All that the page of one ticket shows."""

    ticket: Ticket
    events: list[Any]
    finding: Finding | None
    children: list[Ticket]
    customer: str
    technicians: dict[str, str]
    diagnostics: list[Command]


def row(ticket: Ticket, now: datetime) -> dict[str, Any]:
    """A ticket as a row of a table."""
    late = ticket.due_at is not None and ticket.closed_at is None and ticket.due_at < now
    return {
        "id": ticket.id,
        "priority": ticket.priority,
        "title": ticket.title,
        "title_to": f"/tickets/{ticket.id}",
        "device": ticket.device_id or ticket.model or "–",
        "device_to": f"/devices/{ticket.device_id}" if ticket.device_id else None,
        "state": ticket.state,
        "state_color": COLORS.get(ticket.state),
        "technician": ticket.technician_id or "–",
        "opened": moment(ticket.opened_at),
        "due": moment(ticket.due_at) + (" (late)" if late else ""),
        "closing": (ticket.closing_code or "–").replace("_", " "),
    }


async def tickets_page(visit: Visit) -> None:
    """Open tickets, or all of them."""
    everything = visit.request.query_params.get("show") == "all"
    found = await visit.load(_load, visit.person, everything)
    with ui.row().classes("gap-2"):
        for name, address, chosen in (("open", "/tickets", not everything), ("all", "/tickets?show=all", everything)):
            ui.button(name, on_click=lambda address=address: ui.navigate.to(address)).props(
                "dense no-caps unelevated" if chosen else "dense no-caps outline"
            )
    if not found:
        sentence("No tickets. They open by themselves when the policy is live and a finding asks for work.")
        return
    now = visit.context.clock.now()
    table(COLUMNS, [row(ticket, now) for ticket in found], links=("title", "device"), badges=("state",))


def _load(context: ApiContext, person: Person, everything: bool) -> list[Ticket]:
    mine = person.name if person.role == "technician" else None
    with context.database.reading() as connection:
        return tickets.list_tickets(connection, open_only=not everything, technician_id=mine, limit=SHOWN)


async def ticket_page(visit: Visit) -> None:
    """One ticket: cause, evidence, history, and the next step."""
    case = await visit.load(_load_case, number_in_path(visit.request, "ticket_id"))
    ticket = case.ticket
    with card(ticket.title):
        facts(
            {
                "State": ticket.state + (f" as {ticket.closing_code}".replace("_", " ") if ticket.closing_code else ""),
                "Priority": str(ticket.priority),
                "Device": ticket.device_id or "–",
                "Model": ticket.model or "–",
                "Probable part": ticket.part or "–",
                "Customer": case.customer,
                "Technician": case.technicians.get(ticket.technician_id or "", ticket.technician_id or "nobody yet"),
                "Opened": f"{moment(ticket.opened_at)} UTC ({since(ticket.opened_at, visit.context.clock.now())})",
                "Due": moment(ticket.due_at),
                "Really wrong": " · ".join(filter(None, (ticket.closing_part, ticket.closing_note))) or "–",
            }
        )
        if ticket.device_id:
            ui.link("Show the device", f"/devices/{ticket.device_id}").classes("hw-link")
        if ticket.parent_id:
            ui.link("Show the parent ticket", f"/tickets/{ticket.parent_id}").classes("hw-link")
    if case.finding:
        with card("Evidence"):
            show(case.finding.evidence, language_of(visit.request))
            ui.link("Show the finding", f"/findings/{case.finding.id}").classes("hw-link")
    if case.diagnostics:
        ticket_card(case.diagnostics)
    if case.children:
        with card("Tickets of the same cause"):
            now = visit.context.clock.now()
            table(COLUMNS, [row(child, now) for child in case.children], links=("title", "device"), badges=("state",))
    if ticket.state != "closed" and visit.person.role in FIELD:
        _steps(visit.context, visit.person, case)
    with card("History"):
        for event in case.events:
            detail = ", ".join(
                f"{name} {value}" for name, value in dict(event.detail).items() if value not in (None, "")
            )
            ui.label(f"{moment(event.at)}  {event.what} by {event.actor}{': ' + detail if detail else ''}").classes(
                "text-sm"
            )


def _load_case(context: ApiContext, identifier: int) -> Case:
    with context.database.reading() as connection:
        ticket = tickets.get(connection, identifier)
        customer = customers.get_customer(connection, ticket.customer_id).name if ticket.customer_id else "–"
        return Case(
            ticket=ticket,
            events=list(tickets.events(connection, identifier)),
            finding=findings.get(connection, ticket.finding_id) if ticket.finding_id else None,
            children=list(tickets.list_tickets(connection, parent_id=identifier, limit=SHOWN)),
            customer=customer,
            technicians={one.id: one.name for one in technicians.list_technicians(connection)},
            diagnostics=commands.of_ticket(connection, ticket),
        )


def _steps(context: ApiContext, person: Person, case: Case) -> None:
    with card("Next step"):
        if person.role != "technician":
            _assignment(context, person, case)
        _note(context, person, case.ticket)
        _closing(context, person, case.ticket)


def _assignment(context: ApiContext, person: Person, case: Case) -> None:
    ticket = case.ticket
    with ui.row().classes("items-center gap-2"):
        chosen = (
            ui.select(case.technicians, label="Technician", value=ticket.technician_id)
            .classes("w-56")
            .props("dense outlined")
        )
        visit = ui.input("Visit on", placeholder="2026-05-01 09:00").props("dense outlined")

        async def assign() -> None:
            now = context.clock.now()
            await perform(
                context,
                lambda c: work_orders.assign(c, ticket.id, ticket.revision, str(chosen.value or ""), person.name, now),
                "Assigned",
            )

        async def schedule() -> None:
            at = _time(visit.value or "")
            if at is None:
                ui.notify("Write the time as 2026-05-01 09:00 (UTC)", type="warning")
                return
            now = context.clock.now()
            await perform(
                context,
                lambda c: work_orders.schedule(c, ticket.id, ticket.revision, at, person.name, now),
                "Scheduled",
            )

        ui.button("Assign", on_click=assign).props("no-caps outline")
        ui.button("Schedule", on_click=schedule).props("no-caps outline")


def _note(context: ApiContext, person: Person, ticket: Ticket) -> None:
    with ui.row().classes("items-center gap-2 w-full"):
        text = ui.input("Note").classes("grow").props("dense outlined")

        async def add() -> None:
            now = context.clock.now()
            await perform(
                context,
                lambda c: conversation.note(c, ticket.id, ticket.revision, text.value or "", person.name, now),
                "Noted",
            )

        ui.button("Add note", on_click=add).props("no-caps outline")


def _closing(context: ApiContext, person: Person, ticket: Ticket) -> None:
    with ui.row().classes("items-center gap-2 w-full"):
        codes = {code: code.replace("_", " ") for code in CLOSING_CODES}
        code = (
            ui.select(codes, label="What was really wrong", value="confirmed").classes("w-56").props("dense outlined")
        )
        part = ui.input("Part", value=ticket.part or "").props("dense outlined")
        text = ui.input("Closing note").classes("grow").props("dense outlined")

        async def close() -> None:
            now = context.clock.now()
            await perform(
                context,
                lambda c: ending.close(
                    c,
                    ticket.id,
                    ticket.revision,
                    code=str(code.value),
                    part=part.value or None,
                    note=text.value or "",
                    actor=person.name,
                    now=now,
                ),
                "Closed",
            )

        ui.button("Close ticket", on_click=close).props("no-caps unelevated")


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
