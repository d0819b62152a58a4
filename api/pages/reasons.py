"""Why a part is held to fail, on the staff's pages: what speaks for it and against it, the probable part, and what was decided.

Sentences are in Simplified Chinese for whoever reads the pages in Chinese, else in English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from api.pages.frame import card
from api.pages.language import Speaker
from api.pages.tables import table
from api.pages.wording import reasons, share
from hearthwatch.reason_words import decision_sentences, part_sentence, sentence
from hearthwatch.records.prognoses import Prognosis


def show(say: Speaker, evidence: Mapping[str, Any]) -> None:
    """The reasons of a finding as a list, with what only a prognosis has: counter-evidence, probable part, decision."""
    language = say.reasons
    for reason in _sentences(say, evidence):
        ui.label(f"• {reason}")
    if evidence.get("against"):
        ui.label(f"◦ {sentence(evidence['against'], language)}").classes("hw-quiet")
    if evidence.get("probable_part"):
        ui.label(part_sentence(str(evidence["probable_part"]), language)).classes("font-semibold")
    for line in decision_sentences(evidence.get("decision") or {}, language):
        ui.label(line).classes("hw-quiet text-sm")


def _sentences(say: Speaker, evidence: Mapping[str, Any]) -> Sequence[str]:
    if evidence.get("said"):
        return [say.told(evidence["said"], "")]
    return [say.retell(reason) for reason in reasons(evidence, language=say.reasons)]


def waiting_card(say: Speaker, waiting: Sequence[Prognosis]) -> None:
    """What is above its line and waits because the week's findings are used up, the best first; nothing where nothing waits."""
    if not waiting:
        return
    rows = [
        {
            "id": f"{one.device_id}/{one.part}",
            "device": one.device_id,
            "device_to": f"/devices/{one.device_id}",
            "part": say.word(one.part),
            "p30": share(one.p30),
            "saves": _saves(one.decision or {}),
        }
        for one in sorted(waiting, key=lambda one: -float((one.decision or {}).get("net_benefit", one.p30 or 0.0)))
    ]
    columns = (
        ("device", say("Device"), "left"),
        ("part", say("Part"), "left"),
        ("p30", say("30 days"), "right"),
        ("saves", say("Acting saves"), "right"),
    )
    with card(
        say("Waiting for the week's budget: {count}", count=len(rows)),
        say("Above their line; the best become findings as there is room."),
    ):
        table(columns, rows, links=("device",), page_size=10)


def _saves(decision: Mapping[str, Any]) -> str:
    return f"{decision['net_benefit']:,.2f} {decision['currency']}" if "net_benefit" in decision else "–"
