"""Service levels on the ticket's page and in lists of tickets: the clocks, and the ledger that led there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nicegui import ui

from alerts.service_levels import recount as counting
from alerts.service_levels import standing as standings
from alerts.service_levels.recount import Recount
from alerts.service_levels.standing import Standing
from alerts.sla.clocks import Clock, Folded
from alerts.sla.terms import DUE_DAYS, ROLES
from api.context import ApiContext
from api.pages import sla_words as words
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from hearthwatch.records.sla_events import SlaEvent


async def sla_card(visit: Visit, ticket_id: int) -> None:
    """The clocks of a ticket, and behind a fold their ledger."""
    say, now = speaker(visit.request), visit.context.clock.now()
    found = await visit.load(_load, ticket_id, now)
    with card(say("Service level"), _note(say, found.folded)):
        if found.folded is None:
            sentence(say("The clocks start with the next round, within a minute."))
            return
        zone = found.folded.level.calendar.zone.key
        with ui.row().classes("w-full gap-3 items-stretch"):
            for clock in found.folded.clocks.values():
                if clock.instance or clock.name != "periodic_update":
                    _clock(say, clock, zone, now)
        if found.unfounded:
            ui.label(
                say(
                    "The ledger does not agree with what happened: entries {numbers}.", numbers=_listed(found.unfounded)
                )
            ).classes("text-negative")
        with (
            ui.expansion(say("What the clocks did ({count})", count=len(found.written)))
            .classes("w-full")
            .props("dense")
        ):
            _ledger(say, found.written, zone, now)


def _load(context: ApiContext, ticket_id: int, now: datetime) -> Recount:
    with context.database.reading() as connection:
        return counting.recount(connection, ticket_id, now)


def _note(say: Speaker, folded: Folded | None) -> str:
    if folded is None:
        return ""
    calendar, version = folded.level.calendar, folded.version
    if folded.level.term == DUE_DAYS:
        return say("By the policy's days, around the clock (policy {version})", version=version)
    return say(
        "{term}, calendar {calendar} ({zone}), policy {version}",
        term=folded.level.term, calendar=calendar.name, zone=calendar.zone.key, version=version,
    )  # fmt: skip


def _clock(say: Speaker, clock: Clock, zone: str, now: datetime) -> None:
    with ui.column().classes("gap-1 grow basis-56 min-w-0"):
        with ui.row().classes("items-center gap-2 no-wrap"):
            ui.label(words.name(say, clock.name)).classes("font-semibold")
            if clock.instance:
                ui.badge(words.state(say, clock.state), color=words.COLORS.get(clock.state, "grey-7"))
        ui.label(words.told(say, clock, zone, now)).classes("text-sm")
        if clock.target and clock.state in {"running", "paused", "breached"}:
            share = min(1.0, clock.used / clock.target)
            ui.linear_progress(share, show_value=False, color=words.COLORS[clock.state]).props("rounded").classes(
                "w-full"
            )


def _ledger(say: Speaker, written: list[SlaEvent], zone: str, now: datetime) -> None:
    withdrawn = {one.detail.get("number") for one in written if one.what == "withdraw"}
    rows = [_row(say, one, zone, now, one.number in withdrawn) for one in written if one.what != "update_status"]
    columns = (
        ("number", say("No."), "right"),
        ("at", say("When"), "left"),
        ("clock", say("Clock"), "left"),
        ("what", say("What"), "left"),
        ("target", say("Promised"), "right"),
        ("used", say("Used"), "right"),
        ("due", say("Due"), "left"),
    )
    table(columns, rows, prose=("what",), key="number", page_size=20)


def _row(say: Speaker, one: SlaEvent, zone: str, now: datetime, withdrawn: bool) -> dict[str, Any]:
    what = _said(say, one)
    return {
        "number": one.number,
        "at": words.at(one.at, zone, now),
        "clock": words.name(say, one.clock) + (f" {one.instance}" if one.instance > 1 else "") if one.clock else "–",
        "what": say("{what} (withdrawn later)", what=what) if withdrawn else what,
        "target": words.span(say, one.target_s) if one.target_s else "–",
        "used": words.span(say, one.used_s) if one.clock else "–",
        "due": words.at(one.due_at, zone, now),
    }


def _said(say: Speaker, one: SlaEvent) -> str:
    told = {
        "apply_sla": say("terms {term} of policy {version} apply", term=one.term, version=one.policy_version),
        "activate": say("started"),
        "pause": say("paused: {why}", why=words.waits(say, one.detail.get("waiting_for"))),
        "resume": say("went on"),
        "fulfil": say("fulfilled"),
        "breach": say("the promise was broken"),
        "cancel": say("cancelled"),
        "remind": say("{count} reminded ({whom})", count=one.detail.get("receivers", 0), whom=_whom(say, one)),
        "escalate": say(
            "{count} told that it is late ({whom})", count=one.detail.get("receivers", 0), whom=_whom(say, one)
        ),
        "withdraw": say(
            "entry {number} does not hold: something that happened before became known later",
            number=one.detail.get("number"),
        ),
    }
    return told.get(one.what, one.what)


def _whom(say: Speaker, one: SlaEvent) -> str:
    """The roles that were told; addresses are nobody's business here."""
    return ", ".join(say.word(to) if to in ROLES else say("an address") for to in one.detail.get("to", ()))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(one) for one in numbers)


@dataclass(frozen=True, slots=True)
class Column:
    """What a list of tickets shows of one: ``text``, a colour of a badge, and a key that puts the most pressing first."""

    text: str
    color: str
    sort: str


def standing(context: ApiContext, ticket_ids: Iterable[int]) -> Mapping[int, Standing]:
    """How the most pressing clock of each ticket stands, in one query; every ticket that is asked for is answered."""
    with context.database.reading() as connection:
        return standings.of_tickets(connection, ticket_ids, context.clock.now())


def column(say: Speaker, one: Standing, now: datetime) -> Column:
    """What a list says of a ticket."""
    return Column(words.listed(say, one, now), words.COLORS.get(one.state, "grey-7"), one.sort)
