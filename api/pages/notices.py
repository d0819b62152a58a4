"""Notices to customers, as they were written, sent or held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from api.context import ApiContext
from api.pages import sending
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.notice_why import notice_card
from api.pages.tables import served_table
from api.pages.wording import COLORS, moment
from api.security import FIELD
from hearthwatch.catalogues import own_name
from hearthwatch.records import brakes, delivery_attempts, notice_search, notices, outbox
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.notice_search import Sought
from hearthwatch.records.notices import NoticeEvent
from hearthwatch.records.outbox import OutboxItem
from hearthwatch.values import Notice

STATES = ("observed", "waiting", "held", "queued", "sent", "failed", "suppressed", "cancelled")
KINDS = (
    "update", "replacement", "check_up", "recall", "advisory", "all_clear", "ticket_update", "ticket_message", "approval",
    "survey",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from, and whether anything leaves."""

    channels: Sequence[str]
    paused: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """One notice, what became of it, and how it left by each channel."""

    notice: Notice
    events: Sequence[NoticeEvent]
    items: Sequence[OutboxItem]
    attempts: Mapping[int, Sequence[Attempt]]


async def notices_page(visit: Visit) -> None:
    """Every notice, newest first, or those that were looked for."""
    say, asked = speaker(visit.request), dict(visit.request.query_params)
    if not _serves(visit):
        asked.pop("customer", None)
    choices = await visit.load(_choices)
    if choices.paused is not None:
        with ui.row().classes("items-center gap-2"):
            ui.label(say("All sending is paused. {reason}", reason=choices.paused)).classes(
                "text-negative font-semibold"
            )
            ui.link(say("Outbox"), "/outbox").classes("hw-link")
    _filters(say, asked, choices, customers=_serves(visit))
    headings = (
        ("state", say("State"), "left"),
        ("subject", say("Subject"), "left"),
        ("kind", say("Kind"), "left"),
        ("customer", say("Customer"), "left"),
        ("device", say("Device"), "left"),
        ("channels", say("Channels"), "left"),
        ("created", say("Written"), "left"),
        ("sent", say("Sent"), "left"),
        ("answer", say("Answer"), "left"),
    )
    fetch = partial(_fetch, visit.context, say, _sought(asked), _serves(visit))
    made = await served_table(headings, fetch, links=("subject", "device"), badges=("state",))
    if made is not None and not made.rows:
        sentence(say("No such notices. In observe mode they are shown here and not sent."))


def row(notice: Notice, say: Speaker | None = None, items: Sequence[OutboxItem] = ()) -> dict[str, Any]:
    """A notice as a row of a table."""
    say = say or Speaker("en")
    return {
        "id": notice.id,
        "state": say.word(notice.state),
        "state_color": COLORS.get(notice.state),
        "subject": notice.subject,
        "subject_to": f"/notices/{notice.id}",
        "kind": say.word(notice.kind),
        "customer": notice.customer_id or "–",
        "device": notice.device_id,
        "device_to": f"/devices/{notice.device_id}",
        "channels": ", ".join(f"{one.channel}: {sending.state_of(say, one)}" for one in items) or "–",
        "created": moment(notice.created_at),
        "sent": moment(notice.sent_at),
        "answer": say.word(notice.answer) if notice.answer else "–",
    }


