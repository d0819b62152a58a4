"""What still keeps a campaign from being sent: words that soften, and what the law wants in it and is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.campaigns.content import AdvisoryContent, Content, RecallContent, Selection
from alerts.campaigns.selection import is_empty, matching
from alerts.notices.catalogue import FALLBACK, choose
from alerts.notices.softening import Softening, lint
from alerts.notices.speech import Brand
from hearthwatch.records import customers

NEEDED = {"recall": ("hazard", "what_to_do"), "advisory": ("what",)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is missing or wrong: where, what, and which law wants it (empty: none)."""

    field: str
    message: str
    law: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" + (f" ({self.law})" if self.law else "")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a campaign brought out. ``languages`` are those its readers read, ``devices`` how many it concerns now."""

    problems: tuple[Problem, ...]
    softenings: tuple[Softening, ...]
    languages: tuple[str, ...]
    devices: int

    @property
    def clean(self) -> bool:
        """Whether it may go to a second person."""
        return not self.problems and not self.softenings


def check(connection: Connection, content: Content, brand: Brand, now: datetime) -> Checked:
    """Look at a campaign's words and at what it lacks."""
    ids = matching(connection, content.selection, now)
    owners = customers.owners_of(connection, ids, now)
    read = tuple(sorted({choose(owner.customer.language) for owner in owners.values()})) or (FALLBACK,)
    problems = [*_devices(content.selection, ids), *_texts(content, read), *_own(content), *_contact(content, brand)]
    return Checked(tuple(problems), tuple(lint(free_texts(content))), read, len(ids))


def free_texts(content: Content) -> Mapping[str, str]:
    """Everything the maker writes in words of their own, by its place."""
    found = {"product": content.product}
    if isinstance(content, RecallContent):
        found["one_remedy_because"] = content.one_remedy_because
    for language, texts in sorted(content.texts.items()):
        for field, text in texts.model_dump().items():
            found[f"texts.{language}.{field}"] = text
    return found


def _devices(selection: Selection, ids: list[str]) -> Iterator[Problem]:
    if is_empty(selection):
        yield Problem("selection", "it names no model, no serial number and no device")
    elif not ids:
        yield Problem("selection", "it fits no device")


def _texts(content: Content, read: tuple[str, ...]) -> Iterator[Problem]:
    if not content.product:
        yield Problem("product", "say what the product is called", "Art. 36(2)(b)(i) GPSR")
    law = "Art. 36(2) GPSR" if content.kind == "recall" else "Art. 14(8) CRA"
    for language in read:
        if language not in content.texts:
            yield Problem(f"texts.{language}", "owners read this language, and there are no texts in it", law)
    for language, texts in sorted(content.texts.items()):
        for field in NEEDED[content.kind]:
            if not getattr(texts, field):
                yield Problem(f"texts.{language}.{field}", "this is missing", law)


def _own(content: Content) -> Iterator[Problem]:
    if isinstance(content, RecallContent):
        yield from _recall(content)
    else:
        yield from _advisory(content)


def _recall(content: RecallContent) -> Iterator[Problem]:
    if not content.picture_url:
        yield Problem("picture_url", "a picture of the product is missing", "Art. 36(2)(b)(i) GPSR")
    if not content.brand:
        yield Problem("brand", "the brand is missing", "Art. 36(2)(b)(i) GPSR")
    if not content.remedies:
        yield Problem("remedies", "offer a remedy", "Art. 37(1) GPSR")
    elif len(set(content.remedies)) < 2 and not content.one_remedy_because:
        said = "offer at least two, or say why the others are impossible or out of proportion"
        yield Problem("remedies", said, "Art. 37(2) GPSR")


def _advisory(content: AdvisoryContent) -> Iterator[Problem]:
    if not content.fixed_version:
        for language, texts in sorted(content.texts.items()):
            if not texts.mitigation:
                said = "say what users can do, or which version mends it"
                yield Problem(f"texts.{language}.mitigation", said, "Art. 14(8) CRA")


def _contact(content: Content, brand: Brand) -> Iterator[Problem]:
    if not (content.phone or content.url or brand.phone):
        law = "Art. 36(2)(f) GPSR" if content.kind == "recall" else ""
        yield Problem("phone", "a free phone number or an interactive online service is missing", law)
