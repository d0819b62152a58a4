"""The knowledge base: find an article, read it in each language, write one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from alerts.knowledge import library
from alerts.knowledge.library import Draft
from alerts.knowledge.markdown import to_html
from alerts.knowledge.terms import terms
from alerts.notices.catalogue import languages
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table
from api.pages.wording import day
from api.security import STAFF
from hearthwatch.catalogues import own_name
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import articles
from hearthwatch.records.articles import Article

FIELDS = ("title", "cause", "next_step")
LISTS = ("modes", "parts", "models")


async def knowledge_page(visit: Visit) -> None:
    """All articles, or those that a search found."""
    say = speaker(visit.request)
    query = visit.request.query_params.get("q", "")[:200]
    found, helped = await visit.load(_load, query, say.language)
    with ui.row().classes("items-center gap-2 w-full"):
        field = ui.input(say("Search"), value=query).classes("grow").props("dense outlined clearable")
        field.on("keydown.enter", lambda: _search(field.value or ""))
        ui.button(say("Search"), on_click=lambda: _search(field.value or "")).props("no-caps unelevated")
        if visit.person.role in STAFF:
            ui.button(say("Write an article"), on_click=lambda: ui.navigate.to("/knowledge/new")).props(
                "no-caps outline"
            )
    if not found:
        sentence(say("Nothing was found."))
        return
    columns = (
        ("title", say("Article"), "left"),
        ("about", say("Is about"), "left"),
        ("cause", say("Probable cause"), "left"),
        ("helped", say("Helped customers"), "left"),
        ("changed", say("Changed"), "left"),
    )
    table(columns, [_row(say, one, helped) for one in found], links=("title",))


def _search(query: str) -> None:
    ui.run_javascript(f"location.href = '/knowledge?q=' + encodeURIComponent({query!r})")


def _row(say: Speaker, one: Article, helped: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    good, total = helped.get(one.slug, (0, 0))
    return {
        "id": one.id,
        "title": one.title,
        "title_to": f"/knowledge/{one.slug}",
        "about": ", ".join(say.word(code) for code in (*one.modes, *one.models)) or "–",
        "cause": one.cause,
        "helped": say("{good} of {total}", good=good, total=total) if total else "–",
        "changed": day(one.updated_at),
    }


def _load(context: ApiContext, query: str, language: str) -> tuple[list[Article], Mapping[str, tuple[int, int]]]:
    with context.database.reading() as connection:
        if query:
            return [one for one, _ in articles.search(connection, terms(query), language=language)], articles.answers(
                connection
            )
        return articles.list_articles(connection, language=language), articles.answers(connection)


async def article_page(visit: Visit) -> None:
    """One article in the reader's language, and its other languages; a form to change it."""
    say = speaker(visit.request)
    slug = visit.request.path_params["slug"]
    language = visit.request.query_params.get("language", say.language)
    if language not in languages():
        raise Missing("there is no such language", where="language")
    with ui.row().classes("gap-3"):
        ui.link(say("All articles"), "/knowledge").classes("hw-link")
        for one in languages():
            if one != language:
                ui.link(own_name(one), f"/knowledge/{slug}?language={one}").classes("hw-link")
    (article,) = await visit.load(_load_one, slug, language)
    if article is None and slug != "new":
        sentence(say("It is not written in this language yet."))
    if article is not None:
        _show(say, article)
    if visit.person.role in STAFF:
        _form(visit, say, "" if slug == "new" else slug, language, article)


def _load_one(context: ApiContext, slug: str, language: str) -> tuple[Article | None]:
    with context.database.reading() as connection:
        return (articles.find(connection, slug, language),)


def _show(say: Speaker, article: Article) -> None:
    with card(article.title):
        if article.retired:
            ui.label(say("It is retired: nobody is shown it any more.")).classes("text-negative")
        ui.label(say("Probable cause: {cause}", cause=article.cause)).classes("font-semibold")
        ui.label(say("Next step: {step}", step=article.next_step))
        ui.html(to_html(article.body), sanitize=False).classes("hw-article")
    if article.self_help:
        with card(say("What customers are shown to try first")):
            ui.html(to_html(article.self_help), sanitize=False).classes("hw-article")


def _form(visit: Visit, say: Speaker, slug: str, language: str, article: Article | None) -> None:
    with card(say("Change it") if article else say("Write it"), say("Markdown; pictures and HTML are left out.")):
        name = ui.input(say("Name in addresses"), value=slug).props("dense outlined" + (" readonly" if slug else ""))
        values = _values(article)
        labels = _labels(say)
        inputs = {
            key: ui.input(labels[key], value=values[key]).classes("w-full").props("dense outlined")
            for key in (*FIELDS, *LISTS)
        }
        body = ui.textarea(say("For staff"), value=values["body"]).classes("w-full").props("outlined autogrow")
        help_ = (
            ui.textarea(say("For customers, to try first"), value=values["self_help"])
            .classes("w-full")
            .props("outlined autogrow")
        )

        async def save() -> None:
            now, person = visit.context.clock.now(), visit.person.name
            written = {key: str(field.value or "") for key, field in inputs.items()}
            written |= {"body": str(body.value or ""), "self_help": str(help_.value or "")}
            revision = article.revision if article else None
            named = str(name.value or "").strip()
            await perform(
                visit.context,
                lambda c: library.write(c, named, language, revision, _draft(written), person, now),
                say("Saved"),
                then=lambda: f"/knowledge/{named}?language={language}",
            )

        async def retire() -> None:
            now, person = visit.context.clock.now(), visit.person.name
            assert article is not None
            await perform(
                visit.context,
                lambda c: library.retire(c, slug, language, article.revision, person, now),
                say("Retired"),
            )

        with ui.row().classes("gap-2"):
            ui.button(say("Save"), on_click=save).props("no-caps unelevated")
            if article is not None and not article.retired:
                ui.button(say("Retire"), on_click=retire).props("no-caps outline color=negative")


def _labels(say: Speaker) -> dict[str, str]:
    return {
        "title": say("Title"),
        "cause": say("Probable cause"),
        "next_step": say("Next step"),
        "modes": say("Failure modes"),
        "parts": say("Parts"),
        "models": say("Models (none: all)"),
    }


def _values(article: Article | None) -> dict[str, str]:
    if article is None:
        return dict.fromkeys((*FIELDS, *LISTS, "body", "self_help"), "")
    plain = {key: str(getattr(article, key) or "") for key in (*FIELDS, "body", "self_help")}
    return plain | {key: ", ".join(getattr(article, key)) for key in LISTS}


def _draft(written: Mapping[str, str]) -> Draft:
    """What stands in the form. Raises `Invalid`, which names the field."""
    lists = {key: [part.strip() for part in written[key].split(",") if part.strip()] for key in LISTS}
    missing = next((key for key in (*FIELDS, "body") if not written[key].strip()), None)
    if missing is not None:
        raise Invalid("it is empty", where=missing)
    return Draft(**{**{key: written[key].strip() for key in (*FIELDS, "body", "self_help")}, **lists})