def _fetch(
    context: ApiContext, say: Speaker, sought: Sought, serves: bool, offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    with context.database.reading() as connection:
        found = _shown(notice_search.search(connection, sought, offset=offset, limit=limit), serves=serves)
        total = notice_search.count(connection, sought)
        items = outbox.of_notices(connection, [notice.id for notice in found])
    return [row(notice, say, items.get(notice.id, ())) for notice in found], total


def _choices(context: ApiContext) -> Choices:
    with context.database.reading() as connection:
        paused, detail = brakes.is_paused(connection)
        known = {*context.settings.channel_names, *outbox.channels_of_notices(connection)}
    names = sorted(name for name in known if name not in {"mqtt", "rollouts"} and not name.startswith("webhook"))
    return Choices(names, str(detail.get("reason") or "") if paused else None)


def _sought(asked: Mapping[str, str]) -> Sought:
    """What the address asks for; what it says wrongly asks for nothing."""
    return Sought(
        state=asked.get("state") if asked.get("state") in STATES else None,
        kind=asked.get("kind") if asked.get("kind") in KINDS else None,
        customer_id=asked.get("customer") or None,
        device_id=asked.get("device") or None,
        channel=asked.get("channel") or None,
    )


def _serves(visit: Visit) -> bool:
    """Whether somebody serves customers, and so reads whose a notice is and what stands in it."""
    return visit.person.role in FIELD


def _shown(found: Sequence[Notice], *, serves: bool) -> list[Notice]:
    return list(found) if serves else [notices.without_person(one) for one in found]


def _filters(say: Speaker, asked: Mapping[str, str], choices: Choices, *, customers: bool) -> None:
    def go(name: str, value: str | None) -> None:
        wanted = {key: one for key, one in {**asked, name: (value or "").strip()}.items() if one}
        ui.navigate.to("/notices" + (f"?{urlencode(wanted)}" if wanted else ""))

    def choose(name: str, label: str, options: Mapping[str, str]) -> None:
        value = asked.get(name) if asked.get(name) in options else None
        ui.select(dict(options), label=label, value=value, clearable=True).classes("w-40 grow sm:grow-0").props(
            f'dense outlined options-dense aria-label="{label}"'
        ).on_value_change(lambda event: go(name, event.value))

    with ui.row().classes("gap-2 w-full items-center"):
        choose("state", say("State"), {one: say.word(one) for one in STATES})
        choose("kind", say("Kind"), {one: say.word(one) for one in KINDS})
        choose("channel", say("Channel"), {one: one for one in choices.channels})
        if customers:
            field = ui.input(say("Customer"), value=asked.get("customer", "")).classes("w-40 grow sm:grow-0")
            field.props("dense outlined clearable").on("keydown.enter", lambda: go("customer", field.value))
            field.on("clear", lambda: go("customer", None))
        if asked:
            ui.button(say("All notices"), on_click=lambda: ui.navigate.to("/notices")).props("dense no-caps outline")


async def notice_page(visit: Visit) -> None:
    """One notice as the customer got it, and how it left by each channel."""
    say = speaker(visit.request)
    told = await visit.load(_load_one, number_in_path(visit.request, "notice_id"), _serves(visit))
    notice = told.notice
    with card(notice.subject):
        facts(
            {
                say("State"): say.word(notice.state) + (f": {say.retell(notice.reason)}" if notice.reason else ""),
                say("Kind"): say.word(notice.kind),
                say("Customer"): notice.customer_id or "–",
                say("Device"): notice.device_id,
                say("Language"): own_name(notice.language),
                say("Written"): say(
                    "{at} UTC, policy version {version}", at=moment(notice.created_at), version=notice.policy_version
                ),
                say("Not before"): moment(notice.send_after),
                say("Sent"): moment(notice.sent_at),
                say("Answer"): say.word(notice.answer) if notice.answer else say("none yet"),
            }
        )
        _links(say, notice)
    _channels(visit, say, told)
    await notice_card(visit, notice)
    with card(say("Text")):
        if _serves(visit):
            ui.label(notice.body).classes("whitespace-pre-wrap max-w-prose").props(
                f'lang="{notice.language.replace("_", "-")}"'
            )
        else:
            sentence(say("The text names the customer: only those who serve customers read it."))
            ui.link(say("Letters of every kind, to look at"), "/notice-kinds").classes("hw-link")
    with card(say("History")):
        for event in told.events:
            what = say("{at}  {what} by {who}", at=moment(event.at), what=say.word(event.what), who=event.actor)
            words = [say.retell(str(event.detail[name])) for name in ("channel", "reason") if event.detail.get(name)]
            detail = ", ".join(words)
            ui.label(what + (f" ({detail})" if detail else "")).classes("text-sm")


def _links(say: Speaker, notice: Notice) -> None:
    with ui.row().classes("gap-4"):
        if notice.finding_id is not None:
            ui.link(say("Show the finding"), f"/findings/{notice.finding_id}").classes("hw-link")
        if notice.ticket_id is not None:
            ui.link(say("Show the ticket"), f"/tickets/{notice.ticket_id}").classes("hw-link")
        if notice.campaign_id is not None:
            ui.link(say("Show the campaign"), f"/campaigns/{notice.campaign_id}").classes("hw-link")
        if notice.customer_id:
            theirs = f"/notices?{urlencode({'customer': notice.customer_id})}"
            ui.link(say("All notices of this customer"), theirs).classes("hw-link")


def _channels(visit: Visit, say: Speaker, told: Told) -> None:
    """Channel by channel: what arrived, what waits, what was given up, and every attempt."""
    with card(say("Channels"), _meaning(say, told.items)):
        if not told.items:
            sentence(say("Nothing was written to be sent."))
        for item in told.items:
            with ui.row().classes("items-center gap-3 w-full"):
                ui.badge(sending.state_of(say, item), color=sending.COLORS[item.state])
                ui.link(item.channel, f"/outbox/{item.id}").classes("hw-link font-semibold")
                if item.state == "pending":
                    ui.label(say("next attempt {at} UTC", at=moment(item.next_at))).classes("text-sm hw-quiet")
                if item.last_error:
                    ui.label(item.last_error).classes("text-sm break-words min-w-0")
            if attempts := told.attempts.get(item.id):
                with ui.expansion(say("attempts: {count}", count=len(attempts))).classes("w-full"):
                    sending.attempts_table(say, attempts)
            sending.item_buttons(say, visit.context, visit.person, item)


def _meaning(say: Speaker, items: Sequence[OutboxItem]) -> str:
    if any(item.payload.get("reach") == "all" for item in items):
        return say("It leaves by every channel at once, and is sent when all of them have it.")
    return say("It leaves by the first channel; by the next one where that refuses it or does not answer for hours.")


def _load_one(context: ApiContext, identifier: int, serves: bool) -> Told:
    with context.database.reading() as connection:
        (notice,) = _shown([notices.get(connection, identifier)], serves=serves)
        happened = notices.events(connection, identifier)
        items = outbox.of_notice(connection, identifier)
        attempts = delivery_attempts.of_items(connection, [item.id for item in items])
    return Told(
        notice, happened if serves else [notices.event_without_person(one) for one in happened], items, attempts
    )
