"""Commands through a real broker: asked, sent, answered in the words of each convention, and the row that tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from alerts import commands as asked
from alerts import delivery
from alerts.channels.command import CommandChannel
from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher, TelemetryStore
from hearthwatch.records import commands, devices
from hearthwatch.records.commands import Command
from hearthwatch.records.database import Database
from hearthwatch.values import Device, Message
from hearthwatch.wire.sparkplug_payload import parse_payload
from tests.integration.ingestor import Ingestor, ingesting
from tests.integration.scripted_devices import Answers, Scripted, wait_until
from tests.sparkplug_payloads import encode

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SPOKEN = ("native", "sparkplug", "zigbee2mqtt", "tasmota", "shelly_gen2")
PLUG = "shellyplus1pm-aabbccddeeff"
BRIDGE, LAMP = "0x00124b00120144ae", "0x000b57fffec6a5b2"


class Scene:
    """A broker with an ingestor and the platform's command channel; devices are played by scripts."""

    def __init__(
        self, address: str, ingestor: Ingestor, publisher: Publisher, database: Database, clock: SteppedClock
    ) -> None:
        self.address = address
        self.ingestor = ingestor
        self.database = database
        self.clock = clock
        self._outgoing = CommandChannel(publisher)
        self._devices: list[Scripted] = []

    def device(self, *filters: str, answer: Callable[[Message], Answers] = lambda _message: ()) -> Scripted:
        scripted = Scripted(self.address, f"device-{len(self._devices)}", filters, answer)
        self._devices.append(scripted)
        return scripted

    def close(self) -> None:
        for device in self._devices:
            device.close()

    def knows(self, device: str) -> None:
        """Wait until a device is in the records."""

        def there() -> bool:
            with self.database.reading() as connection:
                return device in devices.find(connection, [device])

        wait_until(there)

    def device_row(self, device: str) -> Device:
        with self.database.reading() as connection:
            return devices.get(connection, device)

    def ask(self, device: str, kind: str = "diagnostics", **more: Any) -> Command:
        with self.database.transaction() as connection:
            return asked.ask(connection, device, kind, why="it is slow", actor="ann", now=self.clock.now(), **more)

    def deliver(self) -> None:
        delivery.deliver(self.database, {"mqtt": self._outgoing}, self.clock.now(), worker="test")

    def tend(self) -> None:
        asked.tend(self.database, self.clock.now(), ask_devices=True)

    def now_is(self, command: Command) -> Command:
        with self.database.reading() as connection:
            return commands.get(connection, command.id)

    def ends(self, command: Command) -> Command:
        """The command, once its device answered."""
        wait_until(lambda: self.now_is(command).answered_at is not None)
        return self.now_is(command)

    def of(self, device: str) -> list[Command]:
        with self.database.reading() as connection:
            return commands.list_commands(connection, device_id=device)

    def handled(self, messages: int) -> None:
        self.ingestor.runner.drain(messages, 20.0)


@pytest.fixture
def scene(mosquitto: str, store: TelemetryStore, database: Database) -> Iterator[Scene]:
    clock = SteppedClock(NOW)
    publisher = open_publisher(mosquitto, client_id="hearthwatch-commands")
    with ingesting(mosquitto, store, database, clock, spoken=SPOKEN) as ingestor:
        made = Scene(mosquitto, ingestor, publisher, database, clock)
        yield made
        made.close()
    publisher.close()


@contextmanager
def native(scene: Scene, name: str, answer: Callable[[dict[str, Any]], Answers]) -> Iterator[Scripted]:
    """A native device that is online and answers."""
    device = scene.device(
        f"hearthwatch/v1/{name}/command", answer=lambda said: answer(msgspec.json.decode(said.payload))
    )
    device.say([(f"hearthwatch/v1/{name}/presence", {"online": True, "boot": "b1"})])
    scene.knows(name)
    yield device


# -- sad paths ------------------------------------------------------------------------------------------------------------


