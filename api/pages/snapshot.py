"""A device as it was when somebody reported something about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from api.pages.frame import facts
from api.pages.language import Speaker
from api.pages.reasons import show
from api.pages.wording import day, moment, share


def show_snapshot(say: Speaker, kept: Mapping[str, Any]) -> None:
    """Identity, warranty and state; what was found, expected and seen within the week before."""
    device, warranty, state = kept["device"], kept["warranty"], kept["state"]
    facts(
        {
            say("Product"): f"{device['product'] or '–'} ({device['model'] or '–'})",
            say("Hardware"): device["hardware"] or "–",
            say("Firmware"): device["firmware"] or "–",
            say("Serial number"): device["serial"] or "–",
            say("Warranty"): _warranty(say, warranty),
            say(
                "State"
            ): f"{say.word(state['state'])} · {say('last seen {when}', when=moment(_at(state['last_seen'])))}",
            say("Language of the owner"): kept.get("language") or "–",
        }
    )
    for finding in kept["findings"]:
        _finding(say, finding)
    told = [one for one in kept["prognoses"] if one["p30"] is not None]
    for one in told:
        ui.label(
            say("{part}: {share} to fail within 30 days", part=say.word(one["part"]), share=share(one["p30"]))
        ).classes("text-sm")
    _lines(say, kept)


def _finding(say: Speaker, finding: Mapping[str, Any]) -> None:
    with ui.column().classes("gap-0"):
        with ui.row().classes("items-center gap-2"):
            ui.link(say.word(finding["mode"]), f"/findings/{finding['id']}").classes("hw-link")
            ui.label(
                f"{say.word(finding['severity'])} · {say.word(finding['state'])} · {moment(_at(finding['last_seen']))}"
            ).classes("hw-quiet text-sm")
        show(say, finding["evidence"])


def _lines(say: Speaker, kept: Mapping[str, Any]) -> None:
    seen = [f"{moment(_at(one['at']))}  {say.word(one['kind'])} {one['code'] or ''}".rstrip() for one in kept["events"]]
    went = [f"{moment(_at(one['at']))}  {say.word(one['state'])}" for one in kept["changes"]]
    for line in sorted([*seen, *went], reverse=True)[:20]:
        ui.label(line).classes("text-sm")
    if not (seen or went or kept["findings"]):
        ui.label(say("Nothing was found or seen within the week before.")).classes("hw-quiet")


def _warranty(say: Speaker, warranty: Mapping[str, Any]) -> str:
    until = _at(warranty["until"])
    if warranty["covered"] is None or until is None:
        return say("not known")
    return say("until {day}", day=day(until)) if warranty["covered"] else say("ended on {day}", day=day(until))


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
