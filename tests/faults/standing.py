"""A telemetry store that stands still while it is told to: whoever writes waits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, cast

from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Event, Presence, Reading, WriteResult

PATIENCE_S = 60.0


class Standing:
    """Goes on when ``goes`` is set, as it is at first."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real
        self.goes = threading.Event()
        self.goes.set()

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """As the store, once it goes on."""
        self.goes.wait(PATIENCE_S)
        return self._real.write(values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def as_store(self) -> TelemetryStore:
        """It is one, though not by its type."""
        return cast(TelemetryStore, self)
