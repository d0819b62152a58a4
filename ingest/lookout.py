"""Says to the records every few seconds whether this ingestor receives, so that a span in which none did is known for what it was."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from hearthwatch.errors import HearthwatchError
from hearthwatch.ports import Clock
from hearthwatch.records import blindness
from hearthwatch.records.blindness import BROKER_AWAY, NO_INGESTOR, STORE_AWAY, BlindSpan
from hearthwatch.records.database import Database

LOG = logging.getLogger(__name__)


class Lookout:
    """Looks at an ingestor's ``health`` and writes it down. While the records are away nothing can be, which shows later as a gap."""

    def __init__(self, database: Database, clock: Clock, holder: str, health: Callable[[], Mapping[str, Any]]) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._health = health
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)

    def start(self) -> None:
        """Look at once, and from then on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. What comes until somebody looks again is a gap."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> BlindSpan | None:
        """Look once. Returns the blindness that is over, if one is. Raises `Unavailable` when the records are away."""
        reason = _obstacle(self._health())
        now = self._clock.now()
        # Not alone: two that find the same gap write the same row.
        ended = self._database.retrying(
            lambda connection: blindness.beat(connection, self._holder, now, receiving=not reason, reason=reason),
            alone=False,
        )
        if ended is not None:
            LOG.warning("nothing was heard from %s to %s (%s)", ended.since, ended.until, ended.reason)
        return ended

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except HearthwatchError as error:
                LOG.warning("whether we receive could not be written down: %s", error)
            except Exception:  # what an ingestor says of itself must not end the lookout
                LOG.exception("the lookout failed")
            self._stopping.wait(blindness.BEAT.total_seconds())


def _obstacle(health: Mapping[str, Any]) -> str:
    """Why nothing of what the fleet says reaches the records now; empty where it does."""
    if not health.get("running"):
        return NO_INGESTOR
    if not health.get("connected"):
        return BROKER_AWAY
    return STORE_AWAY if health.get("store_away") or _waits(health) else ""


def _waits(health: Mapping[str, Any]) -> bool:
    """Whether messages wait in a spool: what came last is not known yet."""
    sessions = health.get("sessions")
    parts = sessions.values() if isinstance(sessions, Mapping) else [health]
    spools = [part.get("spool") for part in parts if isinstance(part, Mapping)]
    return any(isinstance(spool, Mapping) and spool.get("messages", 0) > 0 for spool in spools)
