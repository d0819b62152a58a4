"""A sample of looks shows what a picture of all of them would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.records import cohort_looks, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.database import Database
from hearthwatch.records.look_samples import sample_times, sampled_looks
from tests.records_rows import look_figures

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def look(release_id: int, metric: str, hour: int, verdict: str) -> CohortLook:
    at = NOON + timedelta(hours=hour)
    return CohortLook(release_id=release_id, **look_figures(metric, at, verdict, e=float(hour)))


def looked_at(database: Database, metric: str, verdicts: list[str]) -> int:
    with database.transaction() as connection:
        known = releases.list_releases(connection)
        version = f"1.{len(known)}"
        release = releases.create(connection, model="m", version=version, released_at=NOON)
        seen = [look(release.id, metric, hour, verdict) for hour, verdict in enumerate(verdicts)]
        cohort_looks.append(connection, seen)
    return release.id


def test_a_release_without_looks_has_no_sample(database: Database) -> None:
    release_id = looked_at(database, "reboots", [])
    with database.reading() as connection:
        assert sampled_looks(connection, release_id, most=10) == {}


def test_another_release_and_another_metric_stay_apart(database: Database) -> None:
    one = looked_at(database, "reboots", ["too_early"] * 3)
    other = looked_at(database, "silence", ["same"])
    with database.reading() as connection:
        assert {name: sample.total for name, sample in sampled_looks(connection, one, most=9).items()} == {"reboots": 3}
        assert set(sampled_looks(connection, other, most=9)) == {"silence"}


def test_the_first_alarm_is_in_a_sample_that_would_step_over_it(database: Database) -> None:
    verdicts = ["too_early"] * 7 + ["worse"] * 6
    release_id = looked_at(database, "reboots", verdicts)
    with database.reading() as connection:
        sample = sampled_looks(connection, release_id, most=3)["reboots"]
    assert [int(one.e) for one in sample.looks] == [0, 5, 7, 10, 12]
    assert [one.verdict for one in sample.looks] == ["too_early", "too_early", "worse", "worse", "worse"]
    assert (sample.total, sample.newest.e) == (13, 12.0)


@given(count=st.integers(1, 500), most=st.integers(1, 200), alarm=st.integers(0, 499))
def test_a_sample_has_both_ends_and_the_alarm_and_hardly_more_than_was_asked_for(
    count: int, most: int, alarm: int
) -> None:
    times = [NOON + timedelta(hours=hour) for hour in range(count)]
    first_worse = times[alarm] if alarm < count else None
    chosen = sample_times(times, first_worse, most)
    assert chosen == sorted(set(chosen) & set(times))
    assert {times[0], times[-1], first_worse or times[0]} <= set(chosen)
    assert len(chosen) <= most + 2
    if most >= count:
        assert chosen == times
