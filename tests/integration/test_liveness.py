"""Truth of liveness, replayed through ingest, both stores and the job: whose silence is whose, and what is said of it.

The clock is stepped, so a night takes seconds. Only the broker's restart needs a real Mosquitto, which is killed.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import sqlalchemy as sa
from paho.mqtt.enums import CallbackAPIVersion

from analytics.liveness.job import Options, watch_liveness
from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import link, open_publisher
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import blindness, devices, findings, liveness
from hearthwatch.records.database import Database
from hearthwatch.records.liveness import Liveness
from hearthwatch.records.tables import receivers
from hearthwatch.values import Finding
from ingest.lookout import Lookout
from tests.faults.places import Broker
from tests.integration.ingestor import Ingestor, ingesting
from tests.sparkplug_payloads import encode

MORNING = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATIENCE_S = 30.0
SPOKEN = (
    "native",
    "homie",
    "sparkplug",
    "zigbee2mqtt",
    "tasmota",
    "shelly_gen2",
    "home_assistant",
    "home_assistant@acme/+/+",
)
GATEWAY, RADIATOR = "78e36d645710", "78e36d645711"
BRIDGE, LAMP, DOOR = "0x00124b00120144ae", "0x90fd9ffffe6494fc", "0x00158d00018255df"


class Scene:
    """A broker, an ingestor that looks out, and devices that the test speaks for."""

    def __init__(self, address: str, store: TelemetryStore, database: Database, clock: SteppedClock) -> None:
        self.address = address
        self.store = store
        self.database = database
        self.clock = clock
        self.options = Options()
        self.told: dict[str, int] = {}
        self._sent = 0
        self._stack = ExitStack()
        self._ingestor: Ingestor | None = None
        self._lookout: Lookout | None = None
        self._publisher = open_publisher(address, client_id="devices")

    def start(self, holder: str = "one") -> None:
        """An ingestor starts."""
        self._sent = 0
        self._ingestor = self._stack.enter_context(
            ingesting(self.address, self.store, self.database, self.clock, spoken=SPOKEN)
        )
        self._lookout = Lookout(self.database, self.clock, holder, self._ingestor.runner.health)

    def stop(self) -> None:
        """The ingestor ends, and nobody looks out."""
        self._stack.close()
        self._ingestor = self._lookout = None

    def close(self) -> None:
        """The end of the scene."""
        self._stack.close()
        self._publisher.close()

    def say(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """A device says something."""
        raw = payload.encode() if isinstance(payload, str) else payload
        raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        self._publisher.publish(topic, raw, retain=retain)
        self._sent += 1

    def report(self, *names: str, **metrics: float) -> None:
        """Native devices send a sample each."""
        for name in names:
            samples = [{"at": self.clock.now().isoformat(), "m": metrics or {"power_w": 5.0}}]
            self.say(f"hearthwatch/v1/{name}/telemetry", {"fw": "1.0.0", "samples": samples})

    def come(self, name: str, boot: str = "b1") -> None:
        """A native device connects."""
        self.say(f"hearthwatch/v1/{name}/presence", {"online": True, "boot": boot}, retain=True)

    def go(self, name: str, boot: str = "b1") -> None:
        """The broker publishes a native device's last will."""
        self.say(f"hearthwatch/v1/{name}/presence", {"online": False, "boot": boot}, retain=True)

    def look(self) -> None:
        """What was said is taken in, and the job runs."""
        if self._ingestor is not None and self._lookout is not None:
            self._publisher.flush(PATIENCE_S)
            self._ingestor.runner.drain(self._sent, PATIENCE_S)
            self._lookout.look()
        self.told = dict(watch_liveness(self.store, self.database, self.clock.now(), self.options))

    def live(self, minutes: int, *, step: int = 1, every: int = 5, reporting: Sequence[str] = ()) -> None:
        """Time passes; some devices report every few minutes, and the job looks each step."""
        for minute in range(0, minutes, step):
            self.clock.advance(step * MINUTE)
            if self._lookout is not None:
                self._looked_out_meanwhile()
            if minute % max(every, step) < step:
                self.report(*reporting)
            self.look()

    def _looked_out_meanwhile(self) -> None:
        """As if somebody had said every few seconds of this step that they receive."""
        with self.database.transaction() as connection:
            connection.execute(sa.update(receivers).values(received_at=self.clock.now(), seen_at=self.clock.now()))

    def is_connected(self) -> bool:
        """Whether the ingestor has the broker."""
        return self._ingestor is not None and bool(self._ingestor.runner.health()["connected"])

    def goes_on_without_us(self, lasting: timedelta) -> None:
        """Time passes while nothing can come; the ingestor says so, and the job looks."""
        self.clock.advance(lasting)
        if self._lookout is not None:
            self._lookout.look()
        self.told = dict(watch_liveness(self.store, self.database, self.clock.now(), self.options))

    def known(self) -> set[str]:
        """The devices that somebody looked at."""
        with self.database.reading() as connection:
            return set(liveness.load(connection))

    def of(self, device: str) -> Liveness:
        """What is held of a device."""
        with self.database.reading() as connection:
            return liveness.find(connection, [device])[device]

    def states(self, *names: str) -> list[str]:
        """States of some devices."""
        with self.database.reading() as connection:
            known = liveness.find(connection, names)
        return [known[name].state for name in names]

    def found(self, **wanted: Any) -> list[Finding]:
        """Findings there are, oldest first."""
        with self.database.reading() as connection:
            return findings.list_findings(connection, limit=10_000, **wanted)[::-1]

    def timeline(self, device: str) -> list[str]:
        """The states a device went through."""
        with self.database.reading() as connection:
            return [one.state for one in liveness.changes(connection, device)][::-1]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(MORNING)


