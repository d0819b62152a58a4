"""The knowledge base: articles in several languages, a search that works in each, and what is known about a ticket."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from alerts.knowledge import library, permission
from alerts.knowledge.advice import advise
from alerts.knowledge.library import Draft
from alerts.knowledge.markdown import to_html
from alerts.knowledge.terms import terms
from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page
from api.revisions import IfMatch
from api.routes.tickets import visible
from api.security import Agent, Reader, Staff, TicketReader
from hearthwatch.records import articles
from hearthwatch.records.articles import Article
from hearthwatch.values import Ticket

router = APIRouter(tags=["knowledge"])

Slug = Annotated[str, Path(min_length=1, max_length=64)]
Language = Annotated[str, Path(min_length=2, max_length=16)]
Wanted = Annotated[str, Query(min_length=2, max_length=16, description="Language of the articles: `en`, `zh_Hans`.")]
TicketId = Annotated[int, Path(ge=1, le=2**53)]


@dataclass(frozen=True, slots=True)
class Found:
    """An article that a search found; the higher the score, the better it fits."""

    slug: str
    language: str
    title: str
    cause: str
    score: float


@router.get("/articles")
def list_articles(context: Context, _caller: Reader, language: Wanted = "en") -> Page[Article]:
    """All articles of a language, by their names."""
    with context.database.reading() as connection:
        return Page(items=articles.list_articles(connection, language=language))


@router.get("/articles/search")
def search_articles(
    context: Context,
    _caller: Reader,
    query: Annotated[str, Query(min_length=1, max_length=200)],
    language: Wanted = "en",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[Found]:
    """Articles by words, the best first (BM25; Chinese by pairs of characters)."""
    with context.database.reading() as connection:
        found = articles.search(connection, terms(query), language=language, limit=limit)
    return Page(items=[Found(one.slug, one.language, one.title, one.cause, round(score, 3)) for one, score in found])


@router.get("/articles/{slug}/{language}", response_model=Article)
def get_article(context: Context, _caller: Reader, slug: Slug, language: Language) -> Response:
    """One article, as Markdown."""
    with context.database.reading() as connection:
        return tagged(articles.get(connection, slug, language))


@router.put("/articles/{slug}/{language}", response_model=Article)
def put_article(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, slug: Slug, language: Language, body: Draft
) -> Response:
    """Write an article, or change one; one that came with Hearthwatch is the maker's own from then on."""
    return act.do(
        caller,
        "article.write",
        f"article:{slug}/{language}",
        lambda connection: library.write(connection, slug, language, if_match, body, caller.name, context.clock.now()),
        audited=False,
    )


@router.delete("/articles/{slug}/{language}", response_model=Article)
def retire_article(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, slug: Slug, language: Language
) -> Response:
    """Take an article out of what is proposed and found."""
    return act.do(
        caller,
        "article.retire",
        f"article:{slug}/{language}",
        lambda connection: library.retire(connection, slug, language, if_match, caller.name, context.clock.now()),
        audited=False,
    )


@router.get("/tickets/{ticket_id}/advice")
def get_advice(context: Context, caller: TicketReader, ticket_id: TicketId, language: Wanted = "en") -> dict[str, Any]:
    """Probable cause and next step for a ticket, further articles, and how such cases ended before."""
    with context.database.reading() as connection:
        found = advise(connection, visible(connection, caller, ticket_id), language)
    article = found.article
    return {
        "cause": article.cause if article else None,
        "next_step": article.next_step if article else None,
        "article": {"slug": article.slug, "language": article.language, "html": to_html(article.body)}
        if article
        else None,
        "further": [{"slug": one.slug, "language": one.language, "title": one.title} for one in found.further],
        "cases": {**asdict(found.cases), "newest": [one.id for one in found.cases.newest]},
    }


@router.post("/tickets/{ticket_id}/diagnosis-permission", response_model=Ticket)
def ask_permission(context: Context, caller: Agent, act: Acting, if_match: IfMatch, ticket_id: TicketId) -> Response:
    """Ask the customer whether their device may be asked about itself for this ticket."""
    return act.do(
        caller,
        "ticket.ask_permission",
        f"ticket:{ticket_id}",
        lambda connection: permission.ask_permission(connection, ticket_id, if_match, caller.name, context.clock.now()),
    )
