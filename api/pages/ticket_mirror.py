"""The card of a ticket's mirror in an outside service desk."""

from __future__ import annotations

from nicegui import ui

from alerts.mirrors.job import show_again
from api.context import ApiContext
from api.pages.frame import Visit, card, facts
from api.pages.language import Speaker, speaker
from api.pages.ticket_acts import audited
from api.pages.wording import moment
from api.security import AGENTS
from hearthwatch.records import mirrors
from hearthwatch.records.mirrors import DeskHealth, Mirror


async def mirror_card(visit: Visit, ticket_id: int) -> None:
    """Where the ticket stands in the desk; nothing where there is none."""
    mirror, health = await visit.load(_load, ticket_id)
    if mirror is None:
        return
    say = speaker(visit.request)
    with card(say("In the service desk")):
        facts(
            {
                say("Desk"): mirror.desk,
                say("Number there"): mirror.number or "–",
                say("State there"): say.word(mirror.outside_state or "open"),
                say("Looked at"): moment(mirror.looked_at),
            }
        )
        if mirror.url:
            ui.link(say("Open it there"), mirror.url, new_tab=True).classes("hw-link").props("rel=noreferrer")
        for sentence in _troubles(say, mirror, health):
            ui.label(sentence).classes("text-negative")
        if mirror.state == "refused" and visit.person.role in AGENTS:
            _retry(visit, say, ticket_id)


def _load(context: ApiContext, ticket_id: int) -> tuple[Mirror | None, DeskHealth | None]:
    with context.database.reading() as connection:
        mirror = mirrors.find(connection, ticket_id)
        return mirror, mirrors.desk(connection, mirror.desk) if mirror else None


def _troubles(say: Speaker, mirror: Mirror, health: DeskHealth | None) -> list[str]:
    found = []
    if health is not None and health.away_since is not None:
        found.append(
            say(
                "The desk can not be reached since {when}; what happens here is told later.",
                when=moment(health.away_since),
            )
        )
    if mirror.state == "refused":
        found.append(say("The desk refused it: {why}", why=mirror.why or "–"))
    if mirror.state == "ended":
        found.append(say("It is no longer followed: {why}", why=mirror.why or "–"))
    if mirror.outcome_missing:
        found.append(say("It was closed there without an outcome; close it here, or say there how it ended."))
    return found


def _retry(visit: Visit, say: Speaker, ticket_id: int) -> None:
    async def again() -> None:
        again_ = say("It is tried again")
        await audited(
            visit, "mirror.retry", f"ticket:{ticket_id}", lambda c, now: show_again(c, ticket_id, now), again_
        )

    ui.button(say("Try again"), on_click=again).props("no-caps outline")
