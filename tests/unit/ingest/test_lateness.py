"""Which days came late: after the morning that judged them, and for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import late_days
from hearthwatch.records.database import Database
from hearthwatch.records.late_days import JUDGED_AFTER
from hearthwatch.values import Event, Presence, Reading, WriteResult
from hearthwatch.wire.registry import Decoder, conventions
from ingest.history import import_history
from ingest.lateness import Lateness
from ingest.limits import Limits
from ingest.quarantine import replay
from ingest.spool import Spool, SpoolBounds
from tests.late_fleet import DAY, LateFleet

MORNING = datetime(2026, 5, 2, tzinfo=UTC) + JUDGED_AFTER
NOON = timedelta(hours=12)


@pytest.fixture
def fleet(store: TelemetryStore, database: Database, clock: SteppedClock) -> Iterator[LateFleet]:
    made = LateFleet(store, database, clock)
    yield made
    made.close()


def go_to(clock: SteppedClock, when: datetime) -> None:
    clock.advance(when - clock.now())


def told(fleet: LateFleet) -> list[tuple[str, int, datetime, datetime]]:
    """Late days with the day of May."""
    return [(one.device_id, one.day.day, one.first_at, one.last_at) for one in fleet.late_days()]


def test_what_comes_before_its_day_is_judged_is_not_late(fleet: LateFleet, clock: SteppedClock) -> None:
    evening = clock.now() + timedelta(hours=23)
    go_to(clock, MORNING - timedelta(seconds=1))
    fleet.tell("d-1", evening, {"temperature_c": 20.0})
    fleet.deliver()
    assert told(fleet) == []


def test_what_comes_from_that_moment_on_is_late_and_the_first_and_last_arrival_stay(
    fleet: LateFleet, clock: SteppedClock
) -> None:
    evening = clock.now() + timedelta(hours=23)
    go_to(clock, MORNING)
    fleet.tell("d-1", evening, {"temperature_c": 20.0})
    fleet.deliver()
    go_to(clock, MORNING + 3 * DAY)
    fleet.reboot("d-1", evening + timedelta(minutes=5))
    fleet.deliver()
    assert told(fleet) == [("d-1", 1, MORNING, MORNING + 3 * DAY)]


def test_a_gateway_that_held_back_a_week_makes_a_row_for_each_whole_day(fleet: LateFleet, clock: SteppedClock) -> None:
    begun = clock.now()
    go_to(clock, begun + 7 * DAY + NOON)
    for hour in range(0, 24 * 7 + 12, 6):
        fleet.tell("d-1", begun + timedelta(hours=hour), {"temperature_c": 20.0 + hour})
    fleet.tell("d-2", clock.now(), {"temperature_c": 20.0})
    fleet.deliver()
    assert [(device, day) for device, day, _, _ in told(fleet)] == [("d-1", day) for day in range(1, 8)]


def test_a_copy_of_what_was_there_in_time_is_not_late(fleet: LateFleet, clock: SteppedClock) -> None:
    noon = clock.now() + NOON
    go_to(clock, noon)
    for device in ("d-1", "d-2"):
        fleet.tell(device, noon, {"temperature_c": 20.0})
        fleet.reboot(device, noon)
    fleet.deliver()
    go_to(clock, MORNING + DAY)
    fleet.tell("d-1", noon, {"temperature_c": 20.0})
    fleet.reboot("d-1", noon)
    fleet.tell("d-2", noon, {"temperature_c": 20.0})
    fleet.tell("d-2", noon + timedelta(hours=1), {"temperature_c": 21.0})  # this one is news
    fleet.deliver()
    assert [(device, day) for device, day, _, _ in told(fleet)] == [("d-2", 1)]


def test_coming_and_going_is_never_late() -> None:
    gone = Presence("d-1", "native", MORNING - 5 * DAY, online=False)
    assert Lateness().news([gone], (), MORNING) == ()


class _Store:
    """A store that is away, or refuses a device's values for good."""

    def __init__(self, real: TelemetryStore) -> None:
        self._real = real
        self.away = False
        self.refused = ""
        self.answers_lost = 0

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        if self.away:
            raise Unavailable("away", retry_after=0.01)
        if any(one.device == self.refused for one in values):
            raise Invalid("older than its retention", where=self.refused)
        result = self._real.write(values)
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("the answer did not come", retry_after=0.01)
        return result

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_arrival_is_when_it_can_be_read_so_an_outage_of_the_store_makes_a_fleet_late(
    store: TelemetryStore, database: Database, clock: SteppedClock, tmp_path: Path
) -> None:
    away = _Store(store)
    spool = Spool(tmp_path / "spool", SpoolBounds(free_share=0.0, free_bytes=0))
    fleet = LateFleet(away, database, clock, spool=spool)  # type: ignore[arg-type]
    noon = clock.now() + NOON
    go_to(clock, noon)
    away.away = True
    for number in range(20):
        fleet.tell(f"d-{number:02}", noon, {"temperature_c": 20.0})
    with pytest.raises(Unavailable):
        fleet.runner.drain(20, 0.5)
    go_to(clock, MORNING + DAY)
    away.away = False
    fleet.deliver()
    fleet.close()
    assert told(fleet) == [(f"d-{number:02}", 1, MORNING + DAY, MORNING + DAY) for number in range(20)]