@pytest.fixture
def scene(store: TelemetryStore, database: Database, clock: SteppedClock) -> Iterator[Scene]:
    """A broker inside the process, and an ingestor at it."""
    made = Scene(f"local://{uuid.uuid4()}", store, database, clock)
    made.start()
    yield made
    made.close()


# -- nobody is called offline without a reason


def test_a_device_that_was_silent_before_anybody_looked_is_offline_and_no_finding(scene: Scene) -> None:
    scene.report("old")
    scene.look()
    with scene.database.transaction() as connection:
        liveness.forget(connection, ["old"])
    scene.live(90 * 24 * 60, step=90 * 24 * 60, reporting=["new"])
    for _ in range(3):
        scene.live(1)
    assert scene.states("old") == ["offline"]
    assert scene.found() == []


def test_running_the_job_twice_at_the_same_instant_changes_nothing(scene: Scene) -> None:
    scene.live(30, reporting=["a", "b"])
    before = scene.of("a")
    with scene.database.reading() as connection:
        timeline = liveness.changes(connection, "a")
    scene.look()
    assert scene.of("a") == before
    with scene.database.reading() as connection:
        assert liveness.changes(connection, "a") == timeline


def test_the_interval_is_learned_and_a_device_is_late_by_its_own_measure(scene: Scene) -> None:
    scene.live(60, step=5, reporting=["plug"])
    known = scene.of("plug")
    assert known.state == "online"
    assert known.interval_s == pytest.approx(300, rel=0.15)
    assert (known.power, known.power_from) == ("mains", "metrics")
    scene.live(20, step=5)
    assert scene.states("plug") == ["late"]
    scene.live(20, step=5)
    assert scene.states("plug") == ["offline"]
    scene.live(1, reporting=["plug"])
    assert scene.states("plug") == ["online"]
    assert scene.timeline("plug") == ["online", "late", "offline", "online"]


def test_a_last_will_of_an_older_boot_is_ignored(scene: Scene) -> None:
    scene.come("lock", "b71")
    scene.live(2, every=1, reporting=["lock"])
    scene.come("lock", "b72")
    scene.go("lock", "b71")
    scene.look()
    scene.live(4)
    assert scene.states("lock") == ["online"]


def test_a_last_will_counts_after_its_grace_and_not_if_the_device_reconnects(scene: Scene) -> None:
    for name in ("gone", "back"):
        scene.come(name)
    scene.live(10, reporting=["gone", "back"])
    scene.go("gone")
    scene.go("back")
    scene.look()
    assert scene.states("gone", "back") == ["late", "late"]
    scene.come("back")
    scene.look()
    scene.live(3)
    assert scene.states("gone", "back") == ["offline", "online"]
    assert scene.of("gone").why["text_key"] == "gone"


