"""Liveness on the staff's pages: states with their colours, how many devices are in which, a device's state and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui import ui
from sqlalchemy import Connection

from api.context import ApiContext
from api.liveness_words import sentence
from api.pages.actions import perform
from api.pages.frame import card, facts
from api.pages.frame import sentence as quiet
from api.pages.language import Speaker
from api.pages.tables import table
from api.pages.wording import COLORS, moment, since
from api.security import ENGINEERS, Person
from hearthwatch.records import audit, liveness
from hearthwatch.records.blindness import BlindSpan
from hearthwatch.records.liveness import (
    POWER_CLASSES,
    STATES,
    Change,
    Liveness,
    ReportingPlan,
)

SHOWN = 50
_POWER = {
    "registry": "as a person says",
    "bridge": "as its bridge says",
    "metrics": "by its metrics",
    "convention": "by its convention",
    "nothing": "nothing tells",
}


def cells(say: Speaker, known: Liveness | None) -> dict[str, Any]:
    """The state of a device as cells of a row: a badge and its colour."""
    state = "unknown" if known is None else "flapping" if known.flapping else known.state
    return {"state": say.word(state), "state_color": COLORS[state]}


def standing(say: Speaker, known: Liveness | None, last_seen: datetime | None, now: datetime) -> str:
    """The state of a device in a few words."""
    if known is None:
        return say("not looked at yet, last seen {when}", when=since(say, last_seen, now))
    names = {"state": cells(say, known)["state"], "since": moment(known.since)}
    if known.until is None:
        return say("{state} since {since} UTC", **names)
    return say("{state} since {since} UTC, until {until} UTC if it stays silent", **names, until=moment(known.until))


def chips(say: Speaker, counts: Mapping[str, int], chosen: str | None) -> None:
    """Devices by state; each leads to its list."""
    with ui.row().classes("gap-2 items-center"):
        for state in STATES:
            number = counts.get(state, 0)
            props = f"dense no-caps {'unelevated' if state == chosen else 'outline'} color={COLORS[state]}"
            target = "/devices" if state == chosen else f"/devices?state={state}"
            ui.button(f"{say.word(state)} {number:,}", on_click=lambda to=target: ui.navigate.to(to)).props(props)


def blind_notice(say: Speaker, span: BlindSpan | None) -> None:
    """A sentence above everything else while we hear nobody."""
    if span is None:
        return
    words = {"no_ingestor": say("no ingestor is running"), "broker_away": say("the broker is away")}
    told = say(
        "Nobody is heard since {since} UTC: {why}. Devices that are silent since then are unknown, not broken.",
        since=moment(span.since),
        why=words.get(span.reason) or say("a store is away, and data waits"),
    )
    with card():
        ui.label(told).classes("text-negative font-semibold").props("role=alert")


def liveness_card(say: Speaker, known: Liveness | None, changes: Sequence[Change]) -> None:
    """A device's state, what it is based on, and how it came about."""
    with card(say("Liveness"), say("Last will, last message, expected interval, bridge and our own outages in one.")):
        if known is None:
            quiet(say("Nobody has looked at it yet."))
            return
        ui.label(sentence(known.why, say.language))
        facts(
            {
                say("Heard"): f"{moment(known.heard_at)} UTC" if known.heard_at else say("never"),
                say("Expected"): _expected(say, known),
                say("Power"): say(
                    "{power}, {from_where}",
                    power=say.word(known.power),
                    from_where=say(_POWER.get(known.power_from, known.power_from)),
                ),
            }
        )
        with ui.row().classes("gap-4"):
            if known.bridge_id:
                through = say("Heard through {bridge}", bridge=known.bridge_id)
                ui.link(through, f"/devices/{known.bridge_id}").classes("hw-link")
            if known.incident_id is not None:
                ui.link(say("Part of a mass silence"), f"/findings/{known.incident_id}").classes("hw-link")
        if changes:
            table(
                (("at", say("At (UTC)"), "left"), ("state", say("State"), "left"), ("why", say("Why"), "left")),
                [_step(say, one) for one in changes],
                badges=("state",),
                prose=("why",),
                page_size=8,
            ).props("wrap-cells")


def _expected(say: Speaker, known: Liveness) -> str:
    minutes = f"{known.interval_s / 60:,.0f}"
    if known.gaps:
        return say("about every {minutes} min, learned from {gaps} gaps", minutes=minutes, gaps=known.gaps)
    return say("about every {minutes} min, by its power class", minutes=minutes)


def reporting_form(
    context: ApiContext, say: Speaker, person: Person, device_id: str, plan: ReportingPlan | None
) -> None:
    """Where an engineer says how a device is powered and how often it reports; that goes before what was found out."""
    if person.role not in ENGINEERS:
        return
    with (
        card(say("How it reports"), say("Said by a person; left empty it is found out.")),
        ui.row().classes("items-center gap-2"),
    ):
        power = ui.select(
            {"": say("found out"), **{name: say.word(name) for name in POWER_CLASSES}},
            value=(plan and plan.power) or "",
            label=say("Power"),
        ).classes("w-40")
        minutes = ui.number(
            say("Minutes between messages"),
            value=plan.interval_s / 60 if plan and plan.interval_s else None,
        ).classes("w-56")  # without bounds: a number out of them is told, not changed in silence

        async def save() -> None:
            interval = float(minutes.value) * 60 if minutes.value else None
            now = context.clock.now()

            def write(connection: Connection) -> None:
                said = liveness.set_plan(
                    connection, "device", device_id, plan.revision if plan else None, power.value or None, interval
                )
                detail = {"power": said.power, "interval_s": said.interval_s}
                audit.note(
                    connection,
                    at=now,
                    actor=person.name,
                    action="reporting.plan",
                    object=f"device:{device_id}",
                    detail=detail,
                )

            await perform(context, write, say("Saved; it counts from the next look on"))

        ui.button(say("Save"), on_click=save).props("no-caps outline")


def _step(say: Speaker, one: Change) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": moment(one.at),
        "state": say.word(one.state),
        "state_color": COLORS[one.state],
        "why": sentence(one.why, say.language),
    }
