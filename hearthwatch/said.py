"""Sentences that remember their gaps: English text that can be told in another language, at once or out of a record.

The English template is the key under which a translation stands, as in gettext's catalogues.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Said(str):
    """An English sentence. ``template`` has ``{gaps}``, ``values`` fill them: text, numbers, or further such sentences."""

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Said:
        """The template, its gaps filled in; taken as it is where there are no values."""
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made


def as_told(text: str) -> dict[str, Any]:
    """A sentence as a record keeps it: ``text`` with gaps, and ``values``, where sentences are nested in the same form."""
    if not isinstance(text, Said):
        return {"text": str(text), "values": {}}
    return {"text": text.template, "values": {name: _kept(value) for name, value in text.values.items()}}


def all_told(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Several sentences as a record keeps them."""
    return [as_told(text) for text in texts]


def of_told(told: Mapping[str, Any]) -> Said:
    """The sentence that a record keeps. Raises `KeyError` where a gap has no value."""
    values = {name: of_told(one) if isinstance(one, Mapping) else one for name, one in told["values"].items()}
    return Said(str(told["text"]), **values)


def _kept(value: object) -> object:
    if isinstance(value, Said):
        return as_told(value)
    return value if isinstance(value, int | float) else str(value)
