"""Whose word on a device's firmware counts, where it has several ids.

Each convention spells the firmware its own way (``2.4.1``, ``esphome v2026.4.1``). Taken together, one device would run two firmwares
at once, and an hour of it would count for both. So one id's word counts: the device's own, else that of the alias that told one first.
Readings of the others carry no firmware, and the telemetry store counts them for the one that the device had in that hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Voices:
    """Remembers which id tells the firmware of a device. ``saved`` is its state of before."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        self._told = {device: name for device, name in (saved or {}).items() if isinstance(name, str)}
        self._changed = False

    def counts(self, device: str, told_as: str) -> bool:
        """Whether the firmware that is told under an id is the device's."""
        known = self._told.get(device)
        if known != told_as and (known is None or told_as == device):
            self._told[device] = told_as
            self._changed = True
            return True
        return known == told_as

    def changed(self) -> Mapping[str, Any] | None:
        """The state to save, if it changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return dict(self._told)
