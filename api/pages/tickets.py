"""The list of tickets: what is due first comes first, found by what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, get_args
from urllib.parse import urlencode

from nicegui import ui

from alerts.intake.complaints import COMPLAINTS
from alerts.tickets.states import STATES, WaitingFor
from api.context import ApiContext
from api.pages import ticket_sla
from api.pages.frame import Visit, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import served_table
from api.pages.wording import COLORS, moment
from api.security import Person
from hearthwatch.failure_modes import MODES
from hearthwatch.records import technicians, tickets
from hearthwatch.records.tickets import Sought
from hearthwatch.values import Ticket

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
MINE, NOBODY = "-mine", "-nobody"
DUE = {"late": timedelta(0), "day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from."""

    team: Mapping[str, str]
    models: Sequence[str]
    modes: Sequence[str]
    sources: Sequence[str]


def row(ticket: Ticket, now: datetime, say: Speaker | None = None) -> dict[str, Any]:
    """A ticket as a row of a table."""
    say = say or Speaker("en")
    late = ticket.due_at is not None and ticket.closed_at is None and ticket.due_at < now
    state = say.word(ticket.state) if ticket.waiting_for is None else waits(say, ticket.waiting_for)
    return {
        "id": ticket.id,
        "priority": ticket.priority,
        "title": f"{ticket.id} · {titled(say, ticket)}",
        "title_to": f"/tickets/{ticket.id}",
        "device": ticket.device_id or ticket.model or "–",
        "device_to": f"/devices/{ticket.device_id}" if ticket.device_id else None,
        "state": state,
        "state_color": COLORS.get(ticket.state),
        "technician": ticket.technician_id or "–",
        "opened": moment(ticket.opened_at),
        "due": moment(ticket.due_at) + (say(" (late)") if late else ""),
        "closing": say.word(ticket.closing_code) if ticket.closing_code else "–",
    }


def titled(say: Speaker, ticket: Ticket) -> str:
    """A ticket's title; what the platform titled by itself is said in the page's language."""
    if say.language == "en":
        return ticket.title
    if ticket.kind == "device" and ticket.mode and ticket.source == "policy":
        model = f" ({ticket.model})" if ticket.model else ""
        return f"{ticket.device_id}{model}: {say.word(ticket.mode)}"
    subject, mark, what = ticket.title.partition(": ")
    names = {one.name("en"): one.name(say.language) for one in COMPLAINTS}
    return f"{say.retell(subject)}{mark}{say.word(what) if what in MODES else names.get(what) or say.retell(what)}"


def waits(say: Speaker, whom: str) -> str:
    """For whom a ticket waits."""
    return {
        "customer": say("waits for the customer"),
        "part": say("waits for a part"),
        "approval": say("waits for the customer's approval"),
        "third_party": say("waits for somebody else"),
    }[whom]


async def tickets_page(visit: Visit) -> None:
    """Open tickets, or those that were looked for."""
    say, asked = speaker(visit.request), dict(visit.request.query_params)
    choices = await visit.load(_choices)
    _filters(say, asked, choices, visit.person)
    sought = _sought(asked, visit.person, visit.context.clock.now())
    headings = [
        ("priority", say("Priority"), "left"),
        ("state", say("State"), "left"),
        ("title", say("What"), "left"),
        ("device", say("Device"), "left"),
        ("due", say("Due"), "left"),
        ("sla", say("Service level"), "left"),
        ("technician", say("Technician"), "left"),
    ]
    if not sought.get("open_only"):
        headings.append(("closing", say("Closed as"), "left"))
    fetch = partial(_fetch, visit.context, say, sought)
    made = await served_table(headings, fetch, links=("title", "device"), badges=("state", "sla"))
    if made is not None and not made.rows:
        sentence(
            say(
                "No such tickets. They open by themselves when the policy is live and a finding asks for work, or when people report."
            )
        )


