"""Commands: whatever comes, a device answers or stays silent; it installs what it is told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_sim.fleet import Fleet
from device_sim.scenario import Scenario
from hearthwatch.values import Event, Identity, Presence, Reading, Reply
from hearthwatch.wire import native
from tests.unit.device_sim.conftest import Heard


@pytest.fixture
def fleet(small: Scenario) -> Fleet:
    quiet = small.wire.model_copy(update={"home_outages_per_day": 0.0, "malformed_devices": 0, "duplicate_share": 0.0})
    started = Fleet(small.model_copy(update={"wire": quiet, "faults": (), "releases": ()}), 1)
    started.hello()
    return started


def first(fleet: Fleet) -> str:
    return next(device for device, _, _ in fleet.devices())


def step(fleet: Fleet) -> list[object]:
    heard = Heard()
    now: datetime = fleet.now + fleet.scenario.step
    heard.take(fleet.step(now), now)
    return list(heard.values)


def send(fleet: Fleet, device: str, **fields: object) -> list[Reply]:
    heard = Heard()
    answers = fleet.receive_command(f"{native.ROOT}/{device}/command", json.dumps(fields).encode())
    heard.take(answers, fleet.now)
    return [value for value in heard.values if isinstance(value, Reply)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(topic=st.text(max_size=60), payload=st.binary(max_size=200))
def test_whatever_bytes_come_are_survived(fleet: Fleet, topic: str, payload: bytes) -> None:
    assert fleet.receive_command(topic, payload) == []


@pytest.mark.parametrize("version", [None, 7, "", "x" * 65, ["4.2.1"]])
def test_an_update_without_a_proper_version_is_refused(fleet: Fleet, version: object) -> None:
    replies = send(fleet, first(fleet), id="c1", kind="update", version=version)
    assert [reply.ok for reply in replies] == [False]


def test_an_unknown_command_is_refused(fleet: Fleet) -> None:
    assert [reply.ok for reply in send(fleet, first(fleet), id="c1", kind="explode")] == [False]


def test_a_command_to_nobody_has_no_answer_but_was_received(fleet: Fleet) -> None:
    assert send(fleet, "nobody", id="c1", kind="diagnose") == []
    assert fleet.commands_received == 1


def test_a_device_tells_how_it_is(fleet: Fleet) -> None:
    (reply,) = send(fleet, first(fleet), id="c1", kind="diagnose")
    assert reply.ok
    assert reply.id == "c1"
    assert reply.detail["firmware"] == fleet.firmware(first(fleet))
    assert reply.detail["free_heap_bytes"] > 0


def test_an_update_is_accepted_installed_and_reported(fleet: Fleet) -> None:
    device = first(fleet)
    before = fleet.firmware(device)
    (reply,) = send(fleet, device, id="c1", kind="update", version="4.2.1")
    assert reply.ok
    assert reply.detail == {"version": "4.2.1", "state": "accepted"}
    assert fleet.firmware(device) == before
    mine = [value for value in step(fleet) if getattr(value, "device", "") == device]
    assert fleet.firmware(device) == "4.2.1"
    updates = [value for value in mine if isinstance(value, Event) and value.kind == "update"]
    assert [(event.code, event.detail) for event in updates] == [("installed", {"from": before, "to": "4.2.1"})]
    assert [value.firmware for value in mine if isinstance(value, Identity)] == ["4.2.1"]
    assert any(isinstance(value, Presence) and value.online for value in mine)
    assert [value for value in mine if isinstance(value, Reading)][-1].firmware == "4.2.1"


def test_the_installed_version_is_not_installed_again(fleet: Fleet) -> None:
    device = first(fleet)
    (reply,) = send(fleet, device, id="c1", kind="update", version=fleet.firmware(device))
    assert reply.detail["state"] == "installed"
    assert not [value for value in step(fleet) if isinstance(value, Event) and value.kind == "update"]


def test_a_device_that_is_away_answers_when_it_is_back(small: Scenario) -> None:
    always = small.wire.model_copy(update={"home_outages_per_day": 50.0, "outage_hours": (10.0, 10.0)})
    fleet = Fleet(small.model_copy(update={"wire": always, "faults": (), "releases": ()}), 1)
    fleet.hello()
    device = first(fleet)
    for _ in range(15):
        presences = [value for value in step(fleet) if isinstance(value, Presence) and value.device == device]
        if presences and not presences[-1].online:
            break
    assert send(fleet, device, id="late", kind="update", version="9.9.9") == []
    values: list[object] = []
    for _ in range(8):
        values += step(fleet)
    replies = [value for value in values if isinstance(value, Reply)]
    assert [(reply.id, reply.device, reply.ok) for reply in replies] == [("late", device, True)]
    assert fleet.firmware(device) == "9.9.9"
    assert fleet.now - fleet.scenario.start > timedelta(hours=10)
