"""JSON as every database takes it: numbers that JSON does not know, NaN and the infinities, are null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

_ENCODER = json.JSONEncoder(allow_nan=False)


class JsonText(Mapping[str, Any]):
    """A JSON object that is read when somebody looks into it. Equal to any mapping that says the same."""

    __slots__ = ("_said", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._said: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def _read(self) -> dict[str, Any]:
        if self._said is None:
            self._said = dict(json.loads(self._text))
        return self._said


def json_text(value: Any) -> str:
    """A value as JSON text."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
