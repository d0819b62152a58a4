"""What a ticket is probably about and what to do next: from articles about its failure mode, and from how such cases ended before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import Connection

from alerts.knowledge.terms import terms
from hearthwatch.records import articles, tickets
from hearthwatch.records.articles import Article
from hearthwatch.values import Ticket

FALLBACK = "en"
SHOWN = 5
PAST = 200
"""So many of the newest closed cases are looked at."""


@dataclass(frozen=True, slots=True)
class PastCases:
    """How closed cases of a failure mode ended. ``same_model`` says whether they are of the model alone, or of all where it has too few.

    ``outcomes`` counts closing codes, ``parts`` what was replaced, ``remedies`` what was done; ``days`` is the median from opening to
    closing; ``newest`` are the last ones.
    """

    count: int
    same_model: bool
    outcomes: Mapping[str, int]
    parts: Mapping[str, int]
    remedies: Mapping[str, int]
    days: float | None
    newest: tuple[Ticket, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known: the best article in the reader's language, further ones, and past cases.

    Where no article is about this failure mode or part there is none; ``further`` are then those with like words, and nobody's diagnosis.
    """

    article: Article | None
    further: tuple[Article, ...]
    cases: PastCases


def advise(connection: Connection, ticket: Ticket, language: str) -> Advice:
    """What is known about a ticket's matter. Articles about its model go before those about all."""
    about = matching(connection, mode=ticket.mode, part=ticket.part, model=ticket.model, language=language)
    cases = past_cases(connection, ticket)
    if about:
        return Advice(about[0], tuple(about[1:SHOWN]), cases)
    alike = articles.search(connection, terms(ticket.title), language=language, limit=3)
    return Advice(None, tuple(article for article, _ in alike), cases)


def matching(
    connection: Connection, *, mode: str | None, part: str | None, model: str | None, language: str
) -> list[Article]:
    """Articles about a failure mode, else about a part, the closest first; in English where a language has none of that name."""
    own = {one.slug: one for one in articles.list_articles(connection, language=language)}
    known = {one.slug: one for one in articles.list_articles(connection, language=FALLBACK)} | own
    ranked = [(rank, one.slug, one) for one in known.values() if (rank := _rank(one, mode, part, model)) is not None]
    return [one for _, _, one in sorted(ranked, key=lambda found: found[:2])]


def _rank(article: Article, mode: str | None, part: str | None, model: str | None) -> int | None:
    """The lower the closer; None where it is about something else."""
    if article.models and model not in article.models:
        return None
    general = 0 if article.models else 1
    if mode is not None and mode in article.modes:
        return general
    if part is not None and part in article.parts:
        return 2 + general
    return None


def past_cases(connection: Connection, ticket: Ticket) -> PastCases:
    """How closed cases like a ticket ended: those of its model, or of all models where there are fewer than five."""
    closed = tickets.closed_like(connection, mode=ticket.mode, part=ticket.part, limit=PAST)
    others = [one for one in closed if one.id != ticket.id and one.merged_into is None]
    own = [one for one in others if one.model == ticket.model]
    same = len(own) >= SHOWN or len(own) == len(others)
    chosen = own if same else others
    return PastCases(
        count=len(chosen),
        same_model=same,
        outcomes=_counted(one.closing_code for one in chosen),
        parts=_counted(one.closing_part for one in chosen),
        remedies=_counted(one.remedy for one in chosen),
        days=_days(chosen),
        newest=tuple(chosen[:SHOWN]),
    )


def _counted(values: Iterable[str | None]) -> Mapping[str, int]:
    found = Counter(value for value in values if value)
    return dict(found.most_common())


def _days(closed: Sequence[Ticket]) -> float | None:
    spans = [_span(one.opened_at, one.closed_at) for one in closed if one.closed_at is not None]
    return median(spans) if spans else None


def _span(opened: datetime, closed: datetime) -> float:
    return (closed - opened).total_seconds() / 86_400
