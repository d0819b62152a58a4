"""What a device answered, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def answer_lines(answer: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """An answer as names and values, one line each: ``Wifi / Signal`` and ``-61``."""
    for name, value in answer.items():
        place = f"{path} / {name}" if path else str(name)
        if isinstance(value, Mapping):
            yield from answer_lines(value, place)
        elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
            yield from answer_lines({str(number): one for number, one in enumerate(value, 1)}, place)
        else:
            yield place, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value) or "–"
    return "–" if value is None or value == "" else str(value)
