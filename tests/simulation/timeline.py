"""Virtual time: what happens when, a clock that can be wrong, and the trace of it all."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOST_EVENTS = 100_000


class Violation(BaseException):
    """A law was broken."""


class Timeline:
    """Seconds that only run forward, and what is to happen at which of them, in order.

    It stands in for the module ``time`` where code under test asks for ``monotonic()``, and is its `Clock`: the true time of day
    plus ``error``, which jumps.
    """

    def __init__(self, *, traced: bool = False) -> None:
        self.at = 0.0
        self.error = timedelta(0)
        self.disturbed = False
        self.trace: list[str] | None = [] if traced else None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._happened = 0

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.at

    def true_now(self) -> datetime:
        """The time of day as it is."""
        return START + timedelta(seconds=self.at)

    def now(self) -> datetime:
        """The time of day as this machine has it."""
        return self.true_now() + self.error

    def jump(self, error: timedelta) -> None:
        """From here on the machine's clock is wrong by this much."""
        self.tell("clock", f"is wrong by {error.total_seconds():+.0f} s")
        self.error = error
        self.disturbed = self.disturbed or bool(error)

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Something is to happen so much later."""
        self.when(self.at + seconds, event)

    def when(self, moment: float, event: Callable[[], None]) -> None:
        """Something is to happen at a moment; of several at one moment the first told is the first to happen."""
        heapq.heappush(self._events, (moment, next(self._order), event))

    def next_at(self) -> float | None:
        """When the next thing happens."""
        return self._events[0][0] if self._events else None

    def happen(self, until: float) -> None:
        """Let everything happen up to a moment, and arrive there."""
        while self._events and self._events[0][0] <= until:
            moment, _, event = heapq.heappop(self._events)
            self.at = max(self.at, moment)
            self._happened += 1
            if self._happened > MOST_EVENTS:
                raise Violation("it never comes to rest")
            try:
                event()
            except Exception as error:
                raise Violation(f"{type(error).__name__}: {error}") from error
        self.at = max(self.at, until)

    def tell(self, who: str, what: str) -> None:
        """A line for whoever reads a replay."""
        if self.trace is not None:
            self.trace.append(f"{self.at:10.4f}  {who:<9} {what}")
