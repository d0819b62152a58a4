"""What a device was asked, what it answered, and the way to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nicegui import ui

from alerts import commands as asking
from api.answers import answer_lines, headlines
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.wording import moment
from api.security import STAFF
from hearthwatch.records.commands import Command
from hearthwatch.values import Device
from hearthwatch.wire.commands.requests import HOUSEKEEPING, UPDATE

SHOWN = 10
LINES_SHOWN = 60
NAMES: Mapping[str, str] = {
    "diagnostics": "diagnostics",
    "check_update": "is there an update?",
    "update": "install an update",
    "device_info": "which firmware runs?",
    "rebirth": "say everything again",
}
"""What is asked, in the words of a person."""
STATES: Mapping[str, tuple[str, str]] = {
    "queued": ("waiting to leave", "primary"),
    "sent": ("sent, no answer yet", "primary"),
    "answered": ("answered", "positive"),
    "failed": ("failed", "negative"),
    "timed_out": ("no answer", "warning"),
    "cancelled": ("cancelled", "grey-7"),
    "refused": ("not sent", "negative"),
}
"""States in words, with their colour."""


def device_card(visit: Visit, device: Device, kinds: Sequence[str], asked: Sequence[Command]) -> None:
    """The card of a device's page: ask it, and see what it answered, newest first."""
    say = speaker(visit.request)
    with card(say("Ask the device"), say("Each question is kept with who asked, why, and the answer.")):
        if not kinds:
            sentence(
                say("This device can not be asked anything: its convention has no commands, or it was not heard yet.")
            )
        elif visit.person.role in STAFF:
            _form(visit.context, say, visit.person.name, device, kinds)
        if asked:
            for command in asked[:SHOWN]:
                show_command(say, command)
        else:
            sentence(say("It was never asked anything."))


def ticket_card(say: Speaker, asked: Sequence[Command]) -> None:
    """The card of a ticket's page: the diagnostics of its device since it opened."""
    with card(say("Diagnostics of the device")):
        for command in asked[:SHOWN]:
            show_command(say, command)


def _form(context: ApiContext, say: Speaker, person: str, device: Device, kinds: Sequence[str]) -> None:
    offered = {kind: say(NAMES[kind]) for kind in kinds}
    with ui.row().classes("items-center gap-2 w-full"):
        kind = ui.select(offered, label=say("Question"), value=kinds[0]).classes("w-56").props("dense outlined")
        why = ui.input(say("Why")).classes("grow").props("dense outlined maxlength=400")
        version = ui.input(say("Version")).classes("w-32").props("dense outlined")
        version.bind_visibility_from(
            kind, "value", lambda chosen: chosen == UPDATE and device.convention in {None, "native"}
        )

        async def ask() -> None:
            now = context.clock.now()
            parameters = {"version": version.value} if version.visible and version.value else {}
            await perform(
                context,
                lambda c: asking.ask(
                    c, device.id, str(kind.value), why=why.value or "", actor=person, now=now, parameters=parameters
                ),
                say("Asked"),
            )

        ui.button(say("Ask"), on_click=ask).props("no-caps outline")
    if not set(kinds) <= HOUSEKEEPING:
        ui.label(say("Diagnostics need the owner's consent to service.")).classes("hw-quiet text-xs")


def _asked(say: Speaker, command: Command) -> str:
    when = moment(command.created_at)
    if command.asked_by == "policy":
        return say("{when} by itself", when=when)
    return say("{when} by {who}", when=when, who=command.asked_by)


def _why(say: Speaker, command: Command) -> str:
    if command.asked_by == "policy" and command.ticket_id is not None:
        return say("because ticket {number} opened", number=command.ticket_id)
    return say.retell(command.why)


def show_command(say: Speaker, command: Command) -> None:
    """One question with its answer, folded up."""
    words, color = STATES[command.state]
    if command.state == "queued" and command.outbox_at is None:
        words = "waits for the device to come online"
    late = say(", late") if command.late else ""
    with ui.column().classes("w-full gap-1 q-py-xs"):
        with ui.row().classes("items-center gap-2 w-full"):
            ui.badge(f"{say(words)}{late}", color=color)
            ui.label(say(NAMES.get(command.kind, command.kind))).classes("font-semibold")
            ui.label(_asked(say, command)).classes("hw-quiet text-sm")
        ui.label(_why(say, command)).classes("text-sm break-words min-w-0")
        if command.reason:
            ui.label(say.retell(command.reason)).classes("text-sm hw-quiet")
        if command.answer:
            first = headlines(command.answer)
            if first:
                ui.label(" · ".join(f"{say(name)} {say.retell(value)}" for name, value in first.items())).classes(
                    "text-sm"
                )
            with (
                ui.expansion(say("Answer of {when}", when=moment(command.answered_at))).props("dense").classes("w-full")
            ):
                lines = dict(answer_lines(command.answer))
                facts(dict(list(lines.items())[:LINES_SHOWN]))
                if len(lines) > LINES_SHOWN or command.answer.get("cut"):
                    sentence(say("There is more: the API has the whole answer that was kept."))
