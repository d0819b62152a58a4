"""Articles of the knowledge base, found by failure mode or by words, and whether customers said that they helped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import article_answers, article_terms, articles

K1, B = 1.2, 0.75
"""Usual parameters of BM25 (Robertson, Zaragoza 2009, The Probabilistic Relevance Framework)."""


@dataclass(frozen=True, slots=True)
class Article:
    """What is known about a failure, in one language. ``self_help`` is Markdown for customers, ``body`` Markdown for staff."""

    id: int
    slug: str
    language: str
    title: str
    cause: str
    next_step: str
    self_help: str | None
    body: str
    modes: Sequence[str]
    parts: Sequence[str]
    models: Sequence[str]
    origin: str
    digest: str
    retired: bool
    updated_at: datetime
    updated_by: str
    revision: int


_COLUMNS = tuple(articles.c[name] for name in Article.__dataclass_fields__)


def find(connection: Connection, slug: str, language: str) -> Article | None:
    """An article in one language, also a retired one."""
    query = sa.select(*_COLUMNS).where(articles.c.slug == slug, articles.c.language == language)
    row = connection.execute(query).mappings().one_or_none()
    return Article(**row) if row is not None else None


def get(connection: Connection, slug: str, language: str) -> Article:
    """As `find`. Raises `Missing`."""
    found = find(connection, slug, language)
    if found is None:
        raise Missing("there is no such article in this language", where=f"{slug} ({language})")
    return found


def list_articles(connection: Connection, *, language: str | None = None, retired: bool = False) -> list[Article]:
    """Articles by their slugs."""
    query = sa.select(*_COLUMNS).order_by(articles.c.slug, articles.c.language)
    if language is not None:
        query = query.where(articles.c.language == language)
    if not retired:
        query = query.where(articles.c.retired.is_(False))
    return [Article(**row) for row in connection.execute(query).mappings()]


def put(
    connection: Connection,
    slug: str,
    language: str,
    values: Mapping[str, Any],
    terms: Mapping[str, int],
    *,
    revision: int | None = None,
) -> Article:
    """Write an article and the terms it is found by, at ``revision`` if given. Raises `Stale`."""
    insert_missing(connection, articles, [{"slug": slug, "language": language, **values}])
    update_at_revision(connection, articles, {"slug": slug, "language": language}, revision, values)
    article = get(connection, slug, language)
    connection.execute(sa.delete(article_terms).where(article_terms.c.article_id == article.id))
    rows = [{"article_id": article.id, "term": term, "count": count} for term, count in terms.items()]
    if rows:
        connection.execute(sa.insert(article_terms), rows)
    return article


def search(
    connection: Connection, terms: Iterable[str], *, language: str | None = None, limit: int = 20
) -> list[tuple[Article, float]]:
    """Articles that hold some of the terms, the best first, by BM25 over those of the language; each with its score.

    A single character of a script without blanks stands in the index only within pairs: whatever pair holds it, is found.
    """
    wanted = sorted(_with_pairs(connection, set(terms)))
    known = {one.id: one for one in list_articles(connection, language=language)}
    if not wanted or not known:
        return []
    lengths = _lengths(connection, known)
    counts: dict[int, dict[str, int]] = {}
    for some in batched(wanted):
        columns = (article_terms.c.article_id, article_terms.c.term, article_terms.c.count.label("times"))
        query = sa.select(*columns).where(article_terms.c.term.in_(some))
        for row in connection.execute(query):
            if row.article_id in known:
                counts.setdefault(row.article_id, {})[row.term] = row.times
    spread = Counter(term for found in counts.values() for term in found)
    average = sum(lengths.values()) / len(lengths)
    scores = {
        one: sum(_weight(count, len(known), spread[term], lengths[one] / average) for term, count in found.items())
        for one, found in counts.items()
    }
    best = sorted(scores, key=lambda one: (-scores[one], known[one].slug))[:limit]
    return [(known[one], scores[one]) for one in best]


def _with_pairs(connection: Connection, terms: set[str]) -> set[str]:
    single = sorted(one for one in terms if len(one) == 1 and not one.isascii())
    found = set(terms)
    for one in single:
        pairs = sa.or_(article_terms.c.term.like(f"{one}_"), article_terms.c.term.like(f"_{one}"))
        found.update(connection.execute(sa.select(article_terms.c.term).where(pairs).distinct()).scalars())
    return found


def _lengths(connection: Connection, known: Iterable[int]) -> dict[int, int]:
    query = sa.select(article_terms.c.article_id, sa.func.sum(article_terms.c.count)).group_by(
        article_terms.c.article_id
    )
    found = {article: int(length) for article, length in connection.execute(query)}
    return {one: found.get(one, 1) for one in known}


def _weight(count: int, total: int, holding: int, length: float) -> float:
    rarity = math.log(1 + (total - holding + 0.5) / (holding + 0.5))
    return rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * length))


def note_answer(
    connection: Connection, slug: str, device_id: str, ticket_id: int | None, *, helped: bool, now: datetime
) -> None:
    """A customer says whether an article helped."""
    row = {"slug": slug, "device_id": device_id, "ticket_id": ticket_id, "helped": helped, "at": now}
    connection.execute(sa.insert(article_answers).values(row))


def answers(connection: Connection) -> dict[str, tuple[int, int]]:
    """By slug, how often customers said that it helped, of how many answers."""
    helped = sa.func.sum(sa.case((article_answers.c.helped, 1), else_=0))
    query = sa.select(article_answers.c.slug, helped, sa.func.count()).group_by(article_answers.c.slug)
    return {slug: (int(good), int(total)) for slug, good, total in connection.execute(query)}


def answered(connection: Connection, slug: str, device_id: str, since: datetime) -> bool | None:
    """What was last said about an article for a device since a time; None where nothing was."""
    query = (
        sa.select(article_answers.c.helped)
        .where(article_answers.c.slug == slug, article_answers.c.device_id == device_id, article_answers.c.at >= since)
        .order_by(article_answers.c.id.desc())
        .limit(1)
    )
    found: bool | None = connection.execute(query).scalar_one_or_none()
    return found
