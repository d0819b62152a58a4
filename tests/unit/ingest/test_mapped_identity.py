"""A maker's own topics name devices in payloads: a device that logs in at the broker must not be written for by another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hearthwatch.records import devices
from hearthwatch.values import Reading
from hearthwatch.wire.registry import Decoder, conventions
from ingest.admission import AdmissionPolicy
from ingest.identity import OF_ANOTHER_TOPIC
from tests.mappings import both
from tests.unit.ingest.test_identity import SPOKEN, World, readings_of

PUMP = "aabbcc001122"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.decoder = Decoder(conventions(SPOKEN, both()))
    made.begin()
    yield made
    made.database.close()


def test_a_payload_that_names_a_device_with_a_user_of_its_own_is_held_against_the_topic(world: World) -> None:
    world.enroll(PUMP, "rogue")
    forged = world.hear("gate/up/rogue", {"all": [{"sample": {"id": PUMP, "at": "2026-05-01 14:00:00", "w": 9}}]})
    assert forged.values == ()
    assert [one.reason for one in forged.rejected] == [OF_ANOTHER_TOPIC]
    own = world.hear(f"gate/up/{PUMP}", {"all": [{"sample": {"id": PUMP, "at": "2026-05-01 14:00:00", "w": 9}}]})
    assert readings_of(own) == {PUMP}


def test_a_topic_that_spells_the_address_of_its_device_otherwise_is_that_device_s(world: World) -> None:
    world.enroll(PUMP)
    assert readings_of(world.hear("acme/AA:BB:CC:00:11:22/room_temperature", b"21.5")) == {PUMP}
    assert readings_of(world.hear("acme/AABBCC001122/room_temperature", b"21.5")) == {PUMP}


def test_devices_without_a_user_speak_on_any_topic_of_the_mapping(world: World) -> None:
    told = world.hear("gate/up/1", {"all": [{"sample": {"id": "m-1", "at": "2026-05-01 14:00:00", "w": 9}}]})
    assert readings_of(told) == {"m-1"}


def test_a_stranger_that_is_refused_takes_nothing_from_what_is_known_of_others() -> None:
    made = World(AdmissionPolicy("refuse"))
    made.decoder = Decoder(conventions(SPOKEN, both()))
    with made.database.transaction() as connection:
        devices.register(connection, [{"id": "m-1"}])
    made.begin()
    made.hear("gate/up/1", {"all": [{"sample": {"id": "m-1", "at": "2026-05-01 14:00:00", "w": 9, "fw": "3"}}]})
    refused = made.hear("gate/up/1", {"all": [{"sample": {"id": "m-2", "at": "2026-05-01 14:00:00", "w": 9}}]})
    assert refused.values == ()
    told = made.hear("gate/up/1", {"all": [{"sample": {"id": "m-1", "at": "2026-05-01 14:00:01", "w": 9}}]})
    assert [value.firmware for value in told.values if isinstance(value, Reading)] == ["3"]
    made.database.close()