def test_a_device_that_says_nothing_is_waited_for_and_then_no_more_and_a_late_answer_is_kept(scene: Scene) -> None:
    with native(scene, "lamp-1", lambda _asked: ()) as device:
        command = scene.ask("lamp-1")
        scene.deliver()
        assert scene.now_is(command).state == "sent"
        scene.clock.advance(timedelta(minutes=3))
        scene.tend()
        ended = scene.now_is(command)
        assert (ended.state, ended.reason, ended.answer) == ("timed_out", "no answer came in time", None)
        wait_until(lambda: len(device.heard) == 1)
        body = msgspec.json.decode(device.heard[0].payload)
        device.say([("hearthwatch/v1/lamp-1/reply", {"id": body["id"], "ok": True, "detail": {"heap": 9}})])
        late = scene.ends(command)
        assert (late.state, late.late, late.answer) == ("answered", True, {"heap": 9})


def test_an_answer_of_another_device_with_our_id_is_not_taken(scene: Scene) -> None:
    def another(given: dict[str, Any]) -> Answers:
        return [
            ("hearthwatch/v1/lamp-2/reply", {"id": given["id"], "ok": True, "detail": {"who": "not me"}}),
            ("hearthwatch/v1/lamp-1/reply", {"id": given["id"], "ok": False, "detail": {"error": "busy"}}),
        ]

    with native(scene, "lamp-1", another):
        command = scene.ask("lamp-1")
        scene.deliver()
        ended = scene.ends(command)
        assert (ended.state, ended.reason, ended.answer) == ("failed", "the device said: busy", {"error": "busy"})


def test_an_answer_that_comes_twice_counts_once(scene: Scene) -> None:
    def twice(given: dict[str, Any]) -> Answers:
        topic = "hearthwatch/v1/lamp-1/reply"
        return [(topic, {"id": given["id"], "ok": True, "detail": {"turn": turn}}) for turn in (1, 2)]

    with native(scene, "lamp-1", twice):
        command = scene.ask("lamp-1")
        scene.deliver()
        scene.handled(3)
        ended = scene.ends(command)
        assert ended.answer == {"turn": 1}
        assert ended.revision == scene.now_is(command).revision


def test_an_answer_that_comes_while_the_ingestor_is_away_is_taken_when_it_is_back(
    scene: Scene, store: TelemetryStore
) -> None:
    with native(
        scene, "lamp-1", lambda given: [("hearthwatch/v1/lamp-1/reply", {"id": given["id"], "ok": True})]
    ) as lamp:
        command = scene.ask("lamp-1")
        scene.ingestor.runner.stop()
        scene.deliver()
        wait_until(lambda: len(lamp.heard) == 1)
        lamp.settle()
        assert scene.now_is(command).answered_at is None
        with ingesting(scene.address, store, scene.database, scene.clock, spoken=SPOKEN):
            assert scene.ends(command).state == "answered"


def test_a_command_waits_for_a_device_that_is_offline_and_goes_when_it_is_back(scene: Scene) -> None:
    with native(
        scene, "lamp-1", lambda given: [("hearthwatch/v1/lamp-1/reply", {"id": given["id"], "ok": True})]
    ) as lamp:
        presence = "hearthwatch/v1/lamp-1/presence"
        lamp.say([(presence, {"online": False, "boot": "b1"})])
        wait_until(lambda: scene.device_row("lamp-1").online is False)
        command = scene.ask("lamp-1")
        scene.deliver()
        scene.tend()
        scene.deliver()
        assert (scene.now_is(command).state, lamp.heard) == ("queued", [])
        lamp.say([(presence, {"online": True, "boot": "b2"})])
        wait_until(lambda: scene.device_row("lamp-1").online is True)
        scene.tend()
        scene.deliver()
        assert scene.ends(command).state == "answered"


