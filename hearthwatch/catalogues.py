"""Catalogues of translations: folders of gettext ``.po`` files, one folder a language. A further language is a further folder."""

from __future__ import annotations

import gettext
import io
from importlib.resources.abc import Traversable

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

OWN_NAMES = {"zh_Hans": "简体中文", "zh_Hant": "繁體中文"}
"""Languages that call themselves otherwise than the registry of locales does."""


def own_name(language: str) -> str:
    """A language in its own words."""
    return OWN_NAMES.get(language) or Locale.parse(language).get_display_name(language) or language


def languages_in(folder: Traversable) -> tuple[str, ...]:
    """The languages (``en``, ``zh_Hans``) that a folder has catalogues for, sorted."""
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and _files(entry)))


def read_catalogues(folder: Traversable, language: str) -> gettext.GNUTranslations:
    """All catalogues of a language in a folder, as one; sentences that they lack come out as they were given."""
    whole = Catalog(locale=language)
    for file in _files(folder / language):
        for message in read_po(io.BytesIO(file.read_bytes()), locale=language):
            if message.id and message.string:
                whole.add(message.id, message.string, context=message.context)
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def messages_of_context(folder: Traversable, language: str, context: str) -> dict[str, str]:
    """The messages of a language that stand in a context of their own, with their translations."""
    return {
        str(message.id): str(message.string)
        for file in _files(folder / language)
        for message in read_po(io.BytesIO(file.read_bytes()), locale=language)
        if message.context == context and message.string
    }


def _files(folder: Traversable) -> list[Traversable]:
    """The catalogues of one language, also one level down (``LC_MESSAGES``)."""
    within = sorted(folder.iterdir(), key=lambda entry: entry.name)
    below = [file for entry in within if entry.is_dir() for file in _files(entry)]
    return [entry for entry in within if entry.name.endswith(".po")] + below
