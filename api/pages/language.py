"""The language of the staff's pages: what the person chose in the header, else the first of the browser's wishes there are words for.

Sentences stand in the pages in English, as arguments of `Speaker`; translations stand in ``api/locale/<language>/<area>.po``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from gettext import GNUTranslations
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.pages.retelling import CONTEXT, Retelling
from hearthwatch.catalogues import languages_in, messages_of_context, read_catalogues
from hearthwatch.reasons import CHINESE, ENGLISH
from hearthwatch.said import Said, of_told

COOKIE = "hearthwatch_language"
SOURCE = "en"
A_YEAR = 365 * 24 * 3600
HAN = re.compile("[\u4e00-\u9fff]")

router = APIRouter(include_in_schema=False)


class Speaker:
    """Says sentences in one language. ``language`` is its catalogue's name, ``tag`` what HTML calls it."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.tag = language.replace("_", "-")

    def __call__(self, sentence: str, /, **names: object) -> str:
        """A sentence with its ``{names}`` filled in; one without a translation comes out in English."""
        known = self.language != SOURCE and sentence != ""  # a catalogue's own heading stands under the empty text
        said = sentence if not known else _catalogue(self.language).gettext(sentence)
        if self.reasons == CHINESE:
            said = _closed_up(said, names)
        return said.format(**names) if names else said

    def word(self, code: str) -> str:
        """A state, a kind or another code of ours (``fixed_by_update``) as people read it."""
        return self(code.replace("_", " "))

    def retell(self, kept: str) -> str:
        """A sentence that records and reports hold in English; one that is not known comes out as it is."""
        return kept if self.language == SOURCE else _retelling(self.language)(kept)

    def said(self, text: str) -> str:
        """An English sentence in this language: by its template where it is one that remembers it, else as `retell` does."""
        if not isinstance(text, Said):
            return self.retell(text)
        if not text.values:
            told = self(text.template)
            return self.retell(text) if told == text else told
        values = {name: self.said(one) if isinstance(one, Said) else one for name, one in text.values.items()}
        return self(text.template, **values)

    def told(self, kept: Sequence[Mapping[str, Any]] | None, otherwise: str) -> str:
        """The sentences that a record keeps (`hearthwatch.said`); ``otherwise`` where it is of before they were kept."""
        if not kept:
            return self.retell(otherwise)
        return self.joined(self.said(of_told(one)) for one in kept)

    def joined(self, sentences: Iterable[str]) -> str:
        """Whole sentences one after the other."""
        return ("" if self.reasons == CHINESE else " ").join(sentences)

    @property
    def reasons(self) -> str:
        """The language that `hearthwatch.reason_words` is asked for."""
        return CHINESE if self.language.startswith(CHINESE) else ENGLISH


def _closed_up(said: str, names: Mapping[str, object]) -> str:
    """Chinese sets a space between its characters and Latin ones, and none between two of its own: gaps that words fill lose theirs."""
    for name, value in names.items():
        told, gap = str(value), rf"\{{{name}[^{{}}]*\}}"
        if HAN.match(told[:1]):
            said = re.sub(rf"(?<={HAN.pattern}) (?={gap})", "", said)
        if HAN.match(told[-1:]):
            said = re.sub(rf"({gap}) (?={HAN.pattern})", r"\1", said)
    return said


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages the pages can be read in: English, and those there are catalogues for."""
    return (SOURCE, *(name for name in languages_in(resources.files("api") / "locale") if name != SOURCE))


def speaker(request: Request) -> Speaker:
    """Who speaks to the person that opens a page."""
    chosen = request.cookies.get(COOKIE)
    return Speaker(chosen if chosen in languages() else _wished(request.headers.get("accept-language", "")))


def language_of(request: Request) -> str:
    """The language of reasons for the person that opens a page."""
    return speaker(request).reasons


def _wished(accepted: str) -> str:
    wishes = []
    for place, wish in enumerate(accepted.lower().split(",")):
        tag, _, quality = wish.strip().partition(";q=")
        try:
            wishes.append((-float(quality or 1), place, tag.split("-")[0]))
        except ValueError:
            continue
    known = {name.split("_")[0]: name for name in languages()}
    return next((known[tag] for _, _, tag in sorted(wishes) if tag in known), SOURCE)


@lru_cache(maxsize=16)
def _catalogue(language: str) -> GNUTranslations:
    return read_catalogues(resources.files("api") / "locale", language)


@lru_cache(maxsize=16)
def _retelling(language: str) -> Retelling:
    return Retelling(messages_of_context(resources.files("api") / "locale", language, CONTEXT))


@router.get("/language/{language}")
def choose_language(language: str, to: str = "/") -> Response:
    """Remember the language a person wants the pages in, and go back to where they were; other sites are not gone to."""
    parts = urlsplit(to)
    path = parts.path if parts.path.startswith("/") and not parts.path.startswith("//") else "/"
    back = RedirectResponse(path + (f"?{parts.query}" if parts.query else ""), status_code=303)
    if language in languages():
        back.set_cookie(COOKIE, language, max_age=A_YEAR, samesite="lax", httponly=True)
    return back
