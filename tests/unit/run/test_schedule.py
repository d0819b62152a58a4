"""The table of jobs under a stepped clock: every window once, whoever asks, whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock, SystemClock
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.records import job_runs
from hearthwatch.records.database import Database
from hearthwatch.records.leases import lease
from hearthwatch.run.schedule import ANALYSIS, LEASE, PROMPT, Job, Schedule, Timer

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every schedule of a test is stopped after it: nobody holds the lease in the next."""
    made: list[Schedule[None]] = []
    begin = Schedule.__init__

    def remembered(self: Schedule[None], *arguments: Any) -> None:
        begin(self, *arguments)
        made.append(self)

    monkeypatch.setattr(Schedule, "__init__", remembered)
    yield
    for schedule in made:
        schedule.stop()


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


def test_who_gets_the_lease_works_at_once_what_is_due(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    held = lease(database, LEASE)
    assert held.hold()
    schedule = Schedule([counting(seen)], None, database, clock, "alive")
    assert schedule.watch() == []
    held.give_up()
    assert len(schedule.watch()) == 1
    clock.advance(HOUR)
    assert schedule.watch() == []  # it leads already: the timer runs what is due


def test_who_gets_the_lease_for_a_later_job_first_works_what_the_last_holder_left_undone(
    database: Database, clock: SteppedClock
) -> None:
    order: list[str] = []

    def noting(name: str) -> Job[None]:
        def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
            order.append(name)
            return {}

        return Job(name, HOUR, work)

    held = lease(database, LEASE)
    assert held.hold()
    jobs = [noting("anomalies"), noting("policy"), noting("deliver")]
    schedule = Schedule(jobs, None, database, clock, "alive")
    assert schedule.run(jobs[2]) is None
    held.give_up()
    delivered = schedule.run(jobs[2])
    assert order == ["anomalies", "policy", "deliver"]
    assert delivered is not None
    assert delivered.job == "deliver"


def test_who_loses_the_lease_in_the_table_leaves_the_rest_of_it(database: Database, clock: SteppedClock) -> None:
    order: list[str] = []

    def losing(_platform: None, _now: datetime) -> Mapping[str, Any]:
        order.append("anomalies")
        schedule._lease.give_up()
        assert other.hold()
        return {}

    def policy(_platform: None, _now: datetime) -> Mapping[str, Any]:
        order.append("policy")
        return {}

    other = lease(database, LEASE)
    schedule = Schedule([Job("anomalies", HOUR, losing), Job("policy", HOUR, policy)], None, database, clock, "one")
    assert [outcome.job for outcome in schedule.run_due()] == ["anomalies"]
    assert order == ["anomalies"]
    other.give_up()
    assert [outcome.job for outcome in schedule.watch()] == ["policy"]


def test_a_run_that_a_killed_process_left_behind_is_taken_over_at_once(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    job = Job("slow", timedelta(days=1), counting(seen).work)
    with database.transaction() as connection:
        assert job_runs.claim(connection, "slow", job.due_at(clock.now()), clock.now(), "dead") == 1
    assert len(Schedule([job], None, database, clock, "alive").watch()) == 1
    with database.reading() as connection:
        (run,) = job_runs.latest(connection)
    assert (run.state, run.holder, run.attempt) == ("done", "alive", 2)


def test_a_run_left_behind_in_an_earlier_window_is_closed_as_failed(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    job = counting(seen)
    with database.transaction() as connection:
        job_runs.claim(connection, job.name, job.due_at(clock.now()), clock.now(), "dead")
    clock.advance(HOUR)
    Schedule([job], None, database, clock, "alive").run_due()
    with database.reading() as connection:
        newest, oldest = job_runs.list_runs(connection)
    assert (oldest.state, oldest.finished_at, newest.state) == ("failed", clock.now(), "done")
    assert "its process ended" in str(oldest.error)


def test_a_scheduler_that_lost_the_lease_while_a_job_ran_does_not_overwrite_its_successor(
    database: Database, clock: SteppedClock
) -> None:
    seen: list[str] = []

    def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
        seen.append("first")
        if len(seen) == 1:  # the connection breaks while the job runs, and another scheduler gets the lease
            first._lease.give_up()
            Schedule([Job("slow", HOUR, successor)], None, database, clock, "two").watch()
        return {"by": "one"}

    def successor(_platform: None, _now: datetime) -> Mapping[str, Any]:
        return {"by": "two"}

    first = Schedule([Job("slow", HOUR, work)], None, database, clock, "one")
    assert len(first.run_due()) == 1
    with database.reading() as connection:
        (run,) = job_runs.list_runs(connection)
    assert (run.state, run.result, run.holder, run.attempt) == ("done", {"by": "two"}, "two", 2)


def test_the_lease_is_kept_until_the_job_that_runs_has_ended(database: Database, clock: SteppedClock) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
        begun.set()
        assert may_end.wait(20)
        return {}

    schedule = Schedule([Job("slow", HOUR, work)], None, database, clock, "one")
    running = threading.Thread(target=schedule.run_due)
    running.start()
    assert begun.wait(20)
    assert schedule.watch() == []
    stopping = threading.Thread(target=schedule.stop)
    stopping.start()
    assert not lease(database, LEASE).hold()
    may_end.set()
    stopping.join(20)
    running.join(20)
    last = lease(database, LEASE)
    assert last.hold()
    last.give_up()


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


def test_notices_go_out_while_a_model_is_trained(database: Database) -> None:
    trained, delivered = threading.Event(), threading.Event()

    def train(_platform: None, _now: datetime) -> Mapping[str, Any]:
        assert trained.wait(60)
        return {}

    def deliver(_platform: None, _now: datetime) -> Mapping[str, Any]:
        delivered.set()
        return {}

    jobs = [Job("train", DAILY, train, lane=ANALYSIS), Job("deliver", timedelta(seconds=1), deliver, lane=PROMPT)]
    timer = Timer(Schedule(jobs, None, database, SystemClock(), "one"))
    timer.start()
    try:
        for _ in range(2):  # at once, and again in its next window, while the training still runs
            assert delivered.wait(20)
            delivered.clear()
        with database.reading() as connection:
            states = {run.job: run.state for run in job_runs.latest(connection)}
        assert states["train"] == "running"
    finally:
        trained.set()
        timer.stop()
    with database.reading() as connection:
        assert {run.state for run in job_runs.latest(connection)} == {"done"}


def test_a_lane_whose_records_were_away_works_what_it_left_undone_and_the_other_lane_goes_on(
    database: Database, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []
    train = Job("train", DAILY, counting([]).work)
    deliver = Job("deliver", HOUR, counting(seen).work, lane=PROMPT)
    schedule = Schedule([train, deliver], None, database, clock, "one")
    schedule.run_due()
    clock.advance(HOUR)
    Away(database, monkeypatch, 1)
    with pytest.raises(Unavailable):
        schedule.run(deliver)
    assert [outcome.job for outcome in schedule.watch(ANALYSIS)] == []
    assert [outcome.job for outcome in schedule.watch(PROMPT)] == ["deliver"]
    assert len(seen) == 2


# -- a daily or weekly job does not wait for its next window


DAILY = timedelta(days=1)


class Away:
    """Records whose n-th transaction from now on finds them away."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        real = database.transaction
        left = [at]

        def transaction(**options: bool) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Unavailable("database is locked", where="records")
            return real(**options)

        monkeypatch.setattr(database, "transaction", transaction)


@pytest.mark.parametrize(("fails", "worked"), [("when it is claimed", 1), ("when its end is written down", 2)])
def test_a_window_is_worked_although_the_records_were_away(
    database: Database, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch, fails: str, worked: int
) -> None:
    seen: list[datetime] = []
    job = Job("train", DAILY, counting(seen).work)
    schedule = Schedule([job], None, database, clock, "one")
    schedule.run_due()
    clock.advance(DAILY)
    seen.clear()
    Away(database, monkeypatch, 1 if fails == "when it is claimed" else 2)
    with pytest.raises(Unavailable):
        schedule.run(job)
    schedule.watch()  # five seconds later
    schedule.watch()
    assert len(seen) == worked
    with database.reading() as connection:
        assert [run.state for run in job_runs.list_runs(connection)] == ["done", "done"]


def failing_until(until: datetime, seen: list[datetime]) -> Job[None]:
    def work(_platform: None, now: datetime) -> Mapping[str, Any]:
        seen.append(now)
        if now < until:
            raise Unavailable("gone", where="telemetry")
        return {"rows": 1}

    return Job("anomalies", DAILY, work)


def test_a_job_whose_store_is_away_is_tried_again_at_longer_and_longer_pauses(
    database: Database, clock: SteppedClock
) -> None:
    seen: list[datetime] = []
    start = clock.now()
    schedule = Schedule([failing_until(start + timedelta(hours=3), seen)], None, database, clock, "one")
    schedule.run_due()
    with database.reading() as connection:
        (run,) = job_runs.list_runs(connection)
    assert (run.state, run.error) == ("failed", "Unavailable: telemetry: gone")
    assert run.result == {"tried_again_at": (start + timedelta(minutes=1)).isoformat()}
    for _ in range(12 * 60 * 5):
        clock.advance(timedelta(seconds=5 if len(seen) < 3 else 60))
        schedule.watch()
    minutes = [(at - start) // timedelta(minutes=1) for at in seen]
    assert minutes == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    with database.reading() as connection:
        newest = job_runs.list_runs(connection)[-1]
    assert (newest.state, newest.attempt, newest.error, newest.result) == ("done", 9, None, {"rows": 1})


def test_who_takes_the_lease_over_goes_on_trying(database: Database, clock: SteppedClock) -> None:
    seen: list[datetime] = []
    job = failing_until(clock.now() + timedelta(seconds=30), seen)
    first = Schedule([job], None, database, clock, "one")
    first.run_due()
    first._lease.give_up()  # it is killed
    second = Schedule([job], None, database, clock, "two")
    second.watch()
    assert len(seen) == 1
    clock.advance(timedelta(minutes=1))
    second.watch()
    assert len(seen) == 2


def test_what_is_wrong_for_good_and_what_comes_soon_again_is_not_tried_within_the_window(
    database: Database, clock: SteppedClock
) -> None:
    tries: list[str] = []

    def job(name: str, every: timedelta, error: Exception) -> Job[None]:
        def work(_platform: None, _now: datetime) -> Mapping[str, Any]:
            tries.append(name)
            raise error

        return Job(name, every, work)

    jobs = [job("broken", DAILY, Invalid("no")), job("minutely", timedelta(minutes=1), Unavailable("gone"))]
    schedule = Schedule(jobs, None, database, clock, "one")
    schedule.run_due()
    for _ in range(11):
        clock.advance(timedelta(seconds=5))
        schedule.watch()
    assert tries == ["broken", "minutely"]
    with database.reading() as connection:
        assert [run.result for run in job_runs.list_runs(connection)] == [None, None]
    clock.advance(timedelta(hours=5))
    schedule.watch()
    assert tries.count("broken") == 1