def _fetch(
    context: ApiContext, say: Speaker, sought: Sought, offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    now = context.clock.now()
    with context.database.reading() as connection:
        found = tickets.list_by_due(connection, offset=offset, limit=limit, **sought)
        total = tickets.count(connection, **sought)
    levels = ticket_sla.standing(context, [ticket.id for ticket in found])
    rows = []
    for ticket in found:
        level = ticket_sla.column(say, levels[ticket.id], now)
        rows.append({**row(ticket, now, say), "sla": level.text, "sla_color": level.color})
    return rows, total


def _choices(context: ApiContext) -> Choices:
    with context.database.reading() as connection:
        return Choices(
            {one.id: one.name for one in technicians.list_technicians(connection, active=True, limit=1000)},
            tickets.known(connection, "model"),
            tickets.known(connection, "mode"),
            tickets.known(connection, "source"),
        )


def _sought(asked: Mapping[str, str], person: Person, now: datetime) -> Sought:
    """What the address asks for; what it says wrongly asks for nothing."""
    priority, who, due = asked.get("priority", ""), asked.get("who"), asked.get("due", "")
    mine = person.name if person.role == "technician" or who == MINE else None
    return Sought(
        open_only=asked.get("show") != "all" and asked.get("state") != "closed",
        state=asked.get("state") if asked.get("state") in STATES else None,
        priority=int(priority) if priority in {"1", "2", "3", "4"} else None,
        technician_id=mine or (who if who not in {MINE, NOBODY} else None),
        unassigned=who == NOBODY and mine is None,
        waiting_for=asked.get("waiting_for"),
        due_before=now + DUE[due] if due in DUE else None,
        model=asked.get("model"),
        mode=asked.get("mode"),
        source=asked.get("source"),
        customer_id=asked.get("customer"),
        parent_id=int(asked["parent"]) if asked.get("parent", "").isdecimal() and len(asked["parent"]) < 16 else None,
    )


def _filters(say: Speaker, asked: Mapping[str, str], choices: Choices, person: Person) -> None:
    def go(name: str, value: str | None) -> None:
        wanted = {key: one for key, one in {**asked, name: value}.items() if one}
        ui.navigate.to("/tickets" + (f"?{urlencode(wanted)}" if wanted else ""))

    def choose(name: str, label: str, options: Mapping[str, str]) -> None:
        value = asked.get(name) if asked.get(name) in options else None
        ui.select(dict(options), label=label, value=value, clearable=True).classes("w-[calc(50%-4px)] sm:w-40").props(
            f'dense outlined options-dense aria-label="{label}"'
        ).on_value_change(lambda event: go(name, event.value))

    with ui.row().classes("gap-2 w-full items-center"):
        choose("show", say("Show"), {"open": say("only open ones"), "all": say("closed ones too")})
        choose("state", say("State"), {one: say.word(one) for one in STATES})
        choose("priority", say("Priority"), {str(one): str(one) for one in range(1, 5)})
        if person.role != "technician":
            choose("who", say("Technician"), {MINE: say("mine"), NOBODY: say("nobody's"), **choices.team})
        choose("waiting_for", say("Waits for"), {one: waits(say, one) for one in get_args(WaitingFor)})
        choose("due", say("Due"), {"late": say("late"), "day": say("within a day"), "week": say("within a week")})
        choose("model", say("Device model"), {one: one for one in choices.models})
        choose("mode", say("Failure mode"), {one: say.word(one) for one in choices.modes})
        choose("source", say("Came by"), {one: source(say, one) for one in choices.sources})
        if asked:
            ui.button(say("All open tickets"), on_click=lambda: ui.navigate.to("/tickets")).props(
                "dense no-caps outline"
            )


def source(say: Speaker, name: str) -> str:
    """Where a ticket came from."""
    return {
        "policy": say("the policy"),
        "page": say("the customer's page"),
        "qr": say("the code on the device"),
        "mail": say("mail"),
        "api": say("the API"),
    }.get(name, name)