def test_a_huge_answer_is_cut_and_says_so(scene: Scene) -> None:
    def rpc(said: Message) -> Answers:
        call = msgspec.json.decode(said.payload)
        huge = {f"switch:{number}": {"note": "x" * 700, "deep": [[[[[[[1]]]]]]]} for number in range(300)}
        return [(f"{call['src']}/rpc", {"id": call["id"], "src": PLUG, "dst": call["src"], "result": huge})]

    plug = scene.device(f"{PLUG}/rpc", answer=rpc)
    plug.say([(f"{PLUG}/events/rpc", {"src": PLUG, "method": "NotifyStatus", "params": {"ts": NOW.timestamp()}})])
    plug.say([(f"{PLUG}/online", "true")])
    scene.knows(PLUG)
    command = scene.ask(PLUG)
    scene.deliver()
    answer = scene.ends(command).answer
    assert answer is not None
    assert answer["cut"] is True
    assert len(msgspec.json.encode(answer)) < 64_000


# -- each convention ------------------------------------------------------------------------------------------------------


def test_a_native_device_answers_by_the_id_in_the_payload(scene: Scene) -> None:
    def diagnose(given: dict[str, Any]) -> Answers:
        assert given["kind"] == "diagnostics"
        return [("hearthwatch/v1/lamp-1/reply", {"id": given["id"], "ok": True, "detail": {"rssi_dbm": -61}})]

    with native(scene, "lamp-1", diagnose) as device:
        command = scene.ask("lamp-1")
        scene.deliver()
        ended = scene.ends(command)
        assert (ended.state, ended.answer, ended.late) == ("answered", {"rssi_dbm": -61}, False)
        assert (ended.asked_by, ended.why, ended.consent) == ("ann", "it is slow", "maker")
        assert ended.sent_at == NOW <= (ended.answered_at or NOW)
        (heard,) = device.heard
        assert heard.retain is False


def test_a_tasmota_plug_answers_status_0_part_by_part(scene: Scene) -> None:
    parts = {"": "Status", "2": "StatusFWR", "5": "StatusNET", "11": "StatusSTS"}
    inside = {"StatusFWR": {"Version": "14.2.0(tasmota)"}, "StatusSTS": {"UptimeSec": 77, "Wifi": {"SSId": "home"}}}

    def status(said: Message) -> Answers:
        assert (said.topic, said.payload) == ("cmnd/plug/STATUS", b"0")
        return [(f"stat/plug/STATUS{number}", {key: inside.get(key, {"A": 1})}) for number, key in parts.items()]

    plug = scene.device("cmnd/plug/+", answer=status)
    plug.say([("tele/plug/LWT", "Online")])
    scene.knows("plug")
    command = scene.ask("plug")
    scene.deliver()
    answer = scene.ends(command).answer
    assert answer is not None
    assert set(answer) == set(parts.values())
    assert answer["StatusSTS"] == {"UptimeSec": 77, "Wifi": {"SSId": "(left out)"}}


def test_a_shelly_is_asked_for_its_firmware_when_it_comes_and_answers_below_its_own_prefix(scene: Scene) -> None:
    def rpc(said: Message) -> Answers:
        call = msgspec.json.decode(said.payload)
        frame = {"id": call["id"], "src": PLUG, "dst": call["src"]}
        results: dict[str, dict[str, Any]] = {
            "Shelly.GetDeviceInfo": {
                "result": {"id": PLUG, "model": "SNSW-001P16EU", "fw_id": "20231219-133934/1.1.0-g34b5d4f"}
            },
            "Shelly.CheckForUpdate": {"result": {"stable": {"version": "1.4.2"}}},
            "Shelly.GetStatus": {"error": {"code": 401, "message": "Unauthorized"}},
        }
        return [(f"{call['src']}/rpc", {**frame, **results[call["method"]]})]

    plug = scene.device(f"{PLUG}/rpc", answer=rpc)
    plug.say([(f"{PLUG}/online", "true")])
    scene.knows(PLUG)
    wait_until(lambda: len(scene.of(PLUG)) == 1)
    (question,) = scene.of(PLUG)
    assert (question.kind, question.asked_by, question.consent) == ("device_info", "ingest", "protocol")
    scene.tend()
    scene.deliver()
    assert scene.ends(question).state == "answered"
    with scene.database.reading() as connection:
        assert devices.get(connection, PLUG).version == "1.1.0"
    update, refused = scene.ask(PLUG, "check_update"), scene.ask(PLUG, "diagnostics")
    scene.deliver()
    assert scene.ends(update).answer == {"stable": {"version": "1.4.2"}}
    ended = scene.ends(refused)
    assert (ended.state, ended.reason) == ("failed", "the device said: Unauthorized")


