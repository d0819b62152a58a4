"""The outbox: what waits to leave the house, what is being sent, dead letters, and how each channel does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from alerts.channels.addresses import shown
from alerts.delivery import people
from alerts.delivery.overview import Standing, overview
from alerts.policy import brakes as use_brakes
from api.context import ApiContext
from api.pages import sending
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.sending import attempts_table, item_buttons
from api.pages.tables import served_table
from api.pages.wording import moment
from api.security import AGENTS, STAFF
from hearthwatch.records import brakes, delivery_attempts, outbox
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.outbox import OutboxItem

STATES = ("pending", "claimed", "failed", "delivered", "cancelled")
KINDS = ("notice", "letter", "engineer", "command", "rollout", "event")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the page shows above its table."""

    channels: Sequence[Standing]
    counts: Mapping[str, int]
    paused: bool
    detail: Mapping[str, Any]


async def outbox_page(visit: Visit) -> None:
    """How sending does as a whole, each channel, and the things themselves."""
    say, asked = speaker(visit.request), dict(visit.request.query_params)
    found = await visit.load(_load)
    with ui.row().classes("w-full gap-4"):
        figure(say("Waiting"), str(found.counts.get("pending", 0)))
        figure(say("Being sent"), str(found.counts.get("claimed", 0)))
        figure(say("Dead letters"), str(found.counts.get("failed", 0)), say("refused, or given up"))
        figure(say("Delivered"), str(found.counts.get("delivered", 0)))
    with card(say("Sending")):
        _brake(visit, say, found)
    with card(
        say("Channels"),
        say("A channel whose provider is down is asked by one probe at a time; what waits for it loses no attempt."),
    ):
        for one in found.channels:
            _channel(visit, say, one)
    _filters(say, asked, found.channels)
    headings = (
        ("id", say("Number"), "left"),
        ("state", say("State"), "left"),
        ("kind", say("Kind"), "left"),
        ("channel", say("Channel"), "left"),
        ("about", say("Notice"), "left"),
        ("tries", say("Attempts"), "right"),
        ("next", say("Next attempt"), "left"),
        ("ended", say("Ended"), "left"),
        ("why", say("Why"), "left"),
    )
    fetch = partial(_fetch, visit.context, say, asked)
    made = await served_table(headings, fetch, links=("id", "about"), badges=("state",))
    if made is not None and not made.rows:
        sentence(say("Nothing of this kind is in the outbox."))


def _load(context: ApiContext) -> Outgoing:
    with context.database.reading() as connection:
        paused, detail = brakes.is_paused(connection)
        channels = overview(connection, context.settings.channel_names, context.clock.now())
        return Outgoing(channels, outbox.counts(connection), paused, dict(detail))


def _brake(visit: Visit, say: Speaker, found: Outgoing) -> None:
    """Stop everything, or go on."""
    context, person = visit.context, visit.person

    async def pause() -> None:
        now = context.clock.now()
        why = reason.value or ""
        await perform(context, lambda c: use_brakes.pause(c, person.name, now, why), say("Sending is paused"))

    async def resume() -> None:
        now = context.clock.now()
        await perform(context, lambda c: use_brakes.resume(c, person.name, now), say("Sending again"))

    if found.paused:
        text = say("All sending is paused. {reason}", reason=found.detail.get("reason") or "")
        ui.label(text).classes("text-negative font-semibold")
    else:
        ui.label(say("Things leave as soon as they are due."))
    with ui.row().classes("items-center gap-2"):
        if found.paused and person.role in AGENTS:
            ui.button(say("Send again"), on_click=resume).props("no-caps unelevated dense")
        elif not found.paused and person.role in STAFF:
            reason = ui.input(say("Reason")).props("dense outlined")
            ui.button(say("Pause all sending"), on_click=pause).props("no-caps outline dense color=negative")


def _channel(visit: Visit, say: Speaker, one: Standing) -> None:
    """One channel: its health, what waits, how the last day went, and what a person can do."""
    with ui.column().classes("w-full gap-1 q-pt-sm").style("border-top: 1px solid #e4e1d8"):
        with ui.row().classes("items-center gap-3 w-full"):
            ui.badge(sending.health_of(say, one.health), color=sending.COLORS[one.health])
            ui.link(one.name, f"/outbox?{urlencode({'channel': one.name})}").classes("hw-link font-semibold")
            ui.label(_queue(say, one)).classes("text-sm")
            ui.label(_day(say, one.attempts)).classes("text-sm hw-quiet")
        for line in _remarks(say, one):
            ui.label(line).classes("text-sm break-words")
        _channel_buttons(visit, say, one)


