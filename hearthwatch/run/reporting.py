"""Reports to the records how this process is, so that any process can tell of all of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from hearthwatch.errors import HearthwatchError
from hearthwatch.ports import Clock
from hearthwatch.records import processes
from hearthwatch.records.database import Database
from hearthwatch.records.processes import Process

LOG = logging.getLogger(__name__)

EVERY_SECONDS = 10.0


class Reporter:
    """Reports every ten seconds until stopped. ``health`` maps the parts of this process to what tells how they are."""

    def __init__(self, database: Database, clock: Clock, holder: str, role: str, health: Mapping[str, object]) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._role = role
        self._health = health
        self._started_at = clock.now()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Report at once, and from then on."""
        self._thread.start()

    def stop(self) -> None:
        """Take the report back: this process ended in good order."""
        self._stopping.set()
        self._thread.join()
        try:
            with self._database.transaction(alone=False) as connection:
                processes.leave(connection, self._holder)
        except HearthwatchError as error:  # it will look as if it had been killed, for a while
            LOG.info("the last report could not be taken back: %s", error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._report()
            except HearthwatchError as error:
                LOG.warning("no report of this process: %s", error)
            except Exception:  # what a part says of itself must not end the reports of the others
                LOG.exception("no report of this process")
            self._stopping.wait(EVERY_SECONDS)

    def _report(self) -> None:
        told: dict[str, Any] = {name: value() if callable(value) else value for name, value in self._health.items()}
        process = Process(self._holder, self._role, self._started_at, self._clock.now(), told)
        with self._database.transaction(alone=False) as connection:
            processes.report(connection, process)
