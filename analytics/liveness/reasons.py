"""Why a device is held to be in a state: a key that can be translated, an English sentence, and the values it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

Why = Mapping[str, Any]
"""``{"text_key", "text", "values"}``, as the reasons of a finding. Times are ISO 8601 in UTC, durations seconds in ``..._s``."""

TEXTS: Mapping[str, str] = {
    "never_heard": "Nothing was ever heard of it",
    "heard": "It is heard as often as usual",
    "asleep": "It sleeps between its messages, and the next one is not overdue",
    "flapping": "It comes and goes, and is heard again each time",
    "left": "It left, or the broker gave it up; it may still come back at once",
    "gone": "It left, or the broker gave it up, and it did not come back",
    "late": "Its message is overdue",
    "silent": "It has been silent for much longer than usual",
    "blind": "We could not hear it ourselves",
    "blind_before": "We could not hear it ourselves until a moment ago; it has one interval to be heard again",
    "behind_bridge": "The bridge it depends on is away",
    "bridge_back": "The bridge it depends on has just come back; it has one interval to be heard again",
}


def why(text_key: str, **values: Any) -> Why:
    """A reason; times and durations become JSON."""
    told = {name: _plain(value) for name, value in values.items() if value is not None}
    return {"text_key": text_key, "text": TEXTS[text_key], "values": told}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return round(value.total_seconds()) if isinstance(value, timedelta) else value
