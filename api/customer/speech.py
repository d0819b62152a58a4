"""Sentences of the customer's page, in the customer's language and the time zone of their home.

They stand in the sections and templates in English; translations stand in ``api/locale/<language>/customer*.po``. A further language is
a further folder there, beside its catalogue of letters; a sentence without a translation comes out in English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from gettext import NullTranslations
from importlib import resources

from babel.dates import format_date, format_time

from alerts.notices.catalogue import languages
from hearthwatch.catalogues import languages_in, own_name, read_catalogues

# On the page itself there is no link below: there are buttons.
_POINTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": ((r"On your page \(link below\)", "Below"), (r" on your page \(link below\)", " below")),
    "zh_Hans": ((r"您?的?专属页面（链接见下方）上?", "下方"),),
}
"""By language: what a letter says of its link, as a pattern, and what the page says instead."""


class Speech:
    """Says sentences in one language. ``language`` is the catalogue's name (``zh_Hans``), ``tag`` what HTML calls it."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self.language = language
        self.tag = language.replace("_", "-")
        self._zone = zone
        self._catalogue = _catalogue(language)

    def __call__(self, sentence: str, /, **names: object) -> str:
        """A sentence with its ``{names}`` filled in."""
        return (self._catalogue.gettext(sentence) if sentence else "").format(**names)

    def date(self, at: datetime) -> str:
        """A day as people write it there."""
        return format_date(at.astimezone(self._zone).date(), format="long", locale=self.language)

    def moment(self, at: datetime) -> str:
        """A day and a time of it."""
        local = at.astimezone(self._zone)
        day = format_date(local.date(), format="full", locale=self.language)
        return f"{day} {format_time(local.time(), format='short', locale=self.language)}"

    def on_the_page(self, sentence: str) -> str:
        """A sentence of a letter as it reads where the letter's link has led."""
        for pointer, here in _POINTERS.get(self.language, ()):
            sentence = re.sub(pointer, here, sentence)
        return sentence


def own_names() -> dict[str, str]:
    """The languages a customer can choose, each in its own words."""
    return {name: own_name(name) for name in languages()}


@lru_cache(maxsize=16)
def _catalogue(language: str) -> NullTranslations:
    folder = resources.files("api") / "locale"
    return read_catalogues(folder, language) if language in languages_in(folder) else NullTranslations()
