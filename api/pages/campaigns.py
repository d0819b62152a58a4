"""Recalls and security notices: which there are, how far each is, and beginning one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import run, ui

from alerts.campaigns import lifecycle
from alerts.campaigns.progress import Progress, progress, standings
from api.context import ApiContext
from api.pages.frame import Visit, card, refused, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.wording import moment
from api.security import STAFF
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import campaigns
from hearthwatch.records.campaigns import Campaign

COLORS = {
    "draft": "grey-7",
    "submitted": "warning",
    "running": "negative",
    "closed": "positive",
    "dropped": "grey-7",
}
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A campaign as a row shows it."""

    campaign: Campaign
    progress: Progress


async def campaigns_page(visit: Visit) -> None:
    """All of them, the newest first."""
    say = speaker(visit.request)
    lines = await visit.load(_load)
    if visit.person.role in STAFF:
        _new(visit, say)
    ui.link(say("Letters of every kind, to look at"), "/notice-kinds").classes("hw-link")
    if not lines:
        sentence(say("No recalls and no security notices."))
        return
    headings = (
        ("reference", say("Reference"), "left"),
        ("state", say("State"), "left"),
        ("kind", say("Kind"), "left"),
        ("title", say("Title"), "left"),
        ("affected", say("Devices"), "right"),
        ("reached", say("Reached"), "right"),
        ("unreached", say("Not reached"), "right"),
        ("remedied", say("Settled"), "right"),
        ("at", say("Runs since (UTC)"), "left"),
    )
    table(headings, [_row(say, one) for one in lines], links=("reference",), badges=("state",), prose=("title",))


def kind_of(say: Speaker, campaign: Campaign) -> str:
    """A campaign's kind as people read it."""
    return say("product safety recall") if campaign.kind == campaigns.RECALL else say("security notice")


def state_of(say: Speaker, campaign: Campaign) -> str:
    """A campaign's state as people read it."""
    return {
        "draft": say("being written"),
        "submitted": say("to be approved"),
        "running": say("under way"),
        "closed": say("ended"),
        "dropped": say("given up"),
    }[campaign.state]


def _row(say: Speaker, line: Line) -> dict[str, Any]:
    campaign, done = line.campaign, line.progress
    return {
        "id": campaign.id,
        "reference": campaign.reference,
        "reference_to": f"/campaigns/{campaign.id}",
        "state": state_of(say, campaign),
        "state_color": COLORS[campaign.state],
        "kind": kind_of(say, campaign),
        "title": campaign.title,
        "affected": done.affected,
        "reached": done.reached,
        "unreached": done.unreached,
        "remedied": done.remedied,
        "at": moment(campaign.approved_at),
    }


def _load(context: ApiContext) -> Sequence[Line]:
    now = context.clock.now()
    with context.database.reading() as connection:
        return [
            Line(one, progress(standings(connection, one, now)))
            for one in campaigns.list_campaigns(connection, limit=SHOWN)
        ]


def _new(visit: Visit, say: Speaker) -> None:
    note = say("Nobody is written to before a second person has approved it.")
    with card(say("Begin one"), note), ui.row().classes("w-full items-end gap-2"):
        kinds = {"recall": say("product safety recall"), "advisory": say("security notice")}
        kind = ui.select(kinds, value="recall", label=say("Kind")).classes("w-56").props("dense outlined")
        reference = ui.input(say("Reference")).classes("w-40").props("dense outlined")
        title = ui.input(say("Title")).classes("grow").props("dense outlined")

        async def begin() -> None:
            try:
                made = await run.io_bound(
                    _draft, visit, str(kind.value), str(reference.value or "").strip(), str(title.value or "").strip()
                )
            except HearthwatchError as error:
                refused(error)
                return
            if made is not None:  # None: the server is ending
                ui.navigate.to(f"/campaigns/{made.id}")

        ui.button(say("Begin"), on_click=begin).props("no-caps unelevated")


def _draft(visit: Visit, kind: str, reference: str, title: str) -> Campaign:
    context = visit.context
    return context.database.retrying(
        lambda connection: lifecycle.draft(
            connection,
            reference=reference,
            kind=kind,
            title=title or reference,
            content={},
            actor=visit.person.name,
            now=context.clock.now(),
        )
    )
