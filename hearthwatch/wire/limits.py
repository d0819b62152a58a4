"""What may enter: the bounds on names, numbers and texts that every convention keeps."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.values import DEVICE_ID, METRIC_NAME

MAX_METRICS = 64
"""Metrics of one sample."""
MAX_SAMPLES = 1000
"""Samples of one message."""
MAX_NUMBER = 1e15
"""Largest absolute value of a metric: every integer up to here is exact in a 64-bit float."""
MAX_COUNT = 2**53
"""Largest sequence number: the largest range in which JSON readers agree on integers."""
MAX_TEXT = 256
"""Characters of a firmware string, a boot id, a model, a code."""
MAX_DEPTH = 4
"""Levels of a detail object, itself included."""
MAX_DETAIL_ITEMS = 256
"""Keys and list items of a whole detail object."""
MAX_DETAIL_TEXT = 4096
"""Characters of one text in a detail object."""

KNOWN_COPY = "a retained copy of what is known"
"""The reason to ignore a retained presence that says nothing new; the ledger counts it as a duplicate."""


def check_device(device: str) -> str:
    """The id itself; raises `Invalid` when it is not ``[A-Za-z0-9._-]{1,64}``."""
    if not is_device(device):
        raise Invalid(f"not a device id: {shown(device)}")
    return device


@lru_cache(maxsize=65_536)
def is_device(device: str) -> bool:
    """Whether a text is a device id."""
    return DEVICE_ID.fullmatch(device) is not None


_KNOWN_METRICS: set[str] = set()
_METRICS_KNOWN = 8192


def are_metrics(names: Collection[str]) -> bool:
    """Whether all of these texts are metric names: asked for every sample, and nearly always of the same few."""
    if _KNOWN_METRICS.issuperset(names):
        return True
    if not all(map(is_metric, names)):
        return False
    if len(_KNOWN_METRICS) < _METRICS_KNOWN:
        _KNOWN_METRICS.update(names)
    return True


@lru_cache(maxsize=8192)
def is_metric(name: str) -> bool:
    """Whether a text is a metric name."""
    return METRIC_NAME.fullmatch(name) is not None


def number(value: Any) -> float | None:
    """A JSON number or boolean as a float (booleans are 0 and 1); None for anything else, what is not finite or too large."""
    if isinstance(value, (bool, int)):
        return float(value) if abs(value) <= MAX_NUMBER else None
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) <= MAX_NUMBER else None
    return None


def is_wholesome(text: str) -> bool:
    """Whether every store and terminal can take a text: no NUL and no lone surrogates."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def optional_text(value: Any, name: str, *, limit: int = MAX_TEXT) -> str | None:
    """A short text, or None where it is absent or empty. Raises `Invalid` for anything else."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(f"{name} is not a text")
    if len(value) > limit:
        raise Invalid(f"{name} is longer than {limit} characters")
    if not is_wholesome(value):
        raise Invalid(f"{name} holds characters that cannot be stored")
    return value


def optional_count(value: Any, name: str) -> int | None:
    """A whole number of [0, 2**53], or None where it is absent. Raises `Invalid` for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise Invalid(f"{name} is not a whole number of 0 to 2^53")
    return value


def check_detail(value: Any, name: str = "detail") -> dict[str, Any]:
    """A detail object, bounded in depth, size and text. Raises `Invalid`; None counts as empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{name} is not an object")
    if _weigh(value, name, 1) > MAX_DETAIL_ITEMS:
        raise Invalid(f"{name} holds more than {MAX_DETAIL_ITEMS} items")
    return value


def _weigh(value: Any, name: str, depth: int) -> int:
    """Count the items below a JSON value; raises `Invalid` for what cannot be stored."""
    if isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            raise Invalid(f"{name} is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for key in value:
                _weigh(key, name, depth)
        inner = value.values() if isinstance(value, dict) else value
        return sum(1 + _weigh(item, name, depth + 1) for item in inner)
    if isinstance(value, str):
        if len(value) > MAX_DETAIL_TEXT or not is_wholesome(value):
            raise Invalid(f"{name} holds a text that is too long or cannot be stored")
    elif isinstance(value, int) and not -MAX_COUNT <= value <= MAX_COUNT:
        raise Invalid(f"{name} holds a number beyond 2^53")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Invalid(f"{name} holds a number that is not finite")
    return 0


def shown(value: Any, limit: int = 60) -> str:
    """A hostile text made safe and short for a reason."""
    text = ascii(value)
    return text if len(text) <= limit else text[:limit] + "..."