def test_a_bridge_of_zigbee_checks_for_an_update_of_its_device(scene: Scene) -> None:
    def check(said: Message) -> Answers:
        given = msgspec.json.decode(said.payload)
        topic = said.topic.replace("/request/", "/response/")
        if topic.endswith("health_check"):
            return [(topic, {"data": {"healthy": True}, "status": "ok", "transaction": given["transaction"]})]
        data = {"id": given["id"], "update_available": True}
        return [(topic, {"data": data, "status": "ok", "transaction": given["transaction"]})]

    bridge = scene.device("zigbee2mqtt/bridge/request/#", answer=check)
    described = [
        {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator"},
        {"ieee_address": LAMP, "type": "Router", "friendly_name": "lamp", "definition": {"model": "LED1624G9"}},
    ]
    bridge.say([("zigbee2mqtt/bridge/devices", described), ("zigbee2mqtt/bridge/state", {"state": "online"})])
    scene.knows(LAMP)
    scene.knows(BRIDGE)
    command, health = scene.ask(LAMP, "check_update"), scene.ask(BRIDGE, "diagnostics")
    scene.deliver()
    assert scene.ends(command).answer == {"id": LAMP, "update_available": True}
    assert scene.ends(health).answer == {"healthy": True}


def test_a_bridge_that_could_not_check_says_why_in_the_name_of_its_device(scene: Scene) -> None:
    def fail(said: Message) -> Answers:
        given = msgspec.json.decode(said.payload)
        told = {"data": {}, "status": "error", "error": "Device 'lamp' does not support OTA updates"}
        return [("zigbee2mqtt/bridge/response/device/ota_update/check", {**told, "transaction": given["transaction"]})]

    bridge = scene.device("zigbee2mqtt/bridge/request/#", answer=fail)
    described = [
        {"ieee_address": BRIDGE, "type": "Coordinator", "friendly_name": "Coordinator"},
        {"ieee_address": LAMP, "type": "Router", "friendly_name": "lamp"},
    ]
    bridge.say([("zigbee2mqtt/bridge/devices", described)])
    scene.knows(LAMP)
    command = scene.ask(LAMP, "check_update")
    scene.deliver()
    ended = scene.ends(command)
    assert ended.state == "failed"
    assert "does not support OTA updates" in (ended.reason or "")


def test_an_edge_node_is_asked_for_its_birth_after_a_gap(scene: Scene) -> None:
    birth = encode({"timestamp": 1, "seq": 0, "metrics": [{"name": "bdSeq", "dataType": "Int64", "value": 1}]})

    def born_again(said: Message) -> Answers:
        (metric,) = parse_payload(said.payload).metrics
        assert (metric.name, metric.value) == ("Node Control/Rebirth", True)
        return [("spBv1.0/plant/NBIRTH/edge", birth)]

    edge = scene.device("spBv1.0/plant/NCMD/edge", answer=born_again)
    lost = encode({"timestamp": 2, "seq": 7, "metrics": []})
    edge.say([("spBv1.0/plant/NBIRTH/edge", birth), ("spBv1.0/plant/NDATA/edge", lost)])
    scene.knows("plant.edge")
    wait_until(lambda: len(scene.of("plant.edge")) == 1)
    (command,) = scene.of("plant.edge")
    assert (command.kind, command.why) == ("rebirth", "a gap: 6 messages are missing")
    scene.tend()
    scene.deliver()
    assert scene.ends(command).state == "answered"
