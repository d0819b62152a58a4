"""One ticket: what it is about, how it stands, what was said, what can be done about it, and all that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from babel import Locale, UnknownLocaleError
from nicegui import ui
from sqlalchemy import Connection

from api.context import ApiContext
from api.pages import tickets as list_page
from api.pages.commands import ticket_card
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts
from api.pages.language import Speaker, speaker
from api.pages.reasons import show
from api.pages.tables import table
from api.pages.ticket_conversation import conversation_card
from api.pages.ticket_history import history_card
from api.pages.ticket_intake import intake_cards
from api.pages.ticket_knowledge import knowledge_card
from api.pages.ticket_mirror import mirror_card
from api.pages.ticket_remedy import remedy_card
from api.pages.ticket_sla import sla_card
from api.pages.ticket_steps import steps_card
from api.pages.wording import COLORS, day, mode, moment
from api.routes.tickets import visible
from api.security import FIELD, Person
from hearthwatch.errors import Missing
from hearthwatch.records import commands, customers, devices, findings, technicians, tickets, warranties
from hearthwatch.records.commands import Command
from hearthwatch.records.customers import Customer
from hearthwatch.records.warranties import Warranty
from hearthwatch.values import Device, Finding, Ticket

SHOWN = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """What the page's own cards show."""

    ticket: Ticket
    device: Device | None
    warranty: Warranty | None
    customer: Customer | None
    technician: str | None
    finding: Finding | None
    open_findings: list[Finding]
    children: list[Ticket]
    diagnostics: list[Command]
    home: str | None


async def ticket_page(visit: Visit) -> None:
    """All of a ticket."""
    say = speaker(visit.request)
    case = await visit.load(_load, visit.person, number_in_path(visit.request, "ticket_id"))
    ticket, now = case.ticket, visit.context.clock.now()
    _facts_card(say, case, now)
    steps_card(visit, say, ticket, len([one for one in case.children if one.state != "closed"]))
    with ui.element("div").classes("grid grid-cols-1 lg:grid-cols-2 gap-4 w-full items-start"):
        with ui.column().classes("gap-4 min-w-0 w-full"):
            await conversation_card(visit, say, ticket)
            await intake_cards(visit, ticket)
            _evidence_card(say, case)
            if case.diagnostics:
                ticket_card(say, case.diagnostics)
        with ui.column().classes("gap-4 min-w-0 w-full"):
            await sla_card(visit, ticket.id)
            await remedy_card(visit, say, ticket)
            await knowledge_card(visit, ticket)
            await mirror_card(visit, ticket.id)
    _children_card(say, case, now)
    await history_card(visit, say, ticket)


def _load(context: ApiContext, person: Person, identifier: int) -> Case:
    with context.database.reading() as connection:
        ticket = visible(connection, person, identifier)
        device = devices.find(connection, [ticket.device_id]).get(ticket.device_id) if ticket.device_id else None
        owner = customers.owner_of(connection, ticket.device_id, context.clock.now()) if ticket.device_id else None
        home = owner.home if owner is not None else None
        return Case(
            ticket=ticket,
            device=device,
            warranty=warranties.of_device(connection, ticket.device_id) if ticket.device_id else None,
            customer=_customer_of(connection, ticket, person),
            technician=_or_none(lambda: technicians.get(connection, ticket.technician_id or "").name),
            finding=findings.get(connection, ticket.finding_id) if ticket.finding_id else None,
            open_findings=findings.list_findings(
                connection, subject=ticket.device_id or "", states=("open", "acknowledged"), limit=SHOWN
            ),
            children=tickets.list_tickets(connection, parent_id=identifier, limit=SHOWN),
            diagnostics=commands.of_ticket(connection, ticket),
            home=", ".join(filter(None, (home.region, home.timezone))) if home is not None else None,
        )


def _customer_of(connection: Connection, ticket: Ticket, person: Person) -> Customer | None:
    """Whose it is, for those who may know people by their names."""
    if ticket.customer_id is None or person.role not in FIELD:
        return None
    return _or_none(lambda: customers.get_customer(connection, ticket.customer_id or ""))


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Missing:
        return None