def test_what_a_person_says_of_a_device_goes_before_what_it_tells(scene: Scene) -> None:
    scene.live(30, step=5, reporting=["probe"])
    with scene.database.transaction() as connection:
        liveness.set_plan(connection, "device", "probe", None, "sleepy", 4 * 3600.0)
    scene.live(120, step=10)
    known = scene.of("probe")
    assert (known.state, known.power, known.power_from, known.interval_s) == ("asleep", "sleepy", "registry", 14_400.0)


# -- a persistently silent device


def test_a_device_that_stays_silent_is_one_finding_which_ends_when_it_is_heard(scene: Scene) -> None:
    scene.live(60, step=5, reporting=["plug", "other"])
    scene.live(30 * 60, step=180, reporting=["other"])
    (finding,) = scene.found(mode="silent")
    assert (finding.subject, finding.kind, finding.severity, finding.state) == ("plug", "anomaly", "info", "open")
    assert finding.evidence["reasons"][0]["text_key"] == "silent"
    revision = finding.revision
    scene.live(30, step=10)
    assert scene.found(mode="silent")[0].revision == revision, "it is not said again every minute"
    scene.live(5, reporting=["plug"])
    (over,) = scene.found(mode="silent")
    assert (over.state, over.episode) == ("recovered", 1)


# -- sleeping sensors


def test_sleeping_sensors_are_asleep_all_night_and_raise_nothing(scene: Scene) -> None:
    names = [f"door-{number}" for number in range(3)]
    for _ in range(6):  # they wake every eight hours
        for name in names:
            source = f"shellyht-{name}"
            told = {"devicepower:0": {"battery": {"V": 5.9, "percent": 90}}, "temperature:0": {"tC": 21.0}}
            body = {"src": source, "method": "NotifyFullStatus", "params": told}
            scene.say(f"{source}/events/rpc", body)
            scene.say(f"{source}/online", "true", retain=True)
        scene.look()
        for name in names:  # and leave when they sleep again
            scene.say(f"shellyht-{name}/online", "false", retain=True)
        scene.live(480, step=120)
    known = [scene.of(f"shellyht-{name}") for name in names]
    assert {one.state for one in known} == {"asleep"}
    assert {one.power for one in known} == {"sleepy"}
    assert known[0].interval_s == pytest.approx(8 * 3600, rel=0.15)
    assert scene.found() == []
    scene.live(12 * 60, step=240)
    assert set(scene.states(*(one.device_id for one in known))) == {"late"}


# -- a bridge


def house(scene: Scene) -> None:
    """A Zigbee network: a lamp on the mains and a door sensor on a battery."""
    scene.say(
        "zigbee2mqtt/bridge/devices",
        [
            {"ieee_address": BRIDGE, "friendly_name": "Coordinator", "type": "Coordinator"},
            {"ieee_address": LAMP, "friendly_name": "lamp", "type": "Router", "power_source": "Mains (single phase)"},
            {"ieee_address": DOOR, "friendly_name": "door", "type": "EndDevice", "power_source": "Battery"},
        ],
        retain=True,
    )
    scene.say("zigbee2mqtt/bridge/state", "online", retain=True)


def zigbee(scene: Scene, minutes: int, *, step: int = 5) -> None:
    """The house lives: the lamp tells its state every few minutes."""
    for _ in range(0, minutes, step):
        scene.say("zigbee2mqtt/lamp", {"state": "ON", "linkquality": 120})
        scene.live(step, step=step)


def test_when_a_bridge_dies_its_devices_are_unknown_and_the_bridge_alone_is_a_finding(scene: Scene) -> None:
    house(scene)
    scene.say("zigbee2mqtt/door", {"contact": True, "battery": 90})
    zigbee(scene, 60)
    assert scene.states(BRIDGE, LAMP, DOOR) == ["online", "online", "asleep"]
    assert (scene.of(LAMP).bridge_id, scene.of(LAMP).power, scene.of(DOOR).power) == (BRIDGE, "mains", "sleepy")
    scene.say("zigbee2mqtt/bridge/state", "offline", retain=True)
    scene.look()
    scene.live(5, step=5)
    assert scene.states(BRIDGE, LAMP, DOOR) == ["offline", "unknown", "unknown"]
    assert scene.of(LAMP).why["values"]["bridge"] == BRIDGE
    scene.live(3 * 24 * 60, step=360)
    assert scene.states(BRIDGE, LAMP, DOOR) == ["offline", "unknown", "unknown"]
    (finding,) = scene.found()
    assert (finding.subject, finding.mode, finding.severity) == (BRIDGE, "silent", "warning")
    assert finding.evidence["devices_behind"] == 2
    scene.say("zigbee2mqtt/bridge/state", "online", retain=True)
    zigbee(scene, 15)
    assert scene.states(BRIDGE, LAMP) == ["online", "online"]
    assert scene.states(DOOR) == ["unknown"], "it has until its next waking"
    assert scene.found()[0].state == "recovered"


