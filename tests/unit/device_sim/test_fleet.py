"""The fleet as the platform sees it: same seed, same bytes; every sample counted; late, doubled and broken messages among them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from datetime import datetime, timedelta

import pytest

from device_sim.fleet import Fleet
from device_sim.scenario import Scenario
from hearthwatch.errors import Invalid, Missing
from hearthwatch.metrics import REBOOT_CODES_EXPECTED
from hearthwatch.values import Event, Identity, Presence, Reading
from hearthwatch.wire import native
from tests.unit.device_sim.conftest import Heard, live


def digest(fleet: Fleet, steps: int) -> str:
    hashed = hashlib.sha256()
    for number, (_, messages) in enumerate(live(fleet)):
        for topic, payload, retain in messages:
            hashed.update(topic.encode() + payload + bytes([retain]))
        if number == steps:
            break
    return hashed.hexdigest()


def test_a_step_that_is_no_whole_number_of_samples_is_refused(small: Scenario) -> None:
    fleet = Fleet(small, 1)
    with pytest.raises(Invalid, match="samples"):
        fleet.step(small.start + timedelta(minutes=40))
    with pytest.raises(Invalid, match="samples"):
        fleet.step(small.start)


def test_the_same_seed_gives_the_same_bytes(small: Scenario) -> None:
    assert digest(Fleet(small, 7), 30) == digest(Fleet(small, 7), 30)


def test_another_seed_gives_other_devices(small: Scenario) -> None:
    assert {device for device, _, _ in Fleet(small, 7).devices()}.isdisjoint(
        device for device, _, _ in Fleet(small, 8).devices()
    )


def test_every_sample_sent_is_stored_or_quarantined(lived: tuple[Fleet, Heard]) -> None:
    fleet, heard = lived
    assert fleet.samples_sent == heard.counts["stored"] + heard.counts["quarantined"]
    assert heard.counts["ignored"] == 0


def test_some_messages_come_twice_and_some_are_broken(lived: tuple[Fleet, Heard]) -> None:
    _, heard = lived
    assert heard.counts["duplicate"] > 0
    assert heard.counts["quarantined"] > 0
    assert heard.counts["bad_metrics"] > 0


def test_messages_per_step_are_about_as_many_as_devices(small: Scenario) -> None:
    sizes = [len(messages) for _, messages in live(Fleet(small, 3))][1:]
    assert small.devices * 0.8 < sum(sizes) / len(sizes) < small.devices * 1.4


def test_every_device_says_who_it_is_at_the_start(small: Scenario) -> None:
    fleet, heard = Fleet(small, 1), Heard()
    heard.take(fleet.hello(), small.start)
    identities = [value for value in heard.values if isinstance(value, Identity)]
    assert {identity.device for identity in identities} == {device for device, _, _ in fleet.devices()}
    assert {identity.model for identity in identities} == {model.name for model in small.models}
    assert all(identity.firmware and identity.hardware and identity.serial for identity in identities)
    assert sum(isinstance(value, Presence) and value.online for value in heard.values) == fleet.size


def test_no_sample_is_of_the_future(small: Scenario) -> None:
    for now, messages in live(Fleet(small, 4)):
        heard = Heard()
        heard.take(messages, now)
        assert all(value.at <= now for value in heard.values)


def test_numbers_of_a_boot_rise_by_one_with_every_message(lived: tuple[Fleet, Heard]) -> None:
    _, heard = lived
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for value in heard.values:
        if isinstance(value, (Reading, Event)) and value.boot is not None and value.seq is not None:
            numbers[value.device, value.boot].append(value.seq)
    assert numbers
    for seqs in numbers.values():
        assert seqs == sorted(seqs)
        assert set(seqs) == set(range(1, max(seqs) + 1))


def test_a_sample_carries_the_firmware_it_was_measured_on(lived: tuple[Fleet, Heard]) -> None:
    _, heard = lived
    updated = {
        value.device: (value.at, value.detail["to"])
        for value in heard.values
        if isinstance(value, Event) and value.kind == "update"
    }
    assert updated
    for value in heard.values:
        if isinstance(value, Reading) and value.device in updated:
            at, version = updated[value.device]
            if abs(value.at - at) > timedelta(minutes=1):
                assert (value.firmware == version) == (value.at > at)


def test_an_update_is_an_expected_reboot_and_a_new_identity(lived: tuple[Fleet, Heard]) -> None:
    fleet, heard = lived
    offered = {fleet.device_id(rollout.kind, offer.index) for rollout in fleet.rollouts for offer in rollout.offers}
    events = [value for value in heard.values if isinstance(value, Event)]
    installed = {event.device for event in events if event.kind == "update" and event.code == "installed"}
    assert installed <= offered
    assert len(installed) > 0.9 * len(offered)
    restarted = {event.device for event in events if event.code == "update"}
    assert installed == restarted
    named = {value.device for value in heard.values if isinstance(value, Identity) and value.at > fleet.scenario.start}
    assert installed <= named
    assert "update" in REBOOT_CODES_EXPECTED


def test_boots_follow_one_another(lived: tuple[Fleet, Heard]) -> None:
    _, heard = lived
    boots: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for value in heard.values:
        if isinstance(value, (Reading, Event)) and value.boot is not None:
            boots[value.device].append((value.at, int(value.boot[1:])))
    for marks in boots.values():
        ordered = [boot for _, boot in sorted(marks)]
        assert ordered == sorted(ordered)


def test_after_an_outage_a_device_sends_what_it_kept(small: Scenario) -> None:
    wire = small.wire.model_copy(
        update={"home_outages_per_day": 0.4, "power_cut_share": 0.0, "outage_hours": (5.0, 9.0), "malformed_devices": 0}
    )
    fleet = Fleet(small.model_copy(update={"wire": wire, "faults": ()}), 9)
    late, away, times = 0, set(), defaultdict(set)
    for now, messages in live(fleet):
        heard = Heard()
        heard.take(messages, now)
        for value in heard.values:
            if isinstance(value, Presence) and not value.online:
                away.add(value.device)
            if isinstance(value, Reading):
                times[value.device].add(value.at)
                late += value.at < now - small.step
    assert late > 100
    assert len(away) > 10
    missing = [device for device, seen in times.items() if small.days * 48 - len(seen) > 20]
    assert not missing, "only an outage that lasts at the end may keep samples back"


def test_devices_on_the_mains_measure_nothing_without_power(small: Scenario) -> None:
    wire = small.wire.model_copy(
        update={"home_outages_per_day": 0.4, "power_cut_share": 1.0, "outage_hours": (5.0, 9.0), "malformed_devices": 0}
    )
    fleet, heard = Fleet(small.model_copy(update={"wire": wire, "faults": ()}), 9), Heard()
    for now, messages in live(fleet):
        heard.take(messages, now)
    assert fleet.samples_sent == heard.counts["stored"]
    readings = [value.device for value in heard.values if isinstance(value, Reading)]
    cameras = sum(device.startswith("cam-") for device in readings) / 30
    locks = sum(device.startswith("lock-") for device in readings) / 10
    assert cameras < locks - 5
    restarts = [value for value in heard.values if isinstance(value, Event) and value.code == "power_on"]
    assert restarts
    assert not any(event.device.startswith("lock-") for event in restarts)


def test_a_dead_battery_is_silent_until_new_cells_are_in(small: Scenario) -> None:
    fleet = Fleet(small, 5)
    fault = next(fault for fault in fleet.planted if fault.mode == "battery_fade")
    device = fleet.device_id(fault.kind, fault.index)
    seen: list[datetime] = []
    presences: list[tuple[datetime, bool]] = []
    repaired: datetime | None = None
    for now, messages in live(fleet):
        heard = Heard()
        heard.take(messages, now)
        seen += [value.at for value in heard.values if isinstance(value, Reading) and value.device == device]
        presences += [
            (value.at, value.online) for value in heard.values if isinstance(value, Presence) and value.device == device
        ]
        if now.timestamp() > fault.fails_at + 6 * 3600 and repaired is None:
            assert fleet.wrong_part(device) == "battery"
            fleet.repair(device, "battery")
            repaired = now
    assert repaired is not None
    assert not [at for at in seen if fault.fails_at < at.timestamp() <= repaired.timestamp()]
    assert [at for at in seen if at > repaired + timedelta(hours=1)]
    states = [online for at, online in presences if at.timestamp() > fault.onset]
    assert False in states
    assert states[-1]
    assert fleet.wrong_part(device) is None


def test_an_unknown_device_is_missing(small: Scenario) -> None:
    fleet = Fleet(small, 1)
    with pytest.raises(Missing):
        fleet.wrong_part("nobody")
    with pytest.raises(Missing):
        fleet.repair("nobody", "battery")
    with pytest.raises(Missing):
        fleet.firmware("nobody")


def test_at_goodbye_everybody_leaves(small: Scenario) -> None:
    fleet, heard = Fleet(small, 2), Heard()
    fleet.step(small.start + small.step)
    heard.take(fleet.goodbye(), fleet.now)
    assert all(isinstance(value, Presence) and not value.online for value in heard.values)
    assert len(heard.values) >= fleet.size - 5
    assert fleet.goodbye() == []


def test_topics_are_the_native_ones_and_payloads_small(small: Scenario) -> None:
    fleet = Fleet(small, 2)
    for topic, payload, retain in fleet.step(small.start + small.step):
        assert topic.startswith(f"{native.ROOT}/")
        assert len(payload) < 20_000
        assert retain == topic.endswith(("/presence", "/identity"))
        if topic.endswith("/presence"):
            assert "online" in json.loads(payload)
