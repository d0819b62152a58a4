"""What a device answered, made safe to keep: bounded in depth, size and text, without what is a household's own business.

An answer that is too large is cut and says so; it is never refused for its size, because somebody waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hearthwatch.wire.limits import MAX_COUNT, is_wholesome

MAX_ANSWER_DEPTH = 6
"""Levels of an answer, itself included."""
MAX_ANSWER_ITEMS = 600
"""Keys and list items of a whole answer."""
MAX_ANSWER_CHARACTERS = 16_384
"""Letters of all keys and texts of an answer together."""
MAX_ANSWER_TEXT = 512
"""Letters of one text."""
CUT = "cut"
"""The key, beside the others, that says how an answer was too large."""

_PRIVATE = frozenset(
    {
        *("ssid", "ssid1", "ssid2", "bssid", "bssid1", "bssid2", "password", "pass", "psk", "key", "token", "secret"),
        *("mqttuser", "mqttpassword", "user", "lat", "lon", "latitude", "longitude", "ap_ssid", "sta_ssid"),
    }
)
"""Names, in lower case, of what nobody needs to find a fault: networks, accounts, secrets, places."""
_LEFT_OUT = "(left out)"


class _Budget:
    """How much of an answer may still be kept."""

    def __init__(self) -> None:
        self.items = MAX_ANSWER_ITEMS
        self.characters = MAX_ANSWER_CHARACTERS
        self.cut = False

    def takes(self, text: str) -> bool:
        """Whether there is room for one more item of this text."""
        if self.items <= 0 or self.characters < len(text):
            self.cut = True
            return False
        self.items -= 1
        self.characters -= len(text)
        return True


def kept(answer: Any) -> dict[str, Any]:
    """An answer as it is kept: a JSON object within the bounds, whatever was given. Other values stand under ``value``."""
    budget = _Budget()
    given = answer if isinstance(answer, Mapping) else {} if answer is None else {"value": answer}
    whole = _mapping(given, 1, budget)
    return {**whole, CUT: True} if budget.cut else whole


def _mapping(given: Mapping[Any, Any], depth: int, budget: _Budget) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in given.items():
        name = _text(key, budget) if isinstance(key, str) else ""
        if not name or not budget.takes(name):
            continue
        out[name] = _LEFT_OUT if name.lower() in _PRIVATE and value else _value(value, depth + 1, budget)
    return out


def _value(value: Any, depth: int, budget: _Budget) -> Any:
    if isinstance(value, (Mapping, list, tuple)) and depth > MAX_ANSWER_DEPTH:
        budget.cut = True
        return None
    if isinstance(value, Mapping):
        return _mapping(value, depth, budget)
    if isinstance(value, (list, tuple)):
        return [_value(one, depth + 1, budget) for one in value if budget.takes("")]
    return _scalar(value, budget)


def _scalar(value: Any, budget: _Budget) -> Any:
    if isinstance(value, str):
        text = _text(value, budget)
        return text if budget.takes(text) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -MAX_COUNT <= value <= MAX_COUNT else None  # beyond it JSON readers disagree
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None


def _text(value: str, budget: _Budget) -> str:
    if len(value) > MAX_ANSWER_TEXT:
        budget.cut = True
        value = value[:MAX_ANSWER_TEXT]
    return value if is_wholesome(value) else "".join(letter for letter in value if is_wholesome(letter))
