"""One role of the platform on a clock that stands in a file: ``python -m tests.e2e.stepped_role ROLE PORT CLOCK_FILE``.

It is ``hearthwatch up --role ROLE`` but for two things: what time it is, and that the jobs that are due run at once. How long nobody has
held a session of the broker is measured in real seconds all the same.
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from hearthwatch.clock import SystemClock
from hearthwatch.errors import HearthwatchError
from hearthwatch.run import logs
from hearthwatch.run.schedule import Schedule
from hearthwatch.run.up import run_up
from hearthwatch.settings import load_settings
from ingest.sessions import Sessions
from tests.e2e.story_on_roles import jobs_clock

PAUSE_SECONDS = 0.05


class ClockInAFile:
    """Tells the time that somebody wrote into a file; ``until_then`` is another file that counts while the first is not there."""

    def __init__(self, path: Path, until_then: Path) -> None:
        self._path = path
        self._until_then = until_then

    def now(self) -> datetime:
        """The time written there."""
        path = self._path if self.has_struck() else self._until_then
        return datetime.fromisoformat(path.read_text())

    def has_struck(self) -> bool:
        """Whether anything has been written yet."""
        return self._path.exists()


class SessionsInRealTime(Sessions):
    """Sessions of the broker that do not seem to be left because the story's clock leaps."""

    def __init__(self, *given: Any) -> None:
        split, opening, database, _clock, *rest = given
        super().__init__(split, opening, database, SystemClock(), *rest)


class Steps:
    """Drives a schedule as a `hearthwatch.run.schedule.Timer` does, by looking again and again what is due."""

    def __init__(self, clock: ClockInAFile, schedule: Schedule[Any]) -> None:
        self._clock = clock
        self._schedule = schedule
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steps", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job that is running."""
        self._ending.set()
        self._schedule.stop()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(PAUSE_SECONDS):
            if not self._clock.has_struck():
                continue
            try:
                self._schedule.run_due()
            except HearthwatchError as error:
                sys.stderr.write(f"the jobs could not begin: {error}\n")


def main(role: str, port: str, clock_file: str) -> None:
    """Run the role until SIGTERM."""
    settings = load_settings(port=int(port))
    logs.configure(settings.log_level, settings.log_format)
    everybodys = Path(clock_file)
    clock = ClockInAFile(jobs_clock(everybodys) if role == "jobs" else everybodys, everybodys)
    with (
        mock.patch("hearthwatch.run.up.SystemClock", return_value=clock),
        mock.patch("hearthwatch.run.schedule.Timer", partial(Steps, clock)),
        mock.patch("hearthwatch.run.assembly.Sessions", SessionsInRealTime),
    ):
        run_up(settings, role)


if __name__ == "__main__":
    main(*sys.argv[1:])
