"""What a person can do next with a ticket: only what its state allows is offered."""

from __future__ import annotations

from typing import get_args

from nicegui import ui

from alerts.tickets import acts, correcting, ending, states
from alerts.tickets.states import WaitingFor
from api.context import ApiContext
from api.pages.frame import Visit, card
from api.pages.language import Speaker
from api.pages.ticket_acts import act, time_in
from api.pages.tickets import waits
from api.security import FIELD
from hearthwatch.failure_modes import MODES
from hearthwatch.records import technicians
from hearthwatch.values import CLOSING_CODES, Ticket

PANEL = "w-full hw-panel"
FIELDS = "items-center gap-2 w-full"


def steps_card(visit: Visit, say: Speaker, ticket: Ticket, open_children: int) -> None:
    """The acts; nothing for who only reads tickets."""
    if visit.person.role not in FIELD:
        return
    may, leads = states.allowed(states.of(ticket), "staff"), visit.person.role != "technician"
    if ticket.state == "closed":
        if leads and ticket.merged_into is None:
            with card(say("Next step")):
                _reopen(visit, say, ticket)
                _correct(visit, say, ticket)
        return
    with card(say("Next step")):
        with ui.row().classes("gap-2 items-center"):
            if leads and ticket.technician_id != visit.person.name:
                _button(visit, ticket, "take", say("Take it"), say("It is yours"))
            if "started" in may or ticket.state == "waiting":
                _button(visit, ticket, "start", say("Begin work"), say("Work has begun"))
            if "resumed" in may:
                _button(visit, ticket, "resume", say("Go on"), say("It goes on"))
        if leads:
            _assign(visit, say, ticket)
        _schedule(visit, say, ticket)
        _wait(visit, say, ticket)
        _diagnose(visit, say, ticket)
        _close(visit, say, ticket, open_children)


def _button(visit: Visit, ticket: Ticket, what: str, label: str, done: str) -> None:
    work = {"take": acts.take, "start": acts.start, "resume": acts.resume}[what]

    async def press() -> None:
        await act(visit, ticket, what, lambda c, now: work(c, ticket.id, ticket.revision, visit.person.name, now), done)

    ui.button(label, on_click=press).props("no-caps unelevated" if what == "start" else "no-caps outline")


