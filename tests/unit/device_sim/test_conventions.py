"""What the fleet says in another convention is understood as what it said in its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from device_sim.conventions import Translator
from device_sim.fleet import Fleet
from device_sim.scenario import Scenario
from device_sim.uplink import Message
from device_sim.zigbee import address_of
from hearthwatch.errors import Invalid
from hearthwatch.values import Event, Identity, Presence, Reading, Value
from hearthwatch.values import Message as Received
from hearthwatch.wire import native
from hearthwatch.wire.registry import Decoder, conventions

AT = datetime.fromisoformat("2026-05-01T12:00:00+00:00")
SHARED = {
    "tasmota": {"rssi_dbm", "uptime_s", "power_w", "voltage_v", "current_a", "energy_kwh", "relay_on", "temperature_c",
                "humidity_pct", "battery_pct", "battery_v", "illuminance_lux", "device_temperature_c"},
    "shelly_gen2": {"rssi_dbm", "uptime_s", "free_heap_bytes", "power_w", "voltage_v", "current_a", "energy_kwh", "relay_on",
                    "temperature_c", "humidity_pct", "battery_pct", "battery_v", "illuminance_lux"},
}  # fmt: skip


def understood(messages: Sequence[Message], now: datetime, names: Sequence[str]) -> list[Value]:
    decoder = Decoder(conventions(names))
    values: list[Value] = []
    for topic, payload, retain in messages:
        name, decoded = decoder.decode(Received(topic, payload, now, retain))
        assert name == names[0]
        assert not decoded.rejected
        values += decoded.values
    return values


@pytest.fixture(scope="module")
def said(small: Scenario) -> tuple[datetime, list[Message]]:
    """The first words of a fleet, and a step."""
    healthy = small.wire.model_copy(update={"malformed_devices": 0, "duplicate_share": 0.0})
    fleet = Fleet(small.model_copy(update={"wire": healthy}), 1)
    now = small.start + small.step
    return now, [*fleet.hello(), *fleet.step(now)]


def test_a_convention_that_the_fleet_does_not_speak_is_refused() -> None:
    with pytest.raises(Invalid, match="convention"):
        Translator("klingon")


def test_native_messages_pass_as_they_are(said: tuple[datetime, list[Message]]) -> None:
    now, messages = said
    assert Translator("native").translate(messages, now) == messages
    command = ("hearthwatch/v1/lock-1/command", b"{}")
    assert Translator("native").hear(*command) == command


@pytest.mark.parametrize("convention", ["tasmota", "shelly_gen2", "zigbee2mqtt"])
def test_what_nobody_can_read_is_said_by_nobody(convention: str) -> None:
    said = Translator(convention).translate([("hearthwatch/v1/x/telemetry", b"{", False)], AT)
    assert [topic for topic, _, _ in said if "/bridge/" not in topic] == []


@pytest.mark.parametrize("convention", ["tasmota", "shelly_gen2"])
def test_metrics_firmware_and_time_arrive(convention: str, said: tuple[datetime, list[Message]]) -> None:
    now, messages = said
    own = [value for value in understood(messages, now, ["native"]) if isinstance(value, Reading)]
    other = understood(Translator(convention).translate(messages, now), now, [convention])
    heard: dict[tuple[str, datetime], dict[str, float]] = {}
    for value in other:
        if isinstance(value, Reading):
            heard.setdefault((value.device, value.at), {}).update(value.metrics)
            assert value.firmware is not None
    assert heard.keys() == {(reading.device, reading.at) for reading in own}
    compared = 0
    for reading in own:
        for name in SHARED[convention] & reading.metrics.keys():
            if name == "device_temperature_c" and convention == "shelly_gen2" and "power_w" not in reading.metrics:
                continue
            assert heard[reading.device, reading.at][name] == pytest.approx(reading.metrics[name], abs=0.51)
            compared += 1
    assert compared > 500


@pytest.mark.parametrize("convention", ["tasmota", "shelly_gen2"])
def test_everybody_is_known_and_there(convention: str, said: tuple[datetime, list[Message]], small: Scenario) -> None:
    now, messages = said
    values = understood(Translator(convention).translate(messages, now), now, [convention])
    assert len({value.device for value in values if isinstance(value, Identity)}) == small.devices
    assert len({value.device for value in values if isinstance(value, Presence) and value.online}) == small.devices


@pytest.mark.parametrize("convention", ["tasmota", "shelly_gen2"])
@pytest.mark.parametrize("code", ["watchdog", "panic", "brownout", "power_on"])
def test_the_reason_of_a_reboot_arrives(convention: str, code: str) -> None:
    device = "shellyplug-0123456789ab"

    def reading(at: datetime, uptime: float) -> Message:
        return *native.telemetry(device, [(at, {"uptime_s": uptime, "rssi_dbm": -60})], fw="1.0.0", boot="b2"), False

    reboot = Event(device, "native", AT, "reboot", code, firmware="1.0.0", boot="b2")
    messages = [
        reading(AT - timedelta(minutes=5), 5000.0),
        (*native.event(reboot), False),
        reading(AT + timedelta(minutes=5), 300.0),
    ]
    now = AT + timedelta(minutes=5)
    values = understood(Translator(convention).translate(messages, now), now, [convention])
    assert [value.code for value in values if isinstance(value, Event)] == [code]


def test_a_bridge_describes_its_network_first_and_what_its_devices_measure_arrives(
    said: tuple[datetime, list[Message]], small: Scenario
) -> None:
    now, messages = said
    own = [value for value in understood(messages, now, ["native"]) if isinstance(value, Reading)]
    values = understood(Translator("zigbee2mqtt").translate(messages, now), now, ["zigbee2mqtt"])
    names = {address_of(reading.device): reading.device for reading in own}
    assert len({value.device for value in values if isinstance(value, Identity)} & names.keys()) == small.devices
    assert len({value.device for value in values if isinstance(value, Presence)} & names.keys()) == small.devices
    shared = ("temperature_c", "humidity_pct", "power_w", "battery_v", "battery_pct", "relay_on", "energy_kwh")
    sent = [(one.device, name, one.metrics[name]) for one in own for name in shared if name in one.metrics]
    heard = [
        (names[one.device], name, one.metrics[name])
        for one in values
        if isinstance(one, Reading) and one.device in names
        for name in shared
        if name in one.metrics
    ]
    assert len(sent) > 200
    assert [(device, name) for device, name, _ in heard] == [(device, name) for device, name, _ in sent]
    assert [value for _, _, value in heard] == pytest.approx([value for _, _, value in sent], abs=0.01)


def test_a_bridge_answers_for_its_devices_with_the_transaction_of_the_request(
    said: tuple[datetime, list[Message]],
) -> None:
    now, messages = said
    translator = Translator("zigbee2mqtt")
    translator.translate(messages, now)
    known = address_of(native.parse_command(*native.command(next(_devices(messages)), "c", "x")).device)
    asked = "zigbee2mqtt/bridge/request/device/ota_update/check"
    ((topic, answer, _),) = translator.answer(asked, b'{"id": "%s", "transaction": "r1"}' % known.encode())
    assert topic == "zigbee2mqtt/bridge/response/device/ota_update/check"
    told = msgspec.json.decode(answer)
    assert told == {"data": {"id": known, "update_available": False}, "status": "ok", "transaction": "r1"}
    ((_, refused, _),) = translator.answer(asked, b'{"id": "0x1", "transaction": "r2"}')
    assert msgspec.json.decode(refused)["error"] == "Device '0x1' does not exist"
    assert translator.answer("zigbee2mqtt/bridge/request/permit_join", b"{}") == []


def _devices(messages: Sequence[Message]) -> Iterator[str]:
    return (topic.split("/")[2] for topic, _, _ in messages)


@pytest.mark.parametrize(
    ("convention", "topic", "payload", "answers"),
    [
        ("tasmota", "cmnd/{}/STATUS", b"0", 10),
        ("tasmota", "cmnd/{}/STATUS0", b"", 1),
        ("tasmota", "cmnd/{}/STATUS", b"2", 1),
        ("tasmota", "cmnd/{}/Nonsense", b"", 1),
        ("shelly_gen2", "{}/rpc", b'{"id": "r1", "src": "me", "method": "Shelly.GetStatus"}', 1),
        ("shelly_gen2", "{}/rpc", b'{"id": "r1", "src": "me", "method": "No.Such"}', 1),
        ("shelly_gen2", "{}/rpc", b'{"id": "r1", "src": "me", "result": {}}', 0),
        ("shelly_gen2", "{}/rpc", b"no json", 0),
    ],
)
def test_a_device_answers_in_its_own_convention(
    small: Scenario, convention: str, topic: str, payload: bytes, answers: int
) -> None:
    fleet = Fleet(small, 1)
    translator = Translator(convention)
    translator.translate(fleet.hello(), small.start)
    heard = translator.hear(topic.format(fleet.device_id("plug", 0)), payload)
    replies = fleet.receive_command(*heard) if heard is not None else []
    assert len(translator.translate(replies, small.start)) == answers
