"""Bytes of a payload to JSON values or text, whatever the bytes are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import is_wholesome

MAX_NESTING = 32
"""Levels of any payload."""


def parse_json(payload: bytes) -> Any:
    """A payload as JSON values. Raises `Invalid` for everything that is not JSON in UTF-8.

    Firmware in C prints ``NaN`` and ``Infinity`` for a broken sensor. These come back as such floats, so that the one number can
    be refused and the rest of the message kept. Lone surrogates, which JSON can spell but no store can hold, are refused.
    """
    try:
        return msgspec.json.decode(payload)
    except RecursionError:
        raise Invalid("nested too deeply") from None
    except ValueError:
        return _lenient(payload)


def _lenient(payload: bytes) -> Any:
    """The same, by the slower reader that knows NaN and Infinity; only what msgspec refuses comes here."""
    try:
        value = json.loads(payload.decode("utf-8"))
        _check_texts(value, 0)
    except UnicodeDecodeError:
        raise Invalid("not UTF-8") from None
    except RecursionError:
        raise Invalid("nested too deeply") from None
    except ValueError as error:
        raise Invalid(f"not JSON: {error}") from None
    return value


def _check_texts(value: Any, depth: int) -> None:
    if depth > MAX_NESTING:
        raise Invalid("nested too deeply")
    if isinstance(value, str):
        if not is_wholesome(value):
            raise Invalid("holds a text that cannot be stored")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_texts(key, depth)
            _check_texts(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner, depth + 1)


def parse_object(payload: bytes) -> Mapping[str, Any]:
    """A payload as a JSON object. Raises `Invalid`."""
    value = parse_json(payload)
    if not isinstance(value, dict):
        raise Invalid("expected a JSON object")
    return value


def parse_text(payload: bytes, *, limit: int = 256) -> str:
    """A payload as a short text, without surrounding blanks. Raises `Invalid`."""
    if len(payload) > 4 * limit:
        raise Invalid(f"expected a text of at most {limit} characters")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Invalid("not UTF-8") from None
    if len(text) > limit or not is_wholesome(text):
        raise Invalid(f"expected a text of at most {limit} characters that can be stored")
    return text
