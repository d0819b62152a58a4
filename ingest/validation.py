"""What decoding cannot know: times that cannot be, senders that are others, metric names beyond the budget, messages too large."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from hearthwatch.values import Event, Message, Presence, Reading, Rejection, Value
from ingest.limits import Limits

OF_ANOTHER_USER = "sent by another user than the device it speaks for"
PAYLOAD_KEPT_BYTES = 65_536
"""How much of a message that is too large quarantine keeps, to show what it was."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The times a value may have: not so old that it would be deleted at once, not further ahead than clocks differ."""

    earliest: datetime
    latest: datetime

    @classmethod
    def at(cls, now: datetime, limits: Limits) -> TimeWindow:
        """The window around ``now``."""
        return cls(now - timedelta(days=limits.raw_days), now + timedelta(seconds=limits.clock_skew_s))


def oversize(message: Message, limits: Limits) -> Rejection | None:
    """Why a message is not even read, or None."""
    size = len(message.payload)
    if size <= limits.max_payload_bytes:
        return None
    return Rejection(f"{size} bytes, at most {limits.max_payload_bytes} are read")


def objection(value: Value, message: Message, window: TimeWindow) -> Rejection | None:
    """Why a decoded value is not taken in, or None."""
    if message.user is not None and message.user != value.device:
        return Rejection(OF_ANOTHER_USER, part_of(value), value.device)
    if isinstance(value, (Reading, Event, Presence)) and not window.earliest <= value.at <= window.latest:
        late = value.at < window.earliest
        reason = "the time lies before what is kept" if late else "the time lies in the future"
        return Rejection(f"{reason}: {value.at.isoformat()}", part_of(value), value.device)
    return None


def without_metrics(reading: Reading, unwanted: Collection[str]) -> tuple[Reading | None, list[Rejection]]:
    """A reading without the metrics beyond the budget (None when nothing is left), and a rejection for each.

    The last one stands for the whole sample where nothing of it is left, the others for none.
    """
    kept = {name: number for name, number in reading.metrics.items() if name not in unwanted}
    dropped = [name for name in reading.metrics if name in unwanted]
    rejections = [
        Rejection("a new metric name beyond the budget", f"{part_of(reading)} {name}", reading.device, samples=0)
        for name in dropped
    ]
    if kept:
        return msgspec.structs.replace(reading, metrics=kept), rejections
    rejections[-1] = replace(rejections[-1], samples=1)
    return None, rejections


def part_of(value: Value) -> str:
    """Names a value within its message, for quarantine."""
    return f"{type(value).__name__.lower()} at {value.at.isoformat()}"
