"""The table of jobs under a stepped clock: every window once, whoever asks, whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hearthwatch.clock import SteppedClock, SystemClock
from hearthwatch.errors import Unavailable
from hearthwatch.records import job_runs, leases
from hearthwatch.records.database import Database
from hearthwatch.run.schedule import LEASE, LEASE_FOR, Job, Schedule, Timer

HOUR = timedelta(hours=1)


def counting(seen: list[datetime]) -> Job[None]:
    def work(_platform: None, now: datetime) -> Mapping[str, Any]:
        seen.append(now)
        return {"seen": len(seen)}

    return Job("count", HOUR, work)


def breaking(error: Exception) -> Job[None]:
    def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
        raise error

    return Job("break", HOUR, work)


def test_a_window_is_worked_once_however_often_it_is_asked_for(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    schedule = Schedule([counting(seen)], None, database, clock, "one")
    schedule.run_due()
    clock.advance(timedelta(minutes=59))
    schedule.run_due()
    assert len(seen) == 1
    clock.advance(timedelta(minutes=1))
    schedule.run_due()
    assert len(seen) == 2


def test_windows_that_passed_while_nobody_ran_are_worked_as_one(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    schedule = Schedule([counting(seen)], None, database, clock, "one")
    schedule.run_due()
    clock.advance(timedelta(hours=6))
    schedule.run_due()
    assert len(seen) == 2


def test_a_job_that_breaks_is_a_failed_row_and_the_next_job_still_runs(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    jobs = [breaking(ZeroDivisionError("a bug")), counting(seen)]
    outcomes = Schedule(jobs, None, database, clock, "one").run_due()
    assert [outcome.error for outcome in outcomes] == ["ZeroDivisionError: a bug", None]
    with database.reading() as connection:
        rows = {run.job: run for run in job_runs.latest(connection)}
    assert rows["break"].state == "failed"
    assert rows["count"].result == {"seen": 1}


def test_an_unavailable_store_is_recorded_as_the_reason(database: Database, clock: SteppedClock) -> None:
    Schedule([breaking(Unavailable("gone", where="telemetry"))], None, database, clock, "one").run_due()
    with database.reading() as connection:
        assert job_runs.latest(connection)[0].error == "Unavailable: telemetry: gone"


def test_of_two_schedulers_one_runs_the_jobs(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    first = Schedule([counting(seen)], None, database, clock, "one")
    second = Schedule([counting(seen)], None, database, clock, "two")
    first.run_due()
    clock.advance(timedelta(seconds=30))
    assert second.run_due() == []
    first.stop()
    clock.advance(HOUR)
    assert len(second.run_due()) == 1


def test_the_lease_of_a_scheduler_that_died_runs_out(database: Database, clock: SteppedClock) -> None:
    with database.transaction() as connection:
        assert leases.hold(connection, LEASE, "dead", clock.now(), LEASE_FOR)
    seen: list[datetime] = []
    schedule = Schedule([counting(seen)], None, database, clock, "alive")
    assert schedule.run_due() == []
    clock.advance(LEASE_FOR + timedelta(seconds=1))
    assert len(schedule.run_due()) == 1


def test_a_run_that_a_killed_process_left_behind_is_taken_over(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    job = Job("slow", timedelta(days=1), counting(seen).work)
    with database.transaction() as connection:
        assert job_runs.claim(connection, "slow", job.due_at(clock.now()), clock.now(), clock.now())
    schedule = Schedule([job], None, database, clock, "one")
    assert schedule.run_due() == []
    clock.advance(timedelta(hours=2))
    assert len(schedule.run_due()) == 1


def test_windows_begin_where_the_job_says() -> None:
    job = Job("late", timedelta(days=1), counting([]).work, after=timedelta(minutes=20))
    assert job.due_at(datetime(2026, 5, 2, 0, 10, tzinfo=UTC)) == datetime(2026, 5, 1, 0, 20, tzinfo=UTC)
    assert job.due_at(datetime(2026, 5, 2, 0, 20, tzinfo=UTC)) == datetime(2026, 5, 2, 0, 20, tzinfo=UTC)


def test_the_real_timer_drives_the_same_table(database: Database) -> None:
    ran = threading.Event()

    def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
        ran.set()
        return {}

    timer = Timer(Schedule([Job("once", HOUR, work)], None, database, SystemClock(), "one"))
    timer.start()
    try:
        assert ran.wait(20)
    finally:
        timer.stop()
    with database.reading() as connection:
        assert [run.job for run in job_runs.latest(connection)] == ["once"]
