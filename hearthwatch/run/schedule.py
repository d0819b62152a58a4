"""The table of jobs, and the two things that drive it: the demo's stepped clock, and APScheduler under a real one.

Of several processes with this table, the one that holds the lease works it. When the connection that carries the lease breaks while a job
runs, the server gives the lease to another process, which takes the window over at once, while the first one still works: it can not know.
That is harmless. The window stays one row: the newcomer's attempt has the next number, and the first one's result is refused. And every
job may be run twice: its effects have keys (findings, tickets, notices, rollups). What was being sent goes again under the same key, which
a mail server does not know (docs/adr/0008-postgresql.md).

A job that fails because something was away (`Unavailable`) is tried again after 1, 2, 4, ... minutes, at most an hour,
while its window lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hearthwatch.errors import HearthwatchError, Unavailable
from hearthwatch.ports import Clock
from hearthwatch.records import job_runs
from hearthwatch.records.database import RETRIES, Database
from hearthwatch.records.leases import lease
from hearthwatch.records.postgresql import Contended

LOG = logging.getLogger(__name__)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEASE = "scheduler"
WATCH_EVERY = timedelta(seconds=5)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A row of the table: run ``work(platform, now)`` once in every window of length ``every``; ``after`` shifts the windows."""

    name: str
    every: timedelta
    work: Callable[[P, datetime], Mapping[str, Any]]
    after: timedelta = timedelta(0)

    def due_at(self, now: datetime) -> datetime:
        """The start of the window that ``now`` lies in."""
        windows = (now - EPOCH - self.after) // self.every
        return EPOCH + self.after + windows * self.every


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of a job ended; ``seconds`` is real time."""

    job: str
    seconds: float
    result: Mapping[str, Any] | None
    error: str | None


class Schedule(Generic[P]):
    """Runs the jobs of a table in their order, each window once, whoever drives it. ``holder`` names this process in the runs' rows."""

    def __init__(self, jobs: Sequence[Job[P]], platform: P, database: Database, clock: Clock, holder: str) -> None:
        self.jobs = tuple(jobs)
        self._platform = platform
        self._database = database
        self._clock = clock
        self._holder = holder
        self._lease = lease(database, LEASE)
        self._leads = False
        self._turn = threading.RLock()  # one job at a time: a run that is called running is never ours
        self._stopping = threading.Event()
        self._again: dict[str, datetime] = {}  # jobs that failed and are tried again within their window

    @property
    def leads(self) -> bool:
        """Whether this process works the table, as far as it knows."""
        return self._leads

    def run_due(self) -> list[Outcome]:
        """Run every job whose window has not been worked yet, in the order of the table; nothing while another holds the lease."""
        with self._turn:
            return self._run_in_order(self.jobs)

    def watch(self) -> list[Outcome]:
        """Ask for the lease; whoever newly gets it works at once what the last holder left undone. Does not wait for a job that runs.

        Whoever has it tries again what failed because something was away.
        """
        if not self._turn.acquire(blocking=False):
            return []
        try:
            if not (self._leads and self._lead()):
                return self.run_due()
            now = self._clock.now()
            return self._run_in_order(
                [job for job in self.jobs if job.name in self._again and self._again[job.name] <= now]
            )
        finally:
            self._turn.release()

    def run(self, job: Job[P]) -> Outcome | None:
        """Run one job, unless its window is done or another scheduler holds the lease (then None).

        Whoever gets the lease by this call first works what the last holder left undone: data flow down the table.
        """
        with self._turn:
            led = self._leads
            if self._stopping.is_set() or not self._lead():
                return None
            if led:
                return self._work_window(job)
            return next((outcome for outcome in self.run_due() if outcome.job == job.name), None)

    def stop(self) -> None:
        """Begin no further job, wait for the one that runs, and let the lease go."""
        self._stopping.set()
        with self._turn:
            self._lease.give_up()

    def _lead(self) -> bool:
        self._leads = self._lease.hold()
        return self._leads

    def _run_in_order(self, jobs: Sequence[Job[P]]) -> list[Outcome]:
        outcomes = []
        for job in jobs:
            if self._stopping.is_set() or not self._lead():
                break  # whoever leads now begins at the top of the table, and so do we when we get it back
            outcomes.append(self._work_window(job))
        return [outcome for outcome in outcomes if outcome is not None]

    def _work_window(self, job: Job[P]) -> Outcome | None:
        try:
            return self._claim_and_work(job)
        except Unavailable:
            # The records were away. Whoever newly leads works all that is due, so this window does not wait for the next.
            self._leads = False
            raise

    def _claim_and_work(self, job: Job[P]) -> Outcome | None:
        now = self._clock.now()
        due = job.due_at(now)
        with self._database.transaction(alone=False) as connection:
            attempt = job_runs.claim(connection, job.name, due, now, self._holder)
            again = job_runs.tried_again_at(connection, job.name, due) if attempt is None else None
        self._remember(job, again)
        return None if attempt is None else self._work(job, due, now, attempt)

    def _remember(self, job: Job[P], again: datetime | None) -> None:
        self._again.pop(job.name, None)
        if again is not None:
            self._again[job.name] = again

    def _again_at(self, job: Job[P], due: datetime, attempt: int) -> datetime | None:
        """When a window is tried again in which something was away; None when the next window comes before."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 10))
        again = self._clock.now() + pause
        return again if again < due + job.every else None

    def _worked(self, job: Job[P], now: datetime) -> Mapping[str, Any]:
        for _ in range(RETRIES):
            try:
                return job.work(self._platform, now)
            except Contended:  # rolled back, and not its fault: a daily job does not wait for tomorrow
                LOG.info("job %s begins again: another transaction was in the way", job.name)
        return job.work(self._platform, now)

    def _work(self, job: Job[P], due: datetime, now: datetime, attempt: int) -> Outcome:
        began = time.perf_counter()
        result: Mapping[str, Any] | None = None
        error: str | None = None
        again: datetime | None = None
        try:
            result = self._worked(job, now)
        except HearthwatchError as failure:
            again = self._again_at(job, due, attempt) if isinstance(failure, Unavailable) else None
            error = f"{type(failure).__name__}: {failure}"
            LOG.warning("job %s failed: %s", job.name, error, extra={"job": job.name})
        except Exception as failure:  # one broken job must not stop the others
            error = f"{type(failure).__name__}: {failure}"
            LOG.exception("job %s broke", job.name, extra={"job": job.name})
        ended = self._clock.now()
        with self._database.transaction(alone=False) as connection:
            ours = job_runs.finish(
                connection, job.name, due, ended, attempt, result=result, error=error, again_at=again
            )
        self._remember(job, again)
        if not ours:
            LOG.warning("job %s was taken over by another scheduler while it ran: the lease had been lost", job.name)
        seconds = time.perf_counter() - began
        if error is None:
            counts = {name: value for name, value in (result or {}).items() if isinstance(value, int)}
            more = {"job": job.name, "seconds": round(seconds, 3), "counts": counts}
            LOG.log(_level(counts), "job %s done in %.1f s", job.name, seconds, extra=more)
        return Outcome(job.name, seconds, result, error)


def _level(counts: Mapping[str, int]) -> int:
    """A run that did something is worth a line; most runs of the frequent jobs did nothing."""
    return logging.INFO if any(counts.values()) else logging.DEBUG


class Timer(Generic[P]):
    """Drives a schedule in real time, by APScheduler 3, one job at a time."""

    def __init__(self, schedule: Schedule[P]) -> None:
        self._schedule = schedule
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1), "watch": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )

    def start(self) -> None:
        """Begin; every job runs once at once if its window has not been worked yet."""
        for job in self._schedule.jobs:
            self._scheduler.add_job(
                self._surviving,
                IntervalTrigger(seconds=job.every.total_seconds(), start_date=EPOCH + job.after, timezone=UTC),
                args=(job.name, partial(self._schedule.run, job)),
                id=job.name,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(
            self._surviving,
            IntervalTrigger(seconds=WATCH_EVERY.total_seconds(), timezone=UTC),
            args=("watch", self._schedule.watch),
            executor="watch",
        )
        self._scheduler.start()

    def stop(self) -> None:
        """End after the job that is running."""
        self._schedule.stop()
        self._scheduler.shutdown(wait=True)

    def _surviving(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except HearthwatchError as failure:  # the records are away: `watch` tries again
            LOG.warning("job %s could not begin: %s", name, failure)