def _assign(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.expansion(say("Assign"), icon="person").classes(PANEL), ui.row().classes(FIELDS):
        chosen = ui.select(_team(visit.context), label=say("Technician")).classes("w-64 grow").props("dense outlined")

        async def assign() -> None:
            who = str(chosen.value or "")
            await act(
                visit,
                ticket,
                "assign",
                lambda c, now: acts.assign(c, ticket.id, ticket.revision, who, visit.person.name, now),
                say("Assigned"),
                {"technician": who},
            )

        ui.button(say("Assign"), on_click=assign).props("no-caps outline")


def _team(context: ApiContext) -> dict[str, str]:
    with context.database.reading() as connection:
        return {one.id: one.name for one in technicians.list_technicians(connection, active=True, limit=1000)}


def _schedule(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.expansion(say("Agree a visit"), icon="event").classes(PANEL), ui.row().classes(FIELDS):
        on = _moment_input(say("Visit on (UTC)"))

        async def schedule() -> None:
            at = time_in(on.value)
            if at is None:
                ui.notify(say("Write the time as 2026-05-01 09:00 (UTC)"), type="warning")
                return
            await act(
                visit,
                ticket,
                "schedule",
                lambda c, now: acts.schedule(c, ticket.id, ticket.revision, at, visit.person.name, now),
                say("The visit is agreed"),
            )

        ui.button(say("Agree the visit"), on_click=schedule).props("no-caps outline")


def _moment_input(label: str) -> ui.input:
    return ui.input(label).classes("w-56").props("dense outlined type=datetime-local stack-label")


def _wait(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.expansion(say("Let it wait"), icon="hourglass_empty").classes(PANEL), ui.row().classes(FIELDS):
        options = {one: waits(say, one) for one in get_args(WaitingFor) if one != "approval"}
        whom = ui.select(options, label=say("Waits for"), value="customer").classes("w-56").props("dense outlined")
        until = _moment_input(say("Until (UTC)"))

        async def wait() -> None:
            end = time_in(until.value)
            if until.value and end is None:
                ui.notify(say("Write the time as 2026-05-01 09:00 (UTC)"), type="warning")
                return
            await act(
                visit,
                ticket,
                "wait",
                lambda c, now: acts.wait(c, ticket.id, ticket.revision, str(whom.value), end, visit.person.name, now),
                say("It waits"),
                {"for": whom.value},
            )

        ui.button(say("Let it wait"), on_click=wait).props("no-caps outline")


def _diagnose(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.expansion(say("Say what it is"), icon="troubleshoot").classes(PANEL), ui.row().classes(FIELDS):
        part = ui.input(say("Part"), value=ticket.part or "").props("dense outlined maxlength=64")
        options = {one: say.word(one) for one in MODES}
        value = ticket.mode if ticket.mode in options else None
        mode = (
            ui.select(options, label=say("Failure mode"), value=value, clearable=True)
            .classes("w-56")
            .props("dense outlined")
        )

        async def diagnose() -> None:
            await act(
                visit,
                ticket,
                "diagnose",
                lambda c, now: acts.diagnose(
                    c,
                    ticket.id,
                    ticket.revision,
                    part=part.value or None,
                    mode=mode.value,
                    actor=visit.person.name,
                    now=now,
                ),
                say("Kept"),
            )

        ui.button(say("Keep"), on_click=diagnose).props("no-caps outline")


def _close(visit: Visit, say: Speaker, ticket: Ticket, open_children: int) -> None:
    with ui.expansion(say("Close it"), icon="task_alt").classes(PANEL), ui.column().classes("gap-2 w-full"):
        with ui.row().classes(FIELDS):
            codes = {code: say.word(code) for code in CLOSING_CODES}
            code = (
                ui.select(codes, label=say("What was really wrong"), value="confirmed")
                .classes("w-56")
                .props("dense outlined")
            )
            part = ui.input(say("Part"), value=ticket.part or "").props("dense outlined maxlength=64")
            failed = _moment_input(say("When it really failed (UTC)"))
        text = ui.input(say("Closing note")).classes("w-full").props("dense outlined maxlength=4000")
        all_of_them = (
            ui.checkbox(say("Close the {count} open tickets of this problem too", count=open_children))
            if open_children
            else None
        )

        async def close() -> None:
            failed_at = time_in(failed.value)
            if failed.value and failed_at is None:
                ui.notify(say("Write the time as 2026-05-01 09:00 (UTC)"), type="warning")
                return
            await act(
                visit,
                ticket,
                "close",
                lambda c, now: ending.close(
                    c,
                    ticket.id,
                    ticket.revision,
                    code=str(code.value),
                    part=part.value or None,
                    note=text.value or None,
                    actor=visit.person.name,
                    now=now,
                    failed_at=failed_at,
                    children=bool(all_of_them is not None and all_of_them.value),
                ),
                say("Closed"),
                {"code": code.value},
            )

        ui.button(say("Close ticket"), on_click=close).props("no-caps unelevated")


def _reopen(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.row().classes(FIELDS):
        why = ui.input(say("Why it goes on")).classes("grow").props("dense outlined maxlength=4000")

        async def reopen() -> None:
            await act(
                visit,
                ticket,
                "reopen",
                lambda c, now: ending.reopen(c, ticket.id, ticket.revision, why.value or "", visit.person.name, now),
                say("It is open again"),
            )

        ui.button(say("Open it again"), on_click=reopen).props("no-caps outline")


def _correct(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.expansion(say("Correct the outcome"), icon="edit_note").classes(PANEL), ui.column().classes("gap-2 w-full"):
        codes = {one: say.word(one) for one in CLOSING_CODES if one != correcting.NOT_CHOSEN}
        with ui.row().classes(FIELDS):
            code = (
                ui.select(codes, label=say("What was really wrong"), value=ticket.closing_code)
                .classes("w-56")
                .props("dense outlined")
            )
            part = ui.input(say("Part"), value=ticket.closing_part or "").props("dense outlined maxlength=64")
            failed = _moment_input(say("When it really failed (UTC)"))
        why = ui.input(say("How that is known")).classes("w-full").props("dense outlined maxlength=4000")

        async def correct() -> None:
            failed_at = time_in(failed.value)
            if failed.value and failed_at is None:
                ui.notify(say("Write the time as 2026-05-01 09:00 (UTC)"), type="warning")
                return
            await act(
                visit,
                ticket,
                "correct",
                lambda c, now: correcting.correct(
                    c,
                    ticket.id,
                    ticket.revision,
                    code=str(code.value),
                    part=part.value or None,
                    why=why.value or "",
                    actor=visit.person.name,
                    now=now,
                    failed_at=failed_at,
                ),
                say("Corrected: labels and figures follow"),
                {"code": code.value},
            )

        ui.button(say("Correct it"), on_click=correct).props("no-caps outline")
