"""Clocks that are wrong: those of devices, and the one of the machine that the ingestor runs on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher, TelemetryStore
from hearthwatch.records import quarantine
from hearthwatch.records.database import Database
from ingest.runner import Limits
from tests.integration.ingestor import Ingestor, ingesting

NOW = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOREVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
_names = count()


class JumpingClock:
    """The machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        self._now += timedelta(microseconds=50)
        return self._now

    def step(self, by: timedelta) -> None:
        self._now += by


class Place:
    """An ingestor with its clock, and a device."""

    def __init__(self, publisher: Publisher, ingestor: Ingestor, clock: JumpingClock) -> None:
        self.publisher, self.ingestor, self.clock = publisher, ingestor, clock
        self._sent = 0

    def say(self, kind: str, given: Any) -> None:
        """A message, which is handled when this returns, by timers that nobody sets."""
        self.publisher.publish(f"hearthwatch/v1/d/{kind}", msgspec.json.encode(given))
        self._sent += 1

    def sample(self, at: datetime | str, value: float) -> None:
        text = at if isinstance(at, str) else at.isoformat()
        self.say("telemetry", {"samples": [{"at": text, "m": {"temperature_c": value}}]})

    def settle(self) -> None:
        self.publisher.flush(20)
        self.ingestor.runner.drain(self._sent, 20)


@pytest.fixture
def place(store: TelemetryStore, database: Database) -> Iterator[Place]:
    address, clock = f"local://clocks-{next(_names)}", JumpingClock()
    publisher = open_publisher(address, client_id="d")
    with ingesting(address, store, database, clock, limits=Limits(batch_seconds=0.02), spoken=["native"]) as ingestor:
        yield Place(publisher, ingestor, clock)
    publisher.close()


def stored(store: TelemetryStore) -> dict[datetime, float]:
    table = store.window("d", *FOREVER)
    return dict(zip(table["at"].to_pylist(), table["value"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        NOW + timedelta(days=365),
        NOW + HOUR,
        datetime(1970, 1, 1, 0, 4, tzinfo=UTC),
        datetime(2099, 1, 1, tzinfo=UTC),
        datetime(2262, 4, 12, tzinfo=UTC),
        "2026-10-25T02:30:00",
    ],
    ids=[
        "a year ahead",
        "an hour ahead",
        "1970",
        "2099",
        "beyond what a store can hold",
        "local time without an offset",
    ],
)
def test_a_time_that_cannot_be_true_is_held_back_and_makes_no_far_place_in_the_store(
    place: Place, store: TelemetryStore, database: Database, wrong: datetime | str
) -> None:
    place.sample(wrong, 1.0)
    place.sample(NOW, 2.0)
    place.settle()
    assert list(stored(store).values()) == [2.0]
    with database.reading() as connection:
        (held,) = quarantine.list_items(connection, limit=10)
    assert "time" in held.reason or "clock" in held.reason or "offset" in held.reason, held.reason
    assert place.ingestor.ledger.snapshot()["quarantined"] == 1


def test_a_device_that_is_an_hour_behind_is_kept_like_one_that_sends_late(place: Place, store: TelemetryStore) -> None:
    place.sample(NOW - HOUR, 1.0)
    place.sample(NOW - timedelta(days=29), 2.0)
    place.settle()
    assert stored(store) == {NOW - HOUR: 1.0, NOW - timedelta(days=29): 2.0}


def test_the_hour_that_comes_twice_in_autumn_is_two_hours(place: Place, store: TelemetryStore) -> None:
    place.sample("2026-10-25T02:30:00+02:00", 1.0)
    place.sample("2026-10-25T02:30:00+01:00", 2.0)
    place.settle()
    assert stored(store) == {
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC): 1.0,
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC): 2.0,
    }


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_the_machines_clock_is_set_by_an_hour_and_everything_is_stored_in_its_order_without_waiting(
    place: Place, store: TelemetryStore, step: timedelta
) -> None:
    for number in range(40):
        if number == 20:
            place.settle()
            place.clock.step(step)
        place.say("telemetry", {"boot": "b", "seq": number, "m": {"temperature_c": number}})
        place.say("presence", {"online": number % 2 == 0, "boot": "b"})
    place.settle()  # batches end, and are acknowledged, by a clock that only runs forward
    counts = place.ingestor.ledger.snapshot()
    assert (counts["stored"], counts["duplicate"], counts["quarantined"]) == (80, 0, 0)
    readings = stored(store)
    assert sorted(readings.values()) == [float(number) for number in range(40)]
    before = [at for at, value in readings.items() if value < 20]
    after = [at for at, value in readings.items() if value >= 20]
    assert max(before) < NOW + timedelta(minutes=1)
    assert all(abs(at - NOW - step) < timedelta(minutes=1) for at in after), "stamps follow the clock, also back"
    assert place.ingestor.runner.health()["gaps"]["lost"] == 0


def test_while_the_machine_is_an_hour_behind_times_of_devices_lie_in_its_future_and_none_is_lost(
    place: Place, store: TelemetryStore, database: Database
) -> None:
    place.sample(NOW, 1.0)
    place.settle()
    place.clock.step(-HOUR)
    place.sample(NOW + timedelta(seconds=1), 2.0)
    place.settle()
    place.clock.step(HOUR)
    place.sample(NOW + timedelta(seconds=2), 3.0)
    place.settle()
    assert list(stored(store).values()) == [1.0, 3.0]
    with database.reading() as connection:
        (held,) = quarantine.list_items(connection, limit=10)
    assert "future" in held.reason
