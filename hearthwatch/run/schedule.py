"""The table of jobs, and the two things that drive it: the demo's stepped clock, and APScheduler under a real one.

Of several processes with this table, the one that holds the lease works it. When the connection that carries the lease breaks while a job
runs, the server gives the lease to another process, which takes the window over at once, while the first one still works: it can not know.
That is harmless. The window stays one row: the newcomer's attempt has the next number, and the first one's result is refused. And every
job may be run twice: its effects have keys (findings, tickets, notices, rollups). What was being sent goes again under the same key, which
a mail server does not know (docs/adr/0008-postgresql.md).

The table has lanes. The jobs of a lane run one at a time; a lane does not wait for another, so notices go out and commands are sent while a
model is trained.

A job that fails because something was away (`Unavailable`) is tried again after 1, 2, 4, ... minutes, at most an hour,
while its window lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
ANALYSIS, PROMPT = "analysis", "prompt"
"""Lanes: what computes, for minutes if need be, and what somebody waits for."""
WATCH_EVERY = timedelta(seconds=5)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)

_WATCH = "watch "

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A row of the table: run ``work(platform, now)`` once in every window of length ``every``; ``after`` shifts the windows.

    ``lane`` names the jobs that it waits for.
    """

    name: str
    every: timedelta
    work: Callable[[P, datetime], Mapping[str, Any]]
    after: timedelta = timedelta(0)
    lane: str = ANALYSIS

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
        self.lanes = tuple(dict.fromkeys(job.lane for job in self.jobs))
        # One job of a lane at a time: a run of it that is called running is never ours.
        self._turns = {lane: threading.RLock() for lane in self.lanes}
        self._up_to_date: set[str] = set()  # lanes that have worked what was due when we got the lease
        self._stopping = threading.Event()
        self._again: dict[str, datetime] = {}  # jobs that failed and are tried again within their window

    @property
    def leads(self) -> bool:
        """Whether this process works the table, as far as it knows."""
        return self._leads

    def run_due(self) -> list[Outcome]:
        """Run every job whose window has not been worked yet, in the order of the table; nothing while another holds the lease."""
        return self._run_in_order(self.jobs)

    def watch(self, lane: str | None = None) -> list[Outcome]:
        """Ask for the lease; whoever newly gets it works at once what the last holder left undone. Does not wait for a job that runs.

        Whoever has it tries again what failed because something was away. Of one ``lane`` only, if it is named.
        """
        outcomes: list[Outcome] = []
        for one in self.lanes if lane is None else (lane,):
            if self._turns[one].acquire(blocking=False):
                try:
                    outcomes += self._run_in_order(self._left_undone(one))
                finally:
                    self._turns[one].release()
        return outcomes

    def _left_undone(self, lane: str) -> Sequence[Job[P]]:
        if not (lane in self._up_to_date and self._lead()):
            return self._of(lane)
        now = self._clock.now()
        return [job for job in self._of(lane) if job.name in self._again and self._again[job.name] <= now]

    def _of(self, lane: str) -> Sequence[Job[P]]:
        return [job for job in self.jobs if job.lane == lane]

    def run(self, job: Job[P]) -> Outcome | None:
        """Run one job, unless its window is done or another scheduler holds the lease (then None).

        Whoever gets the lease by this call first works what the last holder left undone: data flow down the table.
        """
        with self._turns[job.lane]:
            if self._stopping.is_set() or not self._lead():
                return None
            if job.lane in self._up_to_date:
                return self._work_window(job)
            outcomes = self._run_in_order(self._of(job.lane))
            return next((outcome for outcome in outcomes if outcome.job == job.name), None)

    def stop(self) -> None:
        """Begin no further job, wait for those that run, and let the lease go."""
        self._stopping.set()
        with ExitStack() as turns:
            for turn in self._turns.values():
                turns.enter_context(turn)
            self._lease.give_up()

    def _lead(self) -> bool:
        self._leads = self._lease.hold()
        if not self._leads:
            self._up_to_date.clear()
        return self._leads

    def _run_in_order(self, jobs: Sequence[Job[P]]) -> list[Outcome]:
        outcomes = []
        for job in jobs:
            with self._turns[job.lane]:
                if self._stopping.is_set() or not self._lead():
                    break  # whoever leads now begins at the top of the table, and so do we when we get it back
                self._up_to_date.add(job.lane)
                outcomes.append(self._work_window(job))
        return [outcome for outcome in outcomes if outcome is not None]

    def _work_window(self, job: Job[P]) -> Outcome | None:
        try:
            return self._claim_and_work(job)
        except Unavailable:
            # The records were away. Whoever newly leads works all that is due, so this window does not wait for the next.
            self._up_to_date.discard(job.lane)
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
    """Drives a schedule in real time, by APScheduler 3, one job of a lane at a time."""

    def __init__(self, schedule: Schedule[P]) -> None:
        self._schedule = schedule
        self._scheduler = BackgroundScheduler(
            executors={f"{kind}{lane}": ThreadPoolExecutor(1) for lane in schedule.lanes for kind in ("", _WATCH)},
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
                executor=job.lane,
                next_run_time=datetime.now(UTC),
            )
        for lane in self._schedule.lanes:
            self._scheduler.add_job(
                self._surviving,
                IntervalTrigger(seconds=WATCH_EVERY.total_seconds(), timezone=UTC),
                args=("watch", partial(self._schedule.watch, lane)),
                executor=f"{_WATCH}{lane}",
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
