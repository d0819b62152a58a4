"""What is known about a ticket's matter: probable cause, next step, past cases; and the question whether the device may be asked."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from alerts.knowledge import permission
from alerts.knowledge.advice import Advice, PastCases, advise
from alerts.knowledge.markdown import to_html
from api.context import ApiContext
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.ticket_acts import act
from api.security import AGENTS
from hearthwatch.records import articles, tickets
from hearthwatch.values import Ticket


async def knowledge_card(visit: Visit, ticket: Ticket) -> None:
    """Probable cause and next step, the article folded up, and how such cases ended."""
    say = speaker(visit.request)
    advice, word, helped, needed = await visit.load(_load, ticket, say.language)
    with card(say("What is known")):
        article = advice.article
        if article is None:
            sentence(say("There is no article about this yet."))
            ui.link(say("Write one"), "/knowledge").classes("hw-link")
        else:
            ui.label(say("Probable cause: {cause}", cause=article.cause)).classes("font-semibold")
            ui.label(say("Next step: {step}", step=article.next_step))
            with ui.expansion(article.title).props("dense").classes("w-full"):
                ui.html(to_html(article.body), sanitize=False).classes("hw-article")
            good, total = helped.get(article.slug, (0, 0))
            if total:
                ui.label(say("Its self-help helped {good} of {total} customers.", good=good, total=total)).classes(
                    "hw-quiet text-sm"
                )
        for one in advice.further:
            ui.link(one.title, f"/knowledge/{one.slug}").classes("hw-link text-sm")
        _past(say, advice.cases)
        if (needed or word == permission.ALLOWED) and visit.person.role in AGENTS:
            _permission(visit, say, ticket, word)


def _load(
    context: ApiContext, ticket: Ticket, language: str
) -> tuple[Advice, str | None, Mapping[str, tuple[int, int]], bool]:
    with context.database.reading() as connection:
        word = permission.standing(connection, tickets.get(connection, ticket.id))
        needed = permission.is_needed(connection, ticket, context.clock.now())
        return advise(connection, ticket, language), word, articles.answers(connection), needed


def _past(say: Speaker, cases: PastCases) -> None:
    if not cases.count:
        return
    if cases.same_model:
        whole = say("Of {count} closed cases like this on this model:", count=cases.count)
    else:
        whole = say("Of {count} closed cases like this on all models:", count=cases.count)
    ended = ", ".join(f"{say.word(code)} {number}" for code, number in cases.outcomes.items())
    ui.label(f"{whole} {ended}").classes("text-sm")
    if cases.parts:
        parts = ", ".join(f"{say.word(part)} {number}" for part, number in cases.parts.items())
        ui.label(say("Replaced: {parts}", parts=parts)).classes("text-sm")
    if cases.days is not None:
        ui.label(say("Half of them took at most {days} days.", days=f"{cases.days:.1f}")).classes("text-sm")
    with ui.row().classes("gap-3"):
        for one in cases.newest:
            ui.link(f"#{one.id}", f"/tickets/{one.id}").classes("hw-link text-sm")


def _permission(visit: Visit, say: Speaker, ticket: Ticket, word: str | None) -> None:
    if word == permission.ALLOWED:
        ui.label(say("The customer allowed that the device is asked for this ticket.")).classes("text-positive text-sm")
        return
    if word == permission.REFUSED:
        ui.label(say("The customer does not want the device to be asked.")).classes("text-sm")
        return
    if word == permission.ASKED:
        ui.label(say("The customer was asked whether the device may be asked; there is no answer yet.")).classes(
            "text-sm"
        )
        return

    async def ask() -> None:
        await act(
            visit,
            ticket,
            "ask_permission",
            lambda c, now: permission.ask_permission(c, ticket.id, ticket.revision, visit.person.name, now),
            say("The customer is asked"),
        )

    ui.button(say("Ask the customer whether the device may be asked"), on_click=ask).props("no-caps outline")
