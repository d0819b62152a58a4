"""What was held because nobody knew the device is taken in once it is enrolled, under whichever of its ids it came."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import admissions, aliases, devices, quarantine
from hearthwatch.records.database import Database
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.run.replaying import replay_held
from hearthwatch.settings import Settings


@pytest.fixture
def held(database: Database, clock: SteppedClock) -> Database:
    """1,200 messages of a device that nobody knows, and one of another."""
    items = [_item(clock, "lamp", number) for number in range(1200)] + [_item(clock, "stranger", 0)]
    with database.transaction() as connection:
        quarantine.hold(connection, items)
    return database


def _item(clock: SteppedClock, device: str, second: int) -> QuarantineItem:
    at = clock.now() + timedelta(seconds=second)
    payload = msgspec.json.encode({"at": at, "fw": "1.0", "m": {"temperature_c": 20.5}})
    topic = f"hearthwatch/v1/{device}/telemetry"
    return QuarantineItem(at, "mqtt", topic, payload, device, f"device {device}", "the device is not registered")


@pytest.mark.parametrize("policy", ["quarantine", "refuse"])
def test_messages_of_a_device_that_was_enrolled_since_are_stored_and_those_of_others_stay_held(
    held: Database, store: TelemetryStore, clock: SteppedClock, policy: str
) -> None:
    with held.transaction() as connection:
        devices.register(connection, [{"id": "lamp"}])
    now = clock.now() + timedelta(hours=1)

    answer = replay_held(Settings(unknown_devices=policy), store, held, now)

    assert (answer["replayed"], answer["stored"], answer["still_bad"]) == (1200, 1200, 1)
    with held.reading() as connection:
        assert quarantine.counts(connection) == {"held": 1, "replayed": 1200}
        assert devices.find(connection, ["stranger"]) == {}
    assert store.latest(["lamp"])["lamp"]["temperature_c"][1] == 20.5


def test_messages_under_an_alias_are_the_device_s(held: Database, store: TelemetryStore, clock: SteppedClock) -> None:
    with held.transaction() as connection:
        devices.register(connection, [{"id": "real-1"}])
        aliases.join(connection, "lamp", "real-1", clock.now(), actor="ann")

    replay_held(Settings(unknown_devices="quarantine"), store, held, clock.now() + timedelta(hours=1))

    assert store.latest(["lamp", "real-1"]).keys() == {"real-1"}


def test_newcomers_that_a_replay_takes_in_count_for_the_day(
    held: Database, store: TelemetryStore, clock: SteppedClock
) -> None:
    replay_held(Settings(), store, held, clock.now() + timedelta(hours=1))

    with held.reading() as connection:
        assert admissions.today(connection, clock.now()).admitted == 2
