"""Days whose data came late: the first and the last arrival, in whatever order ingestors tell of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthwatch.records import late_days
from hearthwatch.records.database import Database
from hearthwatch.records.late_days import JUDGED_AFTER, LateDay, unjudged_since

DAY = timedelta(days=1)
START = datetime(2026, 5, 1, tzinfo=UTC)


def late(device: str, day: int, hour: float) -> LateDay:
    at = START + timedelta(days=10, hours=hour)
    return LateDay(device, START + day * DAY, at, at)


ARRIVALS = st.builds(late, st.sampled_from(["d-1", "d-2"]), st.integers(0, 2), st.integers(0, 100))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ARRIVALS, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_leave_the_first_and_the_last_arrival(
    database: Database, arrivals: list[LateDay], random: object
) -> None:
    told = [*arrivals, *arrivals[:3]]
    random.shuffle(told)  # type: ignore[attr-defined]
    with database.transaction() as connection:
        late_days.forget(connection, START + 100 * DAY)
        for place in range(0, len(told), 3):
            batch = {(one.device_id, one.day): one for one in told[place : place + 3]}
            late_days.mark(connection, list(batch.values()))
            rest = [one for one in told[place : place + 3] if one not in batch.values()]
            for one in rest:
                late_days.mark(connection, [one])
        found = late_days.list_days(connection, START, START + 100 * DAY)
    wanted: dict[tuple[str, datetime], list[datetime]] = {}
    for one in arrivals:
        wanted.setdefault((one.device_id, one.day), []).append(one.first_at)
    assert found == [LateDay(*key, min(times), max(times)) for key, times in sorted(wanted.items())]


def test_late_days_are_found_by_day_and_device_and_go_with_their_telemetry(database: Database) -> None:
    with database.transaction() as connection:
        late_days.mark(connection, [late("d-2", 1, 0), late("d-1", 1, 0), late("d-1", 2, 0), late("d-1", 5, 0)])
        few = late_days.list_days(connection, START + DAY, START + 3 * DAY)
        assert [(one.device_id, (one.day - START).days) for one in few] == [("d-1", 1), ("d-1", 2), ("d-2", 1)]
        assert len(late_days.list_days(connection, START, START + 9 * DAY, devices=["d-2"])) == 1
        assert late_days.forget(connection, START + 2 * DAY) == 0  # the second day has only just begun to end
        assert late_days.forget(connection, START + 2 * DAY + timedelta(hours=1)) == 2
        assert len(late_days.list_days(connection, START, START + 9 * DAY)) == 2


def test_a_day_is_not_judged_before_the_morning_after_it() -> None:
    evening = START + DAY - timedelta(minutes=1)
    assert unjudged_since(evening) == START
    assert unjudged_since(START + DAY + JUDGED_AFTER - timedelta(microseconds=1)) == START
    assert unjudged_since(START + DAY + JUDGED_AFTER) == START + DAY


def test_how_much_came_late_is_told_of_all_and_which_days_of_one(database: Database) -> None:
    with database.transaction() as connection:
        assert late_days.told(connection, START) == late_days.Lateness(0, 0, None)
        late_days.mark(connection, [late("d-2", 1, 5), late("d-1", 1, 0), late("d-1", 2, 3), late("d-1", 5, 0)])
        newest = START + timedelta(days=10, hours=3)
        assert late_days.told(connection, START + 2 * DAY) == late_days.Lateness(2, 1, newest)
        assert [(one.day - START).days for one in late_days.of_device(connection, "d-1", limit=2)] == [5, 2]
        assert late_days.of_device(connection, "nobody") == []