def _queue(say: Speaker, one: Standing) -> str:
    parts = [say("waiting: {count}", count=one.waiting + one.sending)]
    if one.oldest_s >= 60:
        parts.append(say("the oldest for {minutes} min", minutes=int(one.oldest_s // 60)))
    if one.dead:
        parts.append(say("dead letters: {count}", count=one.dead))
    return ", ".join(parts)


def _day(say: Speaker, attempts: Mapping[str, int]) -> str:
    if not attempts:
        return say("no attempt within a day")
    told = ", ".join(f"{sending.outcome_of(say, outcome)} {count}" for outcome, count in sorted(attempts.items()))
    return say("within a day: {told}", told=told)


def _remarks(say: Speaker, one: Standing) -> list[str]:
    lines = []
    if one.health == "unknown":
        lines.append(say("Something waits for this channel, and the settings do not have it."))
    if one.paused_by:
        lines.append(say("Paused by {who}: {reason}", who=one.paused_by, reason=one.paused_reason or ""))
    if one.failing_since and one.last_error:
        lines.append(
            say("Failing since {at} UTC: {reason}", at=moment(one.failing_since), reason=say.retell(one.last_error))
        )
    if one.probe_at:
        lines.append(say("The next probe is sent at {at} UTC.", at=moment(one.probe_at)))
    return lines


def _channel_buttons(visit: Visit, say: Speaker, one: Standing) -> None:
    context, person = visit.context, visit.person

    async def pause() -> None:
        now, why = context.clock.now(), reason.value or ""
        work = partial(people.pause_channel, name=one.name, actor=person.name, now=now, reason=why)
        await perform(context, work, say("The channel is paused"))

    async def resume() -> None:
        now = context.clock.now()
        work = partial(people.resume_channel, name=one.name, actor=person.name, now=now)
        await perform(context, work, say("The channel sends again"))

    async def again() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: people.send_all_again(c, person.name, now, channel=one.name),
            say("All its dead letters leave once more"),
        )

    with ui.row().classes("items-center gap-2"):
        if one.health == "paused" and person.role in AGENTS:
            ui.button(say("Resume it"), on_click=resume).props("no-caps unelevated dense")
        elif one.health in {"open", "probing"} and person.role in AGENTS:
            ui.button(say("Send a probe now"), on_click=resume).props("no-caps outline dense")
        if one.dead and person.role in AGENTS:
            ui.button(say("Send all dead letters again"), on_click=again).props("no-caps outline dense")
        if one.health != "paused" and person.role in STAFF:
            with ui.expansion(say("Pause it")).classes("text-sm"), ui.row().classes("items-center gap-2"):
                reason = ui.input(say("Reason")).props("dense outlined")
                ui.button(say("Pause"), on_click=pause).props("no-caps outline dense color=negative")


def _filters(say: Speaker, asked: Mapping[str, str], channels: Sequence[Standing]) -> None:
    def go(name: str, value: str | None) -> None:
        wanted = {key: one for key, one in {**asked, name: value}.items() if one}
        ui.navigate.to("/outbox" + (f"?{urlencode(wanted)}" if wanted else ""))

    def choose(name: str, label: str, options: Mapping[str, str]) -> None:
        value = asked.get(name) if asked.get(name) in options else None
        ui.select(dict(options), label=label, value=value, clearable=True).classes("w-44 grow sm:grow-0").props(
            f'dense outlined options-dense aria-label="{label}"'
        ).on_value_change(lambda event: go(name, event.value))

    states = {
        "pending": say("waits"), "claimed": say("is being sent"), "failed": say("dead letter"),
        "delivered": say("delivered"), "cancelled": say("cancelled"),
    }  # fmt: skip
    with ui.row().classes("gap-2 w-full items-center"):
        choose("state", say("State"), states)
        choose("channel", say("Channel"), {one.name: one.name for one in channels})
        choose("kind", say("Kind"), {one: sending.kind_of(say, one) for one in KINDS})
        if asked:
            ui.button(say("All of the outbox"), on_click=lambda: ui.navigate.to("/outbox")).props(
                "dense no-caps outline"
            )


def _fetch(
    context: ApiContext, say: Speaker, asked: Mapping[str, str], offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    state = asked.get("state") if asked.get("state") in STATES else None
    kind = asked.get("kind") if asked.get("kind") in KINDS else None
    channel = asked.get("channel") or None
    with context.database.reading() as connection:
        found = outbox.list_items(connection, state=state, channel=channel, kind=kind, offset=offset, limit=limit)
        total = outbox.count_items(connection, state=state, channel=channel, kind=kind)
    return [_row(say, item) for item in found], total


def _row(say: Speaker, item: OutboxItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "id_to": f"/outbox/{item.id}",
        "state": sending.state_of(say, item),
        "state_color": sending.COLORS[item.state],
        "kind": sending.kind_of(say, item.kind),
        "channel": item.channel,
        "about": str(item.notice_id) if item.notice_id else "–",
        "about_to": f"/notices/{item.notice_id}" if item.notice_id else None,
        "tries": item.attempts,
        "next": moment(item.next_at) if item.state == "pending" else "–",
        "ended": moment(item.delivered_at or item.failed_at),
        "why": say.retell(item.last_error) if item.last_error else "–",
    }


async def item_page(visit: Visit) -> None:
    """One thing that leaves or left: how it stands, every attempt, and what a person can do."""
    say = speaker(visit.request)
    item, attempts = await visit.load(_load_one, number_in_path(visit.request, "item_id"))
    with card(say("{kind} by {channel}", kind=sending.kind_of(say, item.kind), channel=item.channel)):
        facts(
            {
                say("State"): sending.state_of(say, item),
                say("Address"): shown(item.address),
                say("Subject"): str(item.payload.get("subject") or "–"),
                say("Idempotency key"): item.idempotency_key,
                say("Written"): f"{moment(item.created_at)} UTC",
                say("Attempts"): str(item.attempts),
                say("Latest attempt"): sending.outcome_of(say, item.outcome),
                say("Next attempt"): moment(item.next_at) if item.state == "pending" else "–",
                say("Delivered"): moment(item.delivered_at),
                say("Given up"): moment(item.failed_at),
                say("Why"): say.retell(item.last_error) if item.last_error else "–",
            }
        )
        if item.notice_id is not None:
            ui.link(say("Show the notice"), f"/notices/{item.notice_id}").classes("hw-link")
        item_buttons(say, visit.context, visit.person, item)
    with card(say("Attempts"), say("Each carries the same key: a receiver that has it drops the second one.")):
        if attempts:
            attempts_table(say, attempts)
        else:
            sentence(say("Nothing was tried yet."))


def _load_one(context: ApiContext, identifier: int) -> tuple[OutboxItem, list[Attempt]]:
    with context.database.reading() as connection:
        item = outbox.get(connection, identifier)
        return item, delivery_attempts.of_items(connection, [identifier]).get(identifier, [])
