"""Says the sentences of letters in a reader's language, with dates by the clock of their home."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo

from babel.dates import format_date, format_time

from alerts.notices.catalogue import translations

NAME_LENGTH = 80
TEXT_LENGTH = 4000
"""Of a person's own words in a letter."""


@dataclass(frozen=True, slots=True)
class Brand:
    """The maker as notices show it; empty texts are left out."""

    name: str
    phone: str = ""
    privacy_url: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it: a name, a language in any spelling, the time zone of the home."""

    name: str
    language: str
    zone: tzinfo


class Speaker:
    """Says sentences in one language that there is a catalogue for."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self.language = language
        self._translated = translations(language).gettext
        self._zone = zone

    def __call__(self, sentence: str, /, **names: str) -> str:
        return self._translated(sentence).format(**names)

    def date(self, at: datetime) -> str:
        """A day, written out."""
        return format_date(at.astimezone(self._zone).date(), format="long", locale=self.language)

    def moment(self, at: datetime) -> str:
        """A day with its weekday, and a time."""
        local = at.astimezone(self._zone)
        day = format_date(local.date(), format="full", locale=self.language)
        return f"{day} {format_time(local.time(), format='short', locale=self.language)}"


def plain(text: str, length: int = NAME_LENGTH) -> str:
    """A text from outside on one line: without control and direction characters, of bounded length."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    short = " ".join(kept.split())
    return short if len(short) <= length else short[: length - 1] + "…"


def plain_lines(text: str, length: int = TEXT_LENGTH) -> list[str]:
    """A text of a person as paragraphs, each on one line; empty ones are left out."""
    return [line for part in text[:length].splitlines() if (line := plain(part, length))]
