"""Letters as their readers get them, one language beside the other, and a test of each."""

from __future__ import annotations

import html
from collections.abc import Sequence

from nicegui import ui

from alerts import samples
from alerts.notices.wording import Letter
from api.pages.actions import perform
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker
from hearthwatch.catalogues import own_name


def letters_card(visit: Visit, say: Speaker, name: str, letters: Sequence[Letter], *, may_send: bool) -> None:
    """Each language's letter, in a frame that runs no scripts and sends nothing; ``name`` says of what (``campaign:3``)."""
    with card(say("The letters"), say("As their readers get them; the link is masked.")):
        if not letters:
            sentence(say("There are no texts yet."))
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
            for letter in letters:
                with ui.column().classes("w-full gap-2"):
                    ui.label(own_name(letter.language)).classes("font-semibold")
                    ui.label(letter.subject).props(f'lang="{letter.language.replace("_", "-")}"')
                    _frame(say, letter)
                    with ui.expansion(say("As text")).classes("w-full"):
                        ui.label(letter.text).classes("whitespace-pre-wrap text-sm")
                    if may_send:
                        _test(visit, say, name, letter)


def _frame(say: Speaker, letter: Letter) -> None:
    shown = html.escape(letter.html, quote=True)
    title = html.escape(say("Letter in {language}", language=own_name(letter.language)), quote=True)
    ui.html(
        f'<iframe sandbox title="{title}" srcdoc="{shown}" '
        'style="width:100%;height:640px;border:1px solid #e4e1d8;border-radius:8px;background:#fff"></iframe>',
        sanitize=False,
    ).classes("w-full")


def _test(visit: Visit, say: Speaker, name: str, letter: Letter) -> None:
    context, actor = visit.context, visit.person.name
    with ui.row().classes("w-full items-center gap-2"):
        address = ui.input(say("Test to (mailto:me@example.org)")).classes("grow").props("dense outlined")

        async def send() -> None:
            to = str(address.value or "").strip()
            await perform(
                context,
                lambda c: samples.test_send(c, name, letter, to, actor=actor, now=context.clock.now()),
                say("The test is on its way"),
            )

        ui.button(say("Send a test"), on_click=send).props("no-caps outline")
