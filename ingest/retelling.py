"""One happening that two conventions tell is one: a device that speaks natively and through Home Assistant boots once.

The first word counts. The second, from another convention within `WINDOW`, is kept as an event of kind ``retold``, with what it said
in its detail: nothing is lost, and no vital counts it. Two reboots that one convention tells are two, however close: a device may
crash in a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hearthwatch.values import Event

WINDOW = timedelta(minutes=2)
"""Between two tellings: a boot is told at once, or with the first uptime, which comes a minute later."""
RETOLD = "retold"
STATE = "identity"
"""Under this name its memory is saved beside the decoders'."""
_KINDS = frozenset({"reboot", "update"})
_REMEMBERED = 2000


class Retelling:
    """Remembers what was told in the last minutes. ``saved`` is its state of before."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self._told: dict[str, list[str]] = {
            key: word for key, word in (saved or {}).items() if isinstance(word, list) and len(word) == 2
        }
        self._changed = False

    def hear(self, event: Event) -> Event:
        """The event as it is to be stored."""
        if event.kind not in _KINDS:
            return event
        convention = event.stream.partition("/")[0]
        key = f"{event.device} {event.kind} {event.code if event.kind == 'update' else ''}".rstrip()
        first = self._told.get(key)
        if first is not None and first[1] != convention and abs(event.at - _time(first[0])) <= WINDOW:
            detail = {**event.detail, "kind": event.kind, "convention": convention, "first": first[1]}
            return replace(event, kind=RETOLD, detail=detail)
        self._remember(key, event.at, convention)
        return event

    def changed(self) -> Mapping[str, Any] | None:
        """The state to save, if it changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return dict(self._told)

    def _remember(self, key: str, at: datetime, convention: str) -> None:
        self._told.pop(key, None)
        self._told[key] = [at.isoformat(), convention]
        self._changed = True
        newest = max(_time(word[0]) for word in self._told.values()) if len(self._told) > _REMEMBERED // 2 else None
        if newest is not None:
            kept = {key: word for key, word in self._told.items() if newest - _time(word[0]) <= 2 * WINDOW}
            self._told = dict(list(kept.items())[-_REMEMBERED:])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
