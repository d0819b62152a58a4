"""What a message tells, which must be found again in what is stored: by names that its values keep for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hearthwatch.values import Event, Presence, Reading

POISON: Final = "poison"
EXPIRED: Final = "expired"
KNOWN_METRICS: Final = frozenset({"value", "power_w", POISON, EXPIRED})
STOLEN: Final = "stolen"


@dataclass(frozen=True, slots=True)
class Told:
    """One value a message tells. ``name`` names it for ever, or, for what has no time and no count, all that look the same."""

    name: str
    firmware: str | None
    metrics: frozenset[str] = frozenset()
    bad: bool = False
    may_be_ignored: bool = False
    relies_on: Sent | None = None
    firmware_is_sure: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A message as published. One that is ``malformed`` can only be held back."""

    number: int
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    told: tuple[Told, ...] = ()
    malformed: bool = False


def name_of(value: Reading | Event | Presence) -> str:
    """The `Told.name` of a stored value."""
    if isinstance(value, Reading):
        if value.clockless:
            return f"{value.device} clockless {value.boot} {value.seq}"
        if value.stream.startswith("shelly"):
            return f"{value.device} {value.stream} {sorted(value.metrics.items())}"
        return f"{value.device} reading {value.at.isoformat()}"
    if isinstance(value, Event):
        if value.stream.startswith("shelly"):
            return f"{value.device} {value.kind}"
        return f"{value.device} event {value.boot} {value.seq}"
    if value.online:
        return f"{value.device} online {value.at.isoformat()}"
    return f"{value.device} will {value.boot}"
