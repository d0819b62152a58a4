"""The catalogues of translations, read once: a folder of ``.po`` files for each language (docs/notices.md says how to add one)."""

from __future__ import annotations

import gettext
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from hearthwatch.catalogues import languages_in, read_catalogues

FALLBACK = "en"
FOLDER: Traversable = resources.files("alerts") / "locale"


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages there is a catalogue for (``en``, ``zh_Hans``), sorted."""
    return languages_in(FOLDER)


@lru_cache(maxsize=256)
def choose(wanted: str) -> str:
    """The language to write in for one a customer asks for, in any spelling (``zh-CN``, ``zh``, ``de_AT``); else English."""
    try:
        locale = Locale.parse(wanted.strip().replace("-", "_"))
    except (ValueError, TypeError, UnknownLocaleError):
        return FALLBACK
    script = locale.script or _likely_script(locale.language)
    for name in (f"{locale.language}_{script}", locale.language):
        if name in languages():
            return name
    return FALLBACK


def _likely_script(language: str) -> str | None:
    likely = get_global("likely_subtags").get(language)
    return Locale.parse(likely).script if likely else None


@lru_cache(maxsize=32)
def translations(language: str) -> gettext.GNUTranslations:
    """The catalogue of a language that `languages` names; sentences it lacks come out in English."""
    return read_catalogues(FOLDER, language)
