"""Findings that are held out, as staff see them: on the finding, on the device, and what was learned beside the policy."""

from __future__ import annotations

from nicegui import ui

from alerts.policy import hold_out
from alerts.policy.file import parse
from alerts.policy.hold_out import Learned
from api import hold_out_words as words
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.frame import Visit, card
from api.pages.language import language_of, speaker
from api.security import STAFF
from hearthwatch.records import hold_outs, policies
from hearthwatch.records.hold_outs import HoldOut


async def finding_card(visit: Visit, finding_id: int) -> None:
    """Why nobody outside is told of a finding, with the button that ends it; nothing where it is like any other."""
    language = language_of(visit.request)
    for one in await visit.load(_of_finding, finding_id):
        with card((words.HELD_OUT if one.ended_at is None else words.WAS_HELD_OUT)[language]):
            ui.label(words.explained(one)[language])
            if one.ended_at is None and visit.person.role in STAFF:
                _button(visit, one)


async def device_note(visit: Visit, device_id: str) -> None:
    """One card for what is held out of a device now."""
    say = speaker(visit.request)
    language = say.reasons
    for one in await visit.load(_of_device, device_id):
        with card(words.HELD_OUT[language]):
            ui.label(words.explained(one)[language])
            ui.link(say("finding {number}", number=one.finding_id), f"/findings/{one.finding_id}").classes("hw-link")
            if visit.person.role in STAFF:
                _button(visit, one)


async def result_card(visit: Visit) -> None:
    """What hold-outs say of how often findings are right; nothing where none is held out and none ever was."""
    share, known = await visit.load(_result)
    if not share and not (known.standing or known.known or known.cut_short):
        return
    language = language_of(visit.request)
    with card(words.TO_LEARN[language], words.SHARE[language].format(share=f"{100 * share:.3g} %")):
        ui.label(words.result(known)[language])


def _button(visit: Visit, one: HoldOut) -> None:
    language = language_of(visit.request)

    async def send() -> None:
        now = visit.context.clock.now()
        await perform(
            visit.context,
            lambda connection: hold_out.send_now(connection, one.finding_id, visit.person.name, now),
            words.SENT[language],
        )

    ui.button(words.SEND_NOW[language], on_click=send).props("no-caps unelevated")


def _of_finding(context: ApiContext, finding_id: int) -> list[HoldOut]:
    with context.database.reading() as connection:
        return list(hold_outs.of_findings(connection, [finding_id]).values())


def _of_device(context: ApiContext, device_id: str) -> list[HoldOut]:
    with context.database.reading() as connection:
        return hold_outs.list_hold_outs(connection, device=device_id, standing=True)


def _result(context: ApiContext) -> tuple[float, Learned]:
    with context.database.reading() as connection:
        current = policies.current(connection)
        share = parse(current.text).hold_out.share if current is not None else 0.0
        return share, hold_out.learned(connection, context.clock.now())