def test_a_bridge_is_there_while_its_devices_are_heard_through_it(scene: Scene) -> None:
    house(scene)
    zigbee(scene, 8 * 60, step=20)
    assert scene.states(BRIDGE, LAMP) == ["online", "online"]
    assert scene.timeline(BRIDGE) == ["online"]


def edge_node(scene: Scene) -> tuple[str, str]:
    """A Sparkplug edge node and a pump behind it."""
    bdseq = {"name": "bdSeq", "dataType": "Int64", "value": 3}
    level = {"name": "Level", "dataType": "Float", "value": 4.0}
    scene.say("spBv1.0/plant/NBIRTH/edge", encode({"metrics": [bdseq], "seq": 0}))
    scene.say("spBv1.0/plant/DBIRTH/edge/pump", encode({"metrics": [level], "seq": 1}))
    return "plant.edge", "plant.edge.pump"


def edge_node_dies(scene: Scene) -> None:
    """The broker publishes its death certificate, which is its devices' death too."""
    bdseq = {"name": "bdSeq", "dataType": "Int64", "value": 3}
    scene.say("spBv1.0/plant/NDEATH/edge", encode({"metrics": [bdseq]}))


def homie_tree(scene: Scene) -> tuple[str, str]:
    """A Homie 5 root and its child."""
    scene.say("homie/5/hub/$description", {"homie": "5.0", "version": 1, "nodes": {}, "children": ["fan"]}, retain=True)
    scene.say("homie/5/fan/$description", {"homie": "5.0", "version": 1, "nodes": {}, "root": "hub"}, retain=True)
    for name in ("hub", "fan"):
        scene.say(f"homie/5/{name}/$state", "ready", retain=True)
    return "hub", "fan"


def root_is_lost(scene: Scene) -> None:
    """The root's last will."""
    scene.say("homie/5/hub/$state", "lost", retain=True)


def gateway(scene: Scene) -> tuple[str, str]:
    """A gateway and a device behind it, by Home Assistant discovery."""
    for mac, more in ((GATEWAY, {}), (RADIATOR, {"via_device": GATEWAY})):
        device = {"ids": mac, "name": mac, "mf": "acme", "mdl": "x", **more}
        topics = {"stat_t": f"acme/{mac}/temperature", "avty_t": f"acme/{mac}/status"}
        entity = {"uniq_id": f"{mac}-t", "name": "temperature", "dev_cla": "temperature", "unit_of_meas": "°C"}
        scene.say(f"homeassistant/sensor/{mac}/t/config", {**entity, **topics, "dev": device}, retain=True)
        scene.say(f"acme/{mac}/status", "online", retain=True)
        scene.say(f"acme/{mac}/temperature", "21.5")
    return GATEWAY, RADIATOR


def gateway_leaves(scene: Scene) -> None:
    """The gateway's last will; its device has none that anybody would send."""
    scene.say(f"acme/{GATEWAY}/status", "offline", retain=True)


@pytest.mark.parametrize(
    ("begin", "end"),
    [(edge_node, edge_node_dies), (homie_tree, root_is_lost), (gateway, gateway_leaves)],
    ids=["sparkplug", "homie", "home assistant"],
)
def test_whatever_the_bridge_is_its_devices_are_unknown_when_it_dies(
    scene: Scene, begin: Callable[[Scene], tuple[str, str]], end: Callable[[Scene], None]
) -> None:
    bridge, device = begin(scene)
    scene.look()
    assert scene.states(bridge, device) == ["online", "online"]
    assert scene.of(device).bridge_id == bridge
    scene.live(1)
    end(scene)
    scene.look()
    scene.live(10, step=5)
    assert scene.states(bridge, device) == ["offline", "unknown"]
    assert scene.of(device).why["values"]["bridge"] == bridge
    scene.live(10 * 60, step=300)
    assert [(one.subject, one.mode) for one in scene.found()] == [(bridge, "silent")]


# -- a flapping device