def test_a_batch_whose_answer_was_lost_is_late_though_the_store_calls_it_known(
    store: TelemetryStore, database: Database, clock: SteppedClock
) -> None:
    forgetful = _Store(store)
    fleet = LateFleet(forgetful, database, clock)  # type: ignore[arg-type]
    noon = clock.now() + NOON
    go_to(clock, MORNING)
    forgetful.answers_lost = 1
    fleet.tell("d-1", noon, {"temperature_c": 20.0})
    fleet.deliver()
    fleet.close()
    assert [(device, day) for device, day, _, _ in told(fleet)] == [("d-1", 1)]


def test_what_the_store_refuses_is_not_late_and_what_stood_beside_it_is(
    store: TelemetryStore, database: Database, clock: SteppedClock
) -> None:
    strict = _Store(store)
    fleet = LateFleet(strict, database, clock)  # type: ignore[arg-type]
    noon = clock.now() + NOON
    go_to(clock, MORNING)
    strict.refused = "d-2"
    for device in ("d-1", "d-2", "d-3"):
        fleet.tell(device, noon, {"temperature_c": 20.0})
    fleet.deliver()
    fleet.close()
    assert [device for device, _, _, _ in told(fleet)] == ["d-1", "d-3"]


def test_what_is_replayed_from_quarantine_arrives_when_it_is_replayed(
    store: TelemetryStore, database: Database, clock: SteppedClock
) -> None:
    strict = _Store(store)
    fleet = LateFleet(strict, database, clock)  # type: ignore[arg-type]
    noon = clock.now() + NOON
    go_to(clock, noon)
    strict.refused = "d-1"
    fleet.tell("d-1", noon, {"temperature_c": 20.0})
    fleet.deliver()
    go_to(clock, MORNING + DAY)
    answer = replay(store, database, Decoder(conventions(("native",))), clock.now(), limits=Limits())
    again = replay(store, database, Decoder(conventions(("native",))), clock.now(), limits=Limits())
    fleet.close()
    assert (answer["stored"], again["stored"]) == (1, 0)
    assert told(fleet) == [("d-1", 1, MORNING + DAY, MORNING + DAY)]


def test_history_has_no_arrivals_so_nothing_of_it_is_late(
    store: TelemetryStore, database: Database, clock: SteppedClock, tmp_path: Path
) -> None:
    (tmp_path / "days.csv").write_text("device,at,temperature_c\nd-1,2026-01-01T12:00:00Z,20.5\n", encoding="utf-8")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[columns]\ndevice = "device"\nat = "at"\n', encoding="utf-8")
    go_to(clock, MORNING)
    result = import_history(store, database, tmp_path / "days.csv", mapping, clock.now())
    with database.reading() as connection:
        assert late_days.list_days(connection, MORNING - 400 * DAY, MORNING) == []
    assert result["stored"] == 1
