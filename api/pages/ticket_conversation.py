"""What was written on a ticket. What customers read and what stays among staff have cards, colours and buttons of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from nicegui import ui

from alerts.tickets import conversation
from api.context import ApiContext
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker
from api.pages.ticket_acts import act
from api.pages.wording import moment
from api.security import FIELD
from hearthwatch.records import ticket_messages
from hearthwatch.records.ticket_messages import TicketMessage
from hearthwatch.values import Ticket

LOOKS: Mapping[str, str] = {
    "in": "background: #eef3f2; border-left: 4px solid #17605a",
    "out": "background: #fff; border: 1px solid #e4e1d8; border-left: 4px solid #2f7d4f",
    "internal": "background: #fdf3dd; border-left: 4px dashed #b4692b",
    "unverified": "background: #f9e9e7; border-left: 4px dotted #b3362b",
}
ANSWER_WITHIN = timedelta(days=7)


async def conversation_card(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    """The texts, and a way to write one; nothing for who only reads tickets."""
    if visit.person.role not in FIELD:
        return
    written = await visit.load(_load, ticket.id)
    with card(say("Conversation")):
        if not written:
            sentence(say("Nobody has written anything yet."))
        for one in written:
            _text(say, one)
        if ticket.customer_id is not None or ticket.source != "policy":
            _reply(visit, say, ticket)
        _note(visit, say, ticket)


def _load(context: ApiContext, ticket_id: int) -> list[TicketMessage]:
    with context.database.reading() as connection:
        return ticket_messages.of_ticket(connection, ticket_id)


def _text(say: Speaker, one: TicketMessage) -> None:
    kind = {
        "in": say("The customer wrote"),
        "out": say("Sent to the customer"),
        "internal": say("Internal: no customer sees this"),
        "unverified": say("From somebody who may be anybody; no customer sees this"),
    }[one.direction]
    with ui.column().classes("w-full gap-0 q-pa-sm rounded").style(LOOKS[one.direction]):
        who = "" if one.direction in {"in", "unverified"} else f" · {one.author}"
        ui.label(f"{kind}{who} · {moment(one.at)}").classes("text-xs hw-quiet")
        if one.erased_at is not None:
            ui.label(say("erased on {day}", day=moment(one.erased_at))).classes("italic hw-quiet")
        else:
            ui.label(one.text).classes("whitespace-pre-line break-words")


def _reply(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.column().classes("w-full gap-2 q-pa-sm rounded").style(LOOKS["out"]):
        text = (
            ui.textarea(say("Answer to the customer")).classes("w-full").props("outlined autogrow dense maxlength=4000")
        )
        with ui.row().classes("items-center gap-2"):
            wait = ui.checkbox(say("wait for their answer"), value=True)

            async def send() -> None:
                await act(
                    visit,
                    ticket,
                    "reply",
                    lambda c, now: conversation.reply(
                        c,
                        ticket.id,
                        ticket.revision,
                        text.value or "",
                        visit.person.name,
                        now,
                        wait_until=now + ANSWER_WITHIN if wait.value else None,
                    ),
                    say("Sent to the customer"),
                )

            ui.button(say("Send to the customer"), icon="send", on_click=send).props(
                "no-caps unelevated color=positive"
            )


def _note(visit: Visit, say: Speaker, ticket: Ticket) -> None:
    with ui.column().classes("w-full gap-2 q-pa-sm rounded").style(LOOKS["internal"]):
        text = ui.textarea(say("Internal note")).classes("w-full").props("outlined autogrow dense maxlength=4000")

        async def keep() -> None:
            await act(
                visit,
                ticket,
                "note",
                lambda c, now: conversation.note(
                    c, ticket.id, ticket.revision, text.value or "", visit.person.name, now
                ),
                say("Noted"),
            )

        ui.button(say("Keep as an internal note"), icon="lock", on_click=keep).props("no-caps outline color=secondary")