def test_a_flapping_device_is_online_with_one_finding_instead_of_an_alarm_each_time(scene: Scene) -> None:
    scene.come("camera")
    scene.live(10, reporting=["camera", "other"])
    for _ in range(12):
        scene.go("camera")
        scene.look()
        scene.live(4, step=4, reporting=["other"])  # away for longer than the grace
        scene.come("camera")
        scene.live(4, step=4, reporting=["camera", "other"])
    known = scene.of("camera")
    assert (known.state, known.flapping, known.why["text_key"]) == ("online", True, "flapping")
    assert scene.timeline("camera").count("offline") <= 4, "from then on it is not called offline each time"
    (finding,) = scene.found()
    assert (finding.subject, finding.mode, finding.kind) == ("camera", "flapping", "anomaly")
    scene.live(180, step=30, reporting=["camera", "other"])
    assert not scene.of("camera").flapping


# -- a provider's outage


def fleet(scene: Scene) -> tuple[list[str], list[str]]:
    """Plugs in two regions, each in a home of its own."""
    north, south = ([f"{region}-{number:02d}" for number in range(20)] for region in ("north", "south"))
    with scene.database.transaction() as connection:
        rows = [{"id": name, "model": "plug", "region": name.partition("-")[0]} for name in (*north, *south)]
        devices.register(connection, rows)
    scene.live(60, step=5, reporting=[*north, *south])
    return north, south


def test_a_providers_outage_is_one_incident_of_its_region_and_ends_with_it(scene: Scene) -> None:
    north, south = fleet(scene)
    one_more = south[0]  # broken by itself, the same day
    alive = south[1:]
    scene.live(60, step=5, reporting=alive)
    (incident,) = scene.found(kind="incident")
    assert (incident.subject, incident.mode, incident.severity) == ("group:region/north", "mass_silence", "critical")
    assert incident.evidence["share"] == 1.0
    assert {scene.of(name).incident_id for name in north} == {incident.id}
    assert scene.of(one_more).incident_id is None
    scene.live(30 * 60, step=180, reporting=alive)
    assert [finding.subject for finding in scene.found(mode="silent")] == [one_more]
    assert scene.found(kind="incident")[0].state == "open"
    scene.live(20, step=5, reporting=[*north, *alive])
    assert set(scene.states(*north)) == {"online"}
    (over,) = scene.found(kind="incident")
    assert (over.state, over.id) == ("recovered", incident.id)
    assert {scene.of(name).incident_id for name in north} == {None}


def test_last_wills_of_a_region_are_its_incident_though_the_others_have_had_nothing_to_say_yet(scene: Scene) -> None:
    north, south = fleet(scene)
    for name in (*north, *south):
        scene.come(name)
    scene.live(5, reporting=[*north, *south])
    for name in north:
        scene.go(name)
    scene.look()
    scene.live(3, every=10_000)
    (incident,) = scene.found()
    assert (incident.subject, incident.mode, incident.evidence["devices"]) == ("group:region/north", "mass_silence", 20)


def test_when_all_fall_silent_at_once_it_is_the_whole_fleet_and_no_devices_fault(scene: Scene) -> None:
    north, south = fleet(scene)
    scene.live(60, step=5)
    (incident,) = scene.found()
    assert (incident.subject, incident.evidence["devices"]) == ("group:all", len(north) + len(south))
    scene.live(3 * 24 * 60, step=720)
    assert [finding.subject for finding in scene.found()] == ["group:all"]


def test_who_speaks_rarely_does_not_speak_for_the_others_when_all_fall_silent(scene: Scene) -> None:
    quick, slow = ([f"{kind}-{number:02d}" for number in range(12)] for kind in ("quick", "slow"))
    with scene.database.transaction() as connection:
        devices.register(connection, [{"id": name, "model": name.partition("-")[0]} for name in (*quick, *slow)])
        liveness.set_plan(connection, "model", "slow", None, "battery", 3600.0)
    scene.live(60, step=5, reporting=[*quick, *slow])
    scene.live(40, step=10, every=10_000)
    (incident,) = scene.found()
    assert incident.subject == "group:all", "that the slow ones are silent too is not known yet, nor that they are not"
    scene.live(4 * 60, step=40)
    assert {scene.of(name).incident_id for name in (*quick, *slow)} == {incident.id}, "they join as they are overdue"
    assert len(scene.found()) == 1


