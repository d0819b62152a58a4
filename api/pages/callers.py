"""A ticket for somebody who calls: one form on the device's page."""

from __future__ import annotations

from nicegui import ui
from sqlalchemy import Connection

from alerts.intake import answers, reporting
from alerts.intake.complaints import OTHER, WISHES, offered
from alerts.intake.report import Contact, Report
from alerts.intake.reporting import Reported
from api.context import ApiContext
from api.evidence import desk, recent_events
from api.pages.actions import perform
from api.pages.frame import Visit
from api.pages.language import speaker
from api.security import AGENTS
from hearthwatch.reasons import spoken
from hearthwatch.records import aliases, audit


def caller_card(visit: Visit, device_id: str, device_class: str | None = None) -> None:
    """The form, folded away; only agents have it."""
    if visit.person.role not in AGENTS:
        return
    say = speaker(visit.request)
    language = spoken(say.language)
    with ui.expansion(say("Somebody called about this device"), icon="call").classes("hw-card w-full"):
        complaint = (
            ui.select(
                {one.id: one.name(language) for one in offered(device_class)}, label=say("What is wrong"), value=OTHER
            )
            .classes("w-full")
            .props("dense outlined")
        )
        text = ui.textarea(say("What they say")).classes("w-full").props("dense outlined")
        with ui.row().classes("w-full gap-2"):
            name = ui.input(say("Name")).props("dense outlined").classes("grow")
            phone = ui.input(say("Phone number")).props("dense outlined").classes("grow")
            email = ui.input(say("Mail address")).props("dense outlined").classes("grow")
        wish = (
            ui.select({one: words[language] for one, words in WISHES.items()}, label=say("Wish"), clearable=True)
            .classes("w-72")
            .props("dense outlined")
        )

        async def take() -> None:
            report = Report(
                source="staff",
                text=str(text.value or ""),
                complaint=str(complaint.value or OTHER),
                wish=wish.value or None,
                device_id=device_id,
                contact=Contact(name.value or None, email.value or None, phone.value or None),
                language=say.tag,
                actor=visit.person.name,
            )
            await perform(
                visit.context,
                lambda connection: take_down(visit.context, connection, report, visit.person.name),
                say("Taken down"),
            )

        ui.button(say("Take it down"), on_click=take).props("no-caps unelevated")


def take_down(context: ApiContext, connection: Connection, report: Report, by: str) -> Reported:
    """Take in what a caller said, and note in the audit trail, as the API does, who took it down. Raises as `reporting.report`."""
    now = context.clock.now()
    ids = aliases.ids_of(connection, report.device_id) if report.device_id else []
    done = reporting.report(connection, report, now, recent_events(context, ids))
    answers.receipt(connection, done.ticket, done.report, desk(context), now)
    audit.note(connection, at=now, actor=by, action="report.take", object=f"ticket:{done.ticket.id}")
    return done
