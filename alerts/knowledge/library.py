"""The articles: those that come with Hearthwatch, and those that a maker writes or changes.

An article is a Markdown file with TOML between two lines ``+++`` before it, or the same by the API. What comes with Hearthwatch follows
its updates until a person changes it; from then on it is the maker's own.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from alerts.knowledge.terms import terms
from hearthwatch.errors import Invalid
from hearthwatch.records import articles, audit
from hearthwatch.records.articles import Article

SHIPPED = "hearthwatch"
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Z][a-z]{3})?")
FENCE = "+++\n"
HEADED, NAMED = 5, 3
"""How much more a term counts in the title, and in cause and next step, than in the text."""

Sentence = Annotated[str, Field(min_length=1, max_length=400)]
Codes = Annotated[list[Annotated[str, Field(min_length=1, max_length=120)]], Field(max_length=50)]


class Draft(BaseModel):
    """What an article says. ``modes``, ``parts`` and ``models`` are what it is about; no models: all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    cause: Sentence
    next_step: Sentence
    body: Annotated[str, Field(min_length=1, max_length=50_000)]
    self_help: Annotated[str | None, Field(max_length=10_000)] = None
    modes: Codes = []
    parts: Codes = []
    models: Codes = []


def read_file(text: str, where: str) -> Draft:
    """An article from the text of its file. Raises `Invalid`, which names the file and the key."""
    if not text.startswith(FENCE) or FENCE not in text[len(FENCE) :]:
        raise Invalid("an article begins with TOML between two lines of +++", where=where)
    head, body = text[len(FENCE) :].split(FENCE, 1)
    try:
        return Draft.model_validate({**tomllib.loads(head), "body": body.strip()})
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"not TOML: {error}", where=where) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Invalid(first["msg"], where=f"{where}: {'.'.join(str(step) for step in first['loc'])}") from None


def shipped() -> Iterator[tuple[str, str, str]]:
    """(slug, language, text) of every article that comes with Hearthwatch."""
    for folder in sorted((resources.files("alerts") / "knowledge" / "articles").iterdir(), key=lambda one: one.name):
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda one: one.name):
                yield folder.name, file.name.removesuffix(".md"), file.read_text(encoding="utf-8")


def ensure_articles(connection: Connection, now: datetime) -> int:
    """See that the articles that come with Hearthwatch are there as they are now; what a person changed stays. Returns how many changed."""
    changed = 0
    for slug, language, text in shipped():
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = articles.find(connection, slug, language)
        if known is None or (known.origin == "shipped" and known.digest != digest):
            draft = read_file(text, f"{slug}/{language}.md")
            _write(connection, slug, language, draft, SHIPPED, now, origin="shipped", digest=digest)
            changed += 1
    return changed


def write(
    connection: Connection, slug: str, language: str, revision: int | None, draft: Draft, actor: str, now: datetime
) -> Article:
    """Write an article of the maker's own, or change one. Raises `Invalid` for a name that is none, or `Stale`."""
    if SLUG.fullmatch(slug) is None or len(slug) > 64:
        raise Invalid("an article's name is small letters, digits and single hyphens", where="slug")
    if LANGUAGE.fullmatch(language) is None:
        raise Invalid("a language is written like en or zh_Hans", where="language")
    written = _write(connection, slug, language, draft, actor, now, origin="own", digest="", revision=revision)
    audit.note(connection, at=now, actor=actor, action="article.write", object=f"article:{slug}/{language}", detail={})
    return written


def retire(
    connection: Connection, slug: str, language: str, revision: int | None, actor: str, now: datetime
) -> Article:
    """Take an article out of what is proposed and found. Raises `Missing` or `Stale`."""
    known = articles.get(connection, slug, language)
    values = {"retired": True, "origin": "own", "updated_at": now, "updated_by": actor}
    audit.note(connection, at=now, actor=actor, action="article.retire", object=f"article:{slug}/{language}", detail={})
    return articles.put(connection, slug, language, {**_values(known), **values}, {}, revision=revision)


def _write(
    connection: Connection,
    slug: str,
    language: str,
    draft: Draft,
    actor: str,
    now: datetime,
    *,
    origin: str,
    digest: str,
    revision: int | None = None,
) -> Article:
    values: dict[str, Any] = {
        **draft.model_dump(),
        "self_help": draft.self_help.strip() if draft.self_help and draft.self_help.strip() else None,
        "origin": origin,
        "digest": digest,
        "retired": False,
        "updated_at": now,
        "updated_by": actor[:120],
    }
    found = terms(draft.body + "\n" + (draft.self_help or ""))
    for text, weight in ((draft.title, HEADED), (f"{draft.cause}\n{draft.next_step}", NAMED)):
        for term, count in terms(text).items():
            found[term] += weight * count
    return articles.put(connection, slug, language, values, found, revision=revision)


def _values(known: Article) -> dict[str, Any]:
    fixed = {"id", "slug", "language", "revision"}
    return {name: getattr(known, name) for name in Article.__dataclass_fields__ if name not in fixed}
