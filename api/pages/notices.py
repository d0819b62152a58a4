"""Notices to customers, as they were written, sent or held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nicegui import ui

from alerts.policy import brakes as sending
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.tables import table
from api.pages.wording import COLORS, moment
from api.security import AGENTS, Person
from hearthwatch.records import brakes, notices
from hearthwatch.values import Notice

SHOWN = 500
COLUMNS = (
    ("state", "State", "left"),
    ("subject", "Subject", "left"),
    ("kind", "Kind", "left"),
    ("customer", "Customer", "left"),
    ("device", "Device", "left"),
    ("created", "Written", "left"),
    ("sent", "Sent", "left"),
    ("answer", "Answer", "left"),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the page of notices shows."""

    notices: list[Notice]
    paused: bool
    detail: dict[str, Any]


async def notices_page(visit: Visit) -> None:
    """Every notice, newest first, and the brake."""
    shown = await visit.load(_load)
    with card("Sending"):
        if shown.paused:
            ui.label(f"All sending is paused. {shown.detail.get('reason') or ''}").classes(
                "text-negative font-semibold"
            )
        else:
            ui.label("Notices leave as the policy says.")
        if visit.person.role in AGENTS:
            _brake(visit.context, visit.person, shown.paused)
    if not shown.notices:
        sentence("No notices yet. In observe mode they are shown here and not sent.")
        return
    table(COLUMNS, [row(notice) for notice in shown.notices], links=("subject", "device"), badges=("state",))


def row(notice: Notice) -> dict[str, Any]:
    """A notice as a row of a table."""
    return {
        "id": notice.id,
        "state": notice.state,
        "state_color": COLORS.get(notice.state),
        "subject": notice.subject,
        "subject_to": f"/notices/{notice.id}",
        "kind": notice.kind.replace("_", " "),
        "customer": notice.customer_id,
        "device": notice.device_id,
        "device_to": f"/devices/{notice.device_id}",
        "created": moment(notice.created_at),
        "sent": moment(notice.sent_at),
        "answer": (notice.answer or "–").replace("_", " "),
    }


def _load(context: ApiContext) -> Sent:
    with context.database.reading() as connection:
        paused, detail = brakes.is_paused(connection)
        return Sent(list(notices.list_notices(connection, limit=SHOWN)), paused, dict(detail or {}))


def _brake(context: ApiContext, person: Person, paused: bool) -> None:
    async def pause() -> None:
        now = context.clock.now()
        await perform(context, lambda c: sending.pause(c, person.name, now, reason.value or ""), "Sending is paused")

    async def resume() -> None:
        now = context.clock.now()
        await perform(context, lambda c: sending.resume(c, person.name, now), "Sending again")

    with ui.row().classes("items-center gap-2"):
        if paused:
            ui.button("Send again", on_click=resume).props("no-caps unelevated")
        else:
            reason = ui.input("Reason").props("dense outlined")
            ui.button("Pause all sending", on_click=pause).props("no-caps outline color=negative")


async def notice_page(visit: Visit) -> None:
    """One notice as the customer got it."""
    notice, events = await visit.load(_load_one, number_in_path(visit.request, "notice_id"))
    with card(notice.subject):
        facts(
            {
                "State": notice.state + (f": {notice.reason}" if notice.reason else ""),
                "Customer": notice.customer_id,
                "Device": notice.device_id,
                "Language": notice.language,
                "Written": f"{moment(notice.created_at)} UTC, policy version {notice.policy_version}",
                "Not before": moment(notice.send_after),
                "Sent": moment(notice.sent_at),
                "Answer": (notice.answer or "none yet").replace("_", " "),
            }
        )
        ui.link("Show the finding", f"/findings/{notice.finding_id}").classes("hw-link")
    with card("Text"):
        ui.label(notice.body).classes("whitespace-pre-wrap max-w-prose")
    with card("History"):
        for event in events:
            ui.label(f"{moment(event.at)}  {event.what.replace('_', ' ')} by {event.actor}").classes("text-sm")


def _load_one(context: ApiContext, identifier: int) -> tuple[Notice, list[Any]]:
    with context.database.reading() as connection:
        return notices.get(connection, identifier), list(notices.events(connection, identifier))
