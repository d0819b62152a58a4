"""A form for a new policy: its text is checked line by line, and kept only where nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from alerts.policy import versions as policies_of_alerts
from alerts.policy.file import Fault, InvalidPolicy, parse
from api.pages.actions import perform
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker
from hearthwatch.said import Said

LONGEST = 200_000


def form_card(visit: Visit, say: Speaker, text: str) -> None:
    """The form, filled with the text of the version in force."""
    with (
        card(say("A new version"), say("It observes until a person sets it live.")),
        ui.expansion(say("Write or paste a policy")).classes("w-full"),
    ):
        box = (
            ui.textarea(value=text)
            .classes("w-full font-mono")
            .props("outlined rows=18 input-class=text-sm spellcheck=false")
        )
        said = ui.column().classes("w-full gap-1")

        def check() -> bool:
            said.clear()
            faults = faults_of(box.value or "")
            with said:
                _verdict(say, faults)
                fault_lines(say, faults, box.value or "")
            return not faults

        async def keep() -> None:
            if check():
                now, given = visit.context.clock.now(), box.value or ""
                await perform(
                    visit.context,
                    lambda connection: policies_of_alerts.add_policy(connection, given, visit.person.name, now),
                    say("Kept as a version that observes"),
                )

        with ui.row().classes("gap-2"):
            ui.button(say("Check"), on_click=check).props("no-caps outline")
            ui.button(say("Keep as a new version"), on_click=keep).props("no-caps unelevated")


def faults_of(text: str) -> tuple[Fault, ...]:
    """What is wrong with a text."""
    if len(text) > LONGEST:
        return (Fault("", None, Said("longer than {most} characters", most=f"{LONGEST:,}")),)
    try:
        parse(text)
    except InvalidPolicy as error:
        return error.faults
    return ()


def _verdict(say: Speaker, faults: Sequence[Fault]) -> None:
    if not faults:
        ui.label(say("Nothing is wrong with it.")).classes("text-positive font-semibold").props("role=status")
        return
    counted = (
        say("1 fault; nothing was kept.")
        if len(faults) == 1
        else say("{count} faults; nothing was kept.", count=len(faults))
    )
    ui.label(counted).classes("text-negative font-semibold").props("role=alert")


def fault_lines(say: Speaker, faults: Sequence[Fault], text: str) -> None:
    """Each fault of a text: line, rule and key, what is wrong in the reader's language, and the line itself."""
    lines = text.splitlines()
    for fault in faults:
        place = say("Line {line}", line=fault.line) if fault.line else say("The whole text")
        rule = say(", rule “{rule}”", rule=say.said(fault.rule)) if fault.rule else ""
        key = f" · {fault.key}" if fault.key else ""
        told = say("{place}: {what}", place=f"{place}{rule}{key}", what=say.said(fault.message))
        ui.label(told).classes("text-sm break-words")
        if fault.line and fault.line <= len(lines):
            sentence(lines[fault.line - 1].strip()[:160])
