"""Why a part is held to fail, on the staff's pages: what speaks for it and against it, the probable part, and what was decided.

Sentences are in Simplified Chinese for a browser that asks for Chinese first, else in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from nicegui import ui

from api.pages.wording import reasons
from hearthwatch.reason_words import decision_sentences, part_sentence, sentence
from hearthwatch.reasons import CHINESE, ENGLISH


def language_of(request: Request) -> str:
    """The first language of the browser's wishes that there are words for."""
    wishes = []
    for place, wish in enumerate(request.headers.get("accept-language", "").lower().split(",")):
        tag, _, quality = wish.strip().partition(";q=")
        try:
            wishes.append((-float(quality or 1), place, tag.split("-")[0]))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(wishes) if tag in (ENGLISH, CHINESE)), ENGLISH)


def show(evidence: Mapping[str, Any], language: str = ENGLISH) -> None:
    """The reasons of a finding as a list, with what only a prognosis has: counter-evidence, probable part, decision."""
    for reason in reasons(evidence, language=language):
        ui.label(f"• {reason}")
    if evidence.get("against"):
        ui.label(f"◦ {sentence(evidence['against'], language)}").classes("hw-quiet")
    if evidence.get("probable_part"):
        ui.label(part_sentence(str(evidence["probable_part"]), language)).classes("font-semibold")
    for line in decision_sentences(evidence.get("decision") or {}, language):
        ui.label(line).classes("hw-quiet text-sm")