def _facts_card(say: Speaker, case: Case, now: datetime) -> None:
    ticket, device = case.ticket, case.device
    with card():
        with ui.row().classes("items-center gap-3 w-full"):
            ui.label(f"{ticket.id} · {list_page.titled(say, ticket)}").classes(
                "text-base font-semibold break-words min-w-0"
            ).props("role=heading aria-level=2")
            ui.badge(_state(say, ticket), color=COLORS.get(ticket.state, "grey-7")).classes("text-sm")
        pairs = {
            say("Priority"): str(ticket.priority),
            say("Device"): ticket.device_id or "–",
            say("Device model"): ticket.model or "–",
            say("Firmware"): (device.firmware if device else None) or "–",
            say("Serial number"): (device.serial if device else None) or "–",
            say("Warranty"): _warranty(say, case, now),
            say("Probable part"): say.word(ticket.part) if ticket.part else "–",
            say("Failure mode"): say.word(ticket.mode) if ticket.mode else "–",
            say("Customer"): _customer(say, case),
            say("Technician"): case.technician or ticket.technician_id or say("nobody yet"),
            say("Came by"): list_page.source(say, ticket.source),
            say("Opened"): f"{moment(ticket.opened_at)} UTC",
            say("Due"): f"{moment(ticket.due_at)} UTC" if ticket.due_at else "–",
        }
        if ticket.visit_at is not None:
            pairs[say("Visit on")] = f"{moment(ticket.visit_at)} UTC"
        if ticket.waiting_until is not None:
            pairs[say("Waits until")] = f"{moment(ticket.waiting_until)} UTC"
        if ticket.state == "closed":
            part = say.word(ticket.closing_part) if ticket.closing_part else None
            said = " · ".join(filter(None, (part, ticket.closing_note)))
            pairs[say("Really wrong")] = said or "–"
            if ticket.failed_at is not None:
                pairs[say("Failed on")] = f"{moment(ticket.failed_at)} UTC"
        facts(pairs)
        with ui.row().classes("gap-4"):
            for text, address in _links(say, ticket):
                ui.link(text, address).classes("hw-link")


def _state(say: Speaker, ticket: Ticket) -> str:
    if ticket.waiting_for is not None:
        return list_page.waits(say, ticket.waiting_for)
    return say.word(ticket.state) + (f": {say.word(ticket.closing_code)}" if ticket.closing_code else "")


def _links(say: Speaker, ticket: Ticket) -> list[tuple[str, str]]:
    found = []
    if ticket.device_id:
        found.append((say("Show the device"), f"/devices/{ticket.device_id}"))
    if ticket.customer_id:
        found.append((say("All tickets of this customer"), f"/tickets?show=all&customer={ticket.customer_id}"))
    if ticket.parent_id:
        found.append((say("Show the problem it belongs to"), f"/tickets/{ticket.parent_id}"))
    if ticket.merged_into:
        found.append(
            (say("It goes on as ticket {number}", number=ticket.merged_into), f"/tickets/{ticket.merged_into}")
        )
    return found


def _warranty(say: Speaker, case: Case, now: datetime) -> str:
    if case.warranty is None or case.warranty.until is None:
        return say("not known")
    if case.warranty.covers(now):
        return say("lasts until {day}", day=day(case.warranty.until))
    return say("ended on {day}", day=day(case.warranty.until))


def _customer(say: Speaker, case: Case) -> str:
    if case.customer is None:
        return case.ticket.customer_id or "–"
    told = filter(None, (case.customer.name, _language(say, case.customer.language), case.home))
    return " · ".join(told)


def _language(say: Speaker, tag: str) -> str:
    """A language by its name in the language of the page."""
    try:
        return Locale.parse(tag.replace("-", "_")).get_display_name(say.language) or tag
    except (ValueError, UnknownLocaleError):
        return tag


def _evidence_card(say: Speaker, case: Case) -> None:
    if case.finding is None and not case.open_findings:
        return
    with card(say("Evidence")):
        if case.finding is not None:
            show(say, case.finding.evidence)
            ui.link(say("Show the finding"), f"/findings/{case.finding.id}").classes("hw-link")
        others = [one for one in case.open_findings if case.finding is None or one.id != case.finding.id]
        for one in others:
            with ui.row().classes("items-center gap-2"):
                ui.badge(say.word(one.severity), color=COLORS.get(one.severity, "grey-7"))
                ui.link(say.word(one.mode), f"/findings/{one.id}").classes("hw-link").tooltip(say(mode(one.mode)))


def _children_card(say: Speaker, case: Case, now: datetime) -> None:
    if not case.children:
        return
    still = sum(one.state != "closed" for one in case.children)
    note = say("{open} of {all} are open.", open=still, all=len(case.children))
    with card(say("Tickets of this problem"), note):
        headings = (
            ("title", say("What"), "left"),
            ("device", say("Device"), "left"),
            ("state", say("State"), "left"),
            ("technician", say("Technician"), "left"),
            ("closing", say("Closed as"), "left"),
        )
        rows = [list_page.row(child, now, say) for child in case.children]
        table(headings, rows, links=("title", "device"), badges=("state",))