# -- our own outages


def test_an_ingestor_that_was_killed_leaves_a_gap_that_is_found_at_the_next_start(scene: Scene) -> None:
    names = [f"plug-{number}" for number in range(10)]
    scene.live(60, step=5, reporting=names)
    scene.stop()
    scene.live(3 * 60, step=30)
    assert set(scene.states(*names)) == {"unknown"}
    assert scene.of(names[0]).why["text_key"] == "blind"
    with scene.database.reading() as connection:
        standing = blindness.current(connection, scene.clock.now())
    assert standing is not None
    assert standing.reason == "no_ingestor"
    scene.start("two")
    scene.look()
    scene.live(3, reporting=names[1:])
    with scene.database.reading() as connection:
        (span,) = blindness.list_spans(connection, scene.clock.now())
    assert span.until is not None
    assert timedelta(hours=2, minutes=55) < span.until - span.since < timedelta(hours=3, minutes=10)
    assert set(scene.states(*names[1:])) == {"online"}
    assert scene.states(names[0]) == ["unknown"], "it has an interval to be heard again"
    scene.live(60, step=5, reporting=names[1:])
    assert scene.states(names[0]) == ["offline"]
    assert scene.found() == []


# -- the broker restarts


class Wired:
    """A device at a real broker, with a last will, that comes back whenever it can."""

    def __init__(self, address: str, name: str) -> None:
        self.name = name
        self._topic = f"hearthwatch/v1/{name}/presence"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.reconnect_delay_set(1, 1)
        self._client.will_set(self._topic, b'{"online": false, "boot": "b1"}', qos=1, retain=True)
        self._client.on_connect = self._say_hello
        self._client.connect("127.0.0.1", int(address.rpartition(":")[2]), keepalive=60)
        self._client.loop_start()

    def _say_hello(self, *_told: Any) -> None:
        self._client.publish(self._topic, b'{"online": true, "boot": "b1"}', qos=1, retain=True)

    def is_connected(self) -> bool:
        """Whether the broker has it."""
        return self._client.is_connected()

    def breaks(self) -> None:
        """Its power is cut: it says no goodbye, and never comes back."""
        self._client.loop_stop()
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def close(self) -> None:
        """The end of the test."""
        self._client.loop_stop()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what will happen in another process."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A real Mosquitto that can be killed."""
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)
    made = Broker(tmp_path, "allow_anonymous true\n")
    made.start()
    yield made
    made.kill()


def test_a_broker_that_is_killed_and_restarted_makes_no_device_offline_but_the_one_that_does_not_come_back(
    broker: Broker, store: TelemetryStore, database: Database, clock: SteppedClock
) -> None:
    scene = Scene(broker.address, store, database, clock)
    scene.start()
    stays, breaks = Wired(broker.address, "stays"), Wired(broker.address, "breaks")

    def state_of(name: str, *, wanted: str) -> Callable[[], bool]:
        def holds() -> bool:
            scene.look()
            return scene.states(name) == [wanted] if name in scene.known() else False

        return holds

    try:
        until(state_of("stays", wanted="online"))
        until(state_of("breaks", wanted="online"))
        scene.live(75, step=5, reporting=["stays", "breaks"])
        broker.kill()
        breaks.breaks()
        until(lambda: not scene.is_connected())
        scene.goes_on_without_us(HOUR)
        assert scene.states("stays", "breaks") == ["unknown", "unknown"]
        assert scene.of("stays").why["values"]["by"] == "broker_away"
        broker.start()
        until(lambda: scene.is_connected() and stays.is_connected())
        scene.report("stays")  # its hello may be a retained copy by now, which says nothing
        until(state_of("stays", wanted="online"))
        assert scene.states("breaks") == ["unknown"]
        with database.reading() as connection:
            (span,) = blindness.list_spans(connection, clock.now())
        assert (span.reason, span.until is not None) == ("broker_away", True)
        scene.live(300, step=20, every=20, reporting=["stays"])
        assert scene.states("stays", "breaks") == ["online", "offline"]
        assert scene.found() == []
        stays.breaks()
        until(state_of("stays", wanted="late"))
        assert scene.of("stays").why["text_key"] == "left", "the broker gave it up and published its will"
        scene.live(3, step=3)
        assert scene.states("stays") == ["offline"]
    finally:
        stays.close()
        breaks.close()
        scene.close()
