"""What the pages of notices and of the outbox share: how a delivery stands, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from alerts.delivery import people
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.language import Speaker
from api.pages.tables import table
from api.pages.wording import moment
from api.security import AGENTS, Person
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.outbox import OutboxItem

COLORS = {
    "pending": "primary",
    "claimed": "primary",
    "delivered": "positive",
    "failed": "negative",
    "cancelled": "grey-7",
    "well": "positive",
    "failing": "warning",
    "open": "negative",
    "probing": "warning",
    "paused": "warning",
    "unknown": "negative",
}


def state_of(say: Speaker, item: OutboxItem) -> str:
    """How an item stands."""
    return {
        "pending": say("waits"),
        "claimed": say("is being sent"),
        "delivered": say("delivered"),
        "failed": say("dead letter"),
        "cancelled": say("cancelled"),
    }[item.state]


def outcome_of(say: Speaker, outcome: str | None) -> str:
    """How an attempt went."""
    return {
        "delivered": say("delivered"),
        "away": say("the provider failed or was away"),
        "busy": say("the provider asked to wait"),
        "later": say("this receiver is to be tried later"),
        "timeout": say("no answer in time: it may have arrived"),
        "partial": say("reached some of its receivers"),
        "nomatch": say("no channel serves it"),
        "refused": say("refused for good"),
        "broken": say("the channel broke"),
    }.get(outcome or "", "–")


def health_of(say: Speaker, health: str) -> str:
    """How a channel does."""
    return {
        "well": say("does well"),
        "failing": say("failing"),
        "open": say("down, waits for a probe"),
        "probing": say("down, a probe is due"),
        "paused": say("paused"),
        "unknown": say("not in the settings"),
    }[health]


def kind_of(say: Speaker, kind: str) -> str:
    """What an item is."""
    return {
        "notice": say("notice"),
        "command": say("command"),
        "engineer": say("alert for engineers"),
        "letter": say("letter"),
        "rollout": say("roll-out decision"),
        "event": say("webhook event"),
    }.get(kind, kind)


def attempts_table(say: Speaker, attempts: Sequence[Attempt]) -> None:
    """Every attempt, oldest first."""
    headings = (
        ("number", say("Attempt"), "right"),
        ("at", say("When (UTC)"), "left"),
        ("outcome", say("How it went"), "left"),
        ("reason", say("Reason"), "left"),
    )
    rows: list[Mapping[str, Any]] = [
        {
            "id": place,
            "number": one.number,
            "at": moment(one.at),
            "outcome": outcome_of(say, one.outcome),
            "reason": say.retell(one.reason) if one.reason else "–",
        }
        for place, one in enumerate(attempts)
    ]
    table(headings, rows, prose=("reason",))


def item_buttons(say: Speaker, context: ApiContext, person: Person, item: OutboxItem) -> None:
    """Send again and cancel, for those who may."""
    if person.role not in AGENTS:
        return

    async def again() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: people.send_again(c, item.id, person.name, now, revision=item.revision),
            say("It leaves once more"),
        )

    async def cancel() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: people.cancel(c, item.id, person.name, now, reason.value or "", revision=item.revision),
            say("It will not leave"),
        )

    with ui.row().classes("items-center gap-2"):
        if item.state in {"failed", "cancelled"} and ("text" in item.payload or item.kind == "command"):
            ui.button(say("Send again"), on_click=again).props("no-caps unelevated dense")
        if item.state in {"pending", "failed"}:
            reason = ui.input(say("Reason")).props("dense outlined")
            ui.button(say("Cancel it"), on_click=cancel).props("no-caps outline dense color=negative")
