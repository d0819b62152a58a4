"""Whose values a message brings: aliases, false names, unknown devices, and what is told twice. Real decoders, real records in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.records import admissions, aliases, broker_users, devices, findings
from hearthwatch.records.database import Database, open_database
from hearthwatch.values import Decoded, Event, Identity, Message, Reading
from hearthwatch.wire.registry import Decoder, conventions
from ingest.admission import HELD_A_DAY, AdmissionPolicy
from ingest.directory import Directory
from ingest.identity import OF_ANOTHER_TOPIC, IdentifyingDecoder
from ingest.validation import OF_ANOTHER_USER
from tests.conftest import migrated_image, restore
from tests.sparkplug_payloads import encode

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SPOKEN = ("native", "homie", "sparkplug", "tasmota", "shelly_gen1", "shelly_gen2", "home_assistant")
MAC = "a4cf12d4e5f6"


class World:
    """An ingestor's decoders over records in memory; what a batch tells is written down as the runner does."""

    def __init__(self, policy: AdmissionPolicy | None = None, *, ask: bool = False) -> None:
        self.database: Database = open_database("sqlite://")
        restore(self.database, migrated_image())
        self.now = NOW
        self.decoder = Decoder(conventions(SPOKEN))
        self.directory = Directory(policy, ask=ask)
        self.begin()

    def begin(self) -> None:
        with self.database.reading() as connection:
            self.directory.load(connection, self.now)
        self.identifying = IdentifyingDecoder(self.decoder, self.decoder.forget, self.directory)

    def hear(self, topic: str, given: Any, **fields: Any) -> Decoded:
        """Decode a message a second later."""
        self.now += timedelta(seconds=1)
        payload = given if isinstance(given, bytes) else msgspec.json.encode(given)
        decoded = self.identifying.decode(Message(topic, payload, self.now, **fields))[1]
        self.write_down(decoded)
        return decoded

    def write_down(self, decoded: Decoded) -> None:
        claims = [value for value in decoded.values if isinstance(value, Identity)]
        told = {value.device for value in decoded.values}
        sightings = [devices.Sighting(device, self.now) for device in told]
        with self.database.transaction() as connection:
            new = self.directory.note(connection, sightings, claims, self.now)
            devices.see(connection, sightings)
            seen = devices.apply_identities(connection, claims)
            seen += self.directory.learn(connection, claims, self.now)
            for one in seen:
                findings.observe(connection, one, relapse=timedelta(days=7))
        self.directory.noted(new)
        self.directory.exchange(self.database, self.now)

    def enroll(self, *names: str, role: str = "device") -> None:
        """Another process enrolls devices; this one hears of it."""
        rows: list[dict[str, Any]] = [
            {"name": name, "role": role, "conventions": [], "password": True, "certificate": None} for name in names
        ]
        with self.database.transaction() as connection:
            broker_users.enroll(connection, rows, self.now, "test")
            if role == "device":
                devices.register(connection, [{"id": name} for name in names])
        self.directory.exchange(self.database, self.now)

    def mismatches(self) -> list[str]:
        with self.database.reading() as connection:
            return [one.subject for one in findings.list_findings(connection, kind="mismatch")]

    def joined(self) -> dict[str, str]:
        with self.database.reading() as connection:
            return aliases.load(connection)


@pytest.fixture
def world() -> Iterator[World]:
    yield from _opened(World())


def _opened(made: World) -> Iterator[World]:
    yield made
    made.database.close()


def sample(value: float = 20.5) -> dict[str, Any]:
    return {"m": {"temperature_c": value}, "at": "2026-05-01T12:00:00Z", "fw": "1.0"}


def description(mac: str = MAC, node: str = "kitchen", entity: str = "temperature") -> tuple[str, dict[str, Any]]:
    given = {
        "name": "Temperature",
        "stat_t": f"{node}/sensor/{entity}/state",
        "unit_of_meas": "°C",
        "dev_cla": "temperature",
        "uniq_id": f"{node}-{entity}",
        "dev": {"ids": mac, "mf": "Acme", "mdl": "Lamp", "sw": "esphome v2026.4.1", "name": "Kitchen"},
    }
    return f"homeassistant/sensor/{node}/{entity}/config", given


def birth(seq: int, bd_seq: int | None = None) -> bytes:
    """A birth certificate of Sparkplug with a temperature."""
    metrics: list[dict[str, Any]] = [{"name": "temperature", "dataType": "Double", "value": 20.5}]
    if bd_seq is not None:
        metrics.append({"name": "bdSeq", "dataType": "Int64", "value": bd_seq})
    return encode({"timestamp": int(NOW.timestamp() * 1000), "seq": seq, "metrics": metrics})


def readings_of(decoded: Decoded) -> set[str]:
    return {value.device for value in decoded.values if isinstance(value, Reading)}


# -- one device through two conventions


def test_a_device_that_tells_the_address_of_another_id_is_that_device_from_then_on(world: World) -> None:
    assert readings_of(world.hear("hearthwatch/v1/SN-1/telemetry", sample())) == {"SN-1"}
    world.hear("hearthwatch/v1/SN-1/identity", {"model": "Lamp", "serial": "SN-1", "mac": "A4:CF:12:D4:E5:F6"})

    world.hear(*description(), retain=True)
    later = world.hear("kitchen/sensor/temperature/state", b"21.5")

    assert world.joined() == {MAC: "SN-1"}
    assert readings_of(later) == {"SN-1"}
    assert world.mismatches() == []


def test_an_address_that_is_known_only_later_joins_what_was_two(world: World) -> None:
    """Tasmota: the topic is a name, and the MAC address comes with the answer to Status 5."""
    world.hear("tele/plug-7/STATE", {"Time": "2026-05-01T12:00:00", "UptimeSec": 100, "POWER": "ON"})
    world.hear("hearthwatch/v1/SN-7/identity", {"serial": "SN-7/2026", "mac": MAC})
    assert world.joined() == {}

    world.hear("stat/plug-7/STATUS5", {"StatusNET": {"Hostname": "plug-7", "Mac": "A4:CF:12:D4:E5:F6"}})

    assert world.joined() == {"SN-7": "plug-7"}
    assert readings_of(world.hear("hearthwatch/v1/SN-7/telemetry", sample())) == {"plug-7"}


def test_what_was_known_under_the_other_id_is_joined_and_that_one_counts_no_more(world: World) -> None:
    world.hear("hearthwatch/v1/SN-1/identity", {"mac": MAC, "hardware": "B"})
    world.hear(*description(), retain=True)

    with world.database.reading() as connection:
        device, other = devices.get(connection, "SN-1"), devices.get(connection, MAC)
    assert (device.hardware, device.model, device.removed_at) == ("B", "Lamp", None)
    assert other.removed_at is not None


def test_a_friendly_name_joins_nothing(world: World) -> None:
    for node, mac in (("kitchen", "a4cf12000001"), ("hall", "a4cf12000002")):
        topic, given = description(mac, node)
        given["dev"]["name"] = "Lamp"
        world.hear(topic, given, retain=True)

    assert world.joined() == {}
    assert readings_of(world.hear("hall/sensor/temperature/state", b"20")) == {"a4cf12000002"}


@pytest.mark.parametrize("serial", ["0", "unknown", "00000000", "111111"])
def test_a_serial_number_that_many_devices_have_joins_nothing(world: World, serial: str) -> None:
    for device in ("a-1", "a-2"):
        world.hear(f"hearthwatch/v1/{device}/identity", {"serial": serial})

    assert world.joined() == {}


def test_an_address_that_was_never_given_out_joins_nothing(world: World) -> None:
    for device in ("a-1", "a-2"):
        world.hear(f"hearthwatch/v1/{device}/identity", {"mac": "00:00:00:00:00:00", "model": "Lamp"})

    assert world.joined() == {}


def test_what_a_person_separated_is_not_joined_again(world: World) -> None:
    world.hear("hearthwatch/v1/SN-1/identity", {"mac": MAC})
    world.hear(*description(), retain=True)
    with world.database.transaction() as connection:
        aliases.separate(connection, MAC, "SN-1", world.now, actor="ann")
    world.directory.exchange(world.database, world.now)

    world.hear("hearthwatch/v1/SN-1/identity", {"mac": MAC, "model": "Lamp 2"})

    assert world.joined() == {}
    assert readings_of(world.hear("kitchen/sensor/temperature/state", b"21.5")) == {MAC}
    with world.database.reading() as connection:
        assert devices.get(connection, MAC).removed_at is None


# -- who claims what


def test_an_address_that_two_users_of_the_broker_claim_is_for_a_person_to_decide(world: World) -> None:
    world.enroll("victim", "rogue")
    world.hear("hearthwatch/v1/victim/identity", {"mac": MAC, "model": "Lamp"})

    world.hear("hearthwatch/v1/rogue/identity", {"mac": MAC, "model": "Lamp"})

    assert world.joined() == {}
    assert world.mismatches() == ["rogue"]
    with world.database.reading() as connection:
        (proposal,) = aliases.list_aliases(connection, state="proposed")
    assert (proposal.alias, proposal.device) == ("rogue", "victim")
    assert readings_of(world.hear("hearthwatch/v1/rogue/telemetry", sample())) == {"rogue"}


def test_two_serial_numbers_are_two_devices_whatever_address_they_tell(world: World) -> None:
    world.hear("hearthwatch/v1/a-1/identity", {"mac": MAC, "serial": "SERIAL-0001"})
    world.hear("hearthwatch/v1/a-2/identity", {"mac": MAC, "serial": "SERIAL-0002"})

    assert world.joined() == {}
    assert world.mismatches() == ["a-2"]


def test_where_each_device_has_a_user_nothing_is_joined_by_an_address_alone() -> None:
    for world in _opened(World(ask=True)):
        world.hear("hearthwatch/v1/SN-1/identity", {"mac": MAC})
        world.hear(*description(), retain=True)

        assert world.joined() == {}
        assert world.mismatches() == [MAC]


def test_a_device_that_describes_itself_under_its_own_name_is_joined_to_it(world: World) -> None:
    world.enroll("kitchen")

    world.hear(*description(), retain=True)

    assert world.joined() == {MAC: "kitchen"}
    assert readings_of(world.hear("kitchen/sensor/temperature/state", b"21.5")) == {"kitchen"}


def test_the_id_that_an_enrolled_device_has_elsewhere_needs_no_registration_and_only_that_one() -> None:
    for world in _opened(World(AdmissionPolicy("quarantine"))):
        world.enroll("kitchen")

        world.hear(*description(), retain=True)
        other = world.hear(*description("b0b0b0b0b0b0", "kitchen", "outdoor"), retain=True)

        assert world.joined() == {MAC: "kitchen"}
        assert readings_of(world.hear("kitchen/sensor/temperature/state", b"21.5")) == {"kitchen"}
        assert [one.reason for one in other.rejected] == ["the device is not registered"]

        world.directory = Directory(AdmissionPolicy("quarantine"))
        world.begin()
        again = world.hear("kitchen/sensor/outdoor/state", b"3")
        assert [one.reason for one in again.rejected] == ["the device is not registered"]


def test_a_description_that_names_the_hardware_of_another_user_does_not_write_as_it(world: World) -> None:
    world.enroll("kitchen", "rogue")
    world.hear(*description(), retain=True)

    told = world.hear(*description(node="rogue", entity="forged"), retain=True)

    assert [rejection.reason for rejection in told.rejected] == [OF_ANOTHER_TOPIC]
    assert world.mismatches() == ["rogue"]
    with pytest.raises(Invalid, match="no description says yet whose topic this is"):
        world.hear("rogue/sensor/forged/state", b"99")


def test_a_root_of_homie_says_nothing_of_a_child_that_has_a_user_of_its_own(world: World) -> None:
    world.enroll("root", "child")
    world.hear("homie/5/child/$state", b"ready")
    world.hear("homie/5/root/$description", {"homie": "5.0", "version": 1, "children": ["child", "sensor"]})
    world.hear("homie/5/root/$state", b"ready")

    lost = world.hear("homie/5/root/$state", b"lost")

    assert {value.device for value in lost.values} == {"root", "sensor"}
    assert [(one.device, one.reason) for one in lost.rejected] == [("child", OF_ANOTHER_TOPIC)]


@pytest.mark.parametrize(
    ("topic", "given"),
    [
        ("shellies/announce", {"id": "victim", "model": "SHPLG-S", "mac": "A4CF12D4E5F6", "fw_ver": "1"}),
        ("rogue/events/rpc", {"src": "victim", "method": "NotifyStatus", "params": {"sys": {"uptime": 5}}}),
        ("tasmota/discovery/A4CF12D4E5F6/config", {"t": "victim", "mac": "A4CF12D4E5F6", "md": "Plug", "sw": "14.1"}),
    ],
)
def test_a_payload_that_names_an_enrolled_device_on_another_s_topic_is_not_its_word(
    world: World, topic: str, given: dict[str, Any]
) -> None:
    world.enroll("victim", "rogue")

    told = world.hear(topic, given)

    assert [value for value in told.values if value.device == "victim"] == []
    assert {one.reason for one in told.rejected} == {OF_ANOTHER_TOPIC}


def test_an_edge_node_behind_which_a_device_is_called_like_an_enrolled_one_does_not_write_as_it(world: World) -> None:
    world.enroll("plant.rogue.sensor", "rogue")

    told = world.hear("spBv1.0/plant/NBIRTH/rogue", birth(seq=0, bd_seq=0))
    forged = world.hear("spBv1.0/plant/DBIRTH/rogue/sensor", birth(seq=1))

    assert {value.device for value in told.values} <= {"rogue", "plant.rogue"}
    assert [value for value in forged.values if value.device == "plant.rogue.sensor"] == []
    assert {one.reason for one in forged.rejected} == {OF_ANOTHER_TOPIC}


def test_a_topic_that_was_described_before_the_device_had_a_user_is_not_its_topic_any_more(world: World) -> None:
    world.hear(*description(node="rogue", entity="forged"), retain=True)
    world.enroll("kitchen", "rogue")
    world.hear(*description(), retain=True)
    with world.database.transaction() as connection:
        aliases.join(connection, MAC, "kitchen", world.now, actor="ann")
    world.directory.exchange(world.database, world.now)

    forged = world.hear("rogue/sensor/forged/state", b"99")

    assert forged.values == ()
    assert [rejection.reason for rejection in forged.rejected] == [OF_ANOTHER_TOPIC]


def test_a_sensor_that_a_device_speaks_for_is_not_that_device(world: World) -> None:
    world.enroll("kitchen")
    world.hear(*description(), retain=True)

    world.hear(*description("b0b0b0b0b0b0", "kitchen", "outdoor"), retain=True)

    assert world.joined() == {MAC: "kitchen"}


def test_the_broker_s_user_may_speak_under_any_id_of_its_device_and_no_other(world: World) -> None:
    world.enroll("kitchen", "rogue")
    world.hear(*description(), retain=True, user="kitchen")

    own = world.hear("kitchen/sensor/temperature/state", b"21.5", user="kitchen")
    forged = world.hear("kitchen/sensor/temperature/state", b"99", user="rogue")

    assert readings_of(own) == {"kitchen"}
    assert forged.values == ()
    assert forged.rejected[0].reason == OF_ANOTHER_USER


def test_a_bridge_speaks_for_the_devices_behind_it_but_not_for_one_that_logs_in_itself(world: World) -> None:
    world.enroll("gateway", role="bridge")
    world.enroll("kitchen")

    behind = world.hear("tele/plug-1/STATE", {"UptimeSec": 5}, user="gateway")
    forged = world.hear("tele/kitchen/STATE", {"UptimeSec": 5}, user="gateway")

    assert readings_of(behind) == {"plug-1"}
    assert forged.values == ()
    assert forged.rejected[0].reason == OF_ANOTHER_USER


# -- told twice


def test_a_reboot_that_both_conventions_tell_is_one(world: World) -> None:
    with world.database.transaction() as connection:
        devices.register(connection, [{"id": "lamp"}])
        aliases.join(connection, "plug-7", "lamp", NOW, actor="ann")
    world.begin()

    first = world.hear(
        "hearthwatch/v1/lamp/event", {"kind": "reboot", "code": "watchdog", "at": "2026-05-01T12:00:00Z"}
    )
    second = world.hear("tele/plug-7/INFO3", {"Info3": {"RestartReason": "Software Watchdog", "BootCount": 9}})

    told = [(event.device, event.kind) for part in (first, second) for event in part.values if isinstance(event, Event)]
    assert told == [("lamp", "reboot"), ("lamp", "retold")]


def test_two_reboots_of_a_crash_loop_are_two(world: World) -> None:
    kinds = []
    for second in (10, 40):
        given = {"kind": "reboot", "code": "panic", "at": f"2026-05-01T12:00:{second}Z"}
        kinds += [
            event.kind for event in world.hear("hearthwatch/v1/lamp/event", given).values if isinstance(event, Event)
        ]

    assert kinds == ["reboot", "reboot"]


def test_what_was_told_is_remembered_over_a_restart(world: World) -> None:
    world.hear("hearthwatch/v1/lamp/event", {"kind": "reboot", "code": "panic", "at": "2026-05-01T12:00:00Z"})
    saved = world.identifying.changed()
    world.identifying = IdentifyingDecoder(world.decoder, world.decoder.forget, world.directory, saved=saved)

    again = world.hear("tele/lamp/INFO3", {"Info3": {"RestartReason": "Exception", "BootCount": 2}})

    assert [event.kind for event in again.values if isinstance(event, Event)] == ["retold"]


# -- one firmware


def firmwares(decoded: Decoded) -> list[str | None]:
    return [value.firmware for value in decoded.values if isinstance(value, Reading)]


def test_a_device_runs_one_firmware_however_many_conventions_spell_it(world: World) -> None:
    world.hear("hearthwatch/v1/SN-1/identity", {"mac": MAC, "fw": "1.0"})
    world.hear(*description(), retain=True)

    own = world.hear("hearthwatch/v1/SN-1/telemetry", sample())
    other = world.hear("kitchen/sensor/temperature/state", b"21.5")

    assert (firmwares(own), firmwares(other)) == (["1.0"], [None])
    with world.database.reading() as connection:
        assert devices.get(connection, "SN-1").firmware == "1.0"


def test_the_firmware_is_the_alias_s_word_where_the_device_has_none_of_its_own(world: World) -> None:
    world.enroll("kitchen")
    world.hear(*description(), retain=True)

    assert firmwares(world.hear("kitchen/sensor/temperature/state", b"21.5")) == ["esphome v2026.4.1"]

    world.hear("hearthwatch/v1/kitchen/telemetry", sample())
    assert firmwares(world.hear("kitchen/sensor/temperature/state", b"21.6")) == [None]


# -- unknown devices


def test_a_refused_device_leaves_nothing_behind_but_a_count() -> None:
    for world in _opened(World(AdmissionPolicy("refuse"))):
        told = world.hear("hearthwatch/v1/stranger/telemetry", sample())

        assert (told.values, told.rejected, told.refused) == ((), (), 1)
        assert world.decoder.states() == {}
        with world.database.reading() as connection:
            assert devices.find(connection, ["stranger"]) == {}
            assert admissions.today(connection, world.now).turned_away == 1


def test_a_device_that_somebody_registers_meanwhile_is_taken_in() -> None:
    for world in _opened(World(AdmissionPolicy("quarantine"))):
        held = world.hear("hearthwatch/v1/lamp/telemetry", sample())
        assert [(one.device, one.reason, one.samples) for one in held.rejected] == [
            ("lamp", "the device is not registered", 1)
        ]

        with world.database.transaction() as connection:
            devices.register(connection, [{"id": "lamp", "model": "Lamp"}])
        world.directory.exchange(world.database, world.now)

        assert readings_of(world.hear("hearthwatch/v1/lamp/telemetry", sample())) == {"lamp"}


def test_devices_beyond_the_day_s_budget_wait_until_tomorrow_and_known_ones_do_not() -> None:
    for world in _opened(World(AdmissionPolicy(per_day=2))):
        for device in ("d-1", "d-2", "d-3"):
            told = world.hear(f"hearthwatch/v1/{device}/telemetry", sample())
        assert told.values == ()
        assert "beyond the budget of 2 a day" in told.rejected[0].reason
        assert readings_of(world.hear("hearthwatch/v1/d-1/telemetry", sample())) == {"d-1"}

        world.now += timedelta(days=1)

        assert readings_of(world.hear("hearthwatch/v1/d-3/telemetry", sample())) == {"d-3"}


def test_the_budget_in_all_counts_every_device_there_is() -> None:
    for world in _opened(World(AdmissionPolicy(in_all=1))):
        with world.database.transaction() as connection:
            devices.register(connection, [{"id": "registered"}])
        world.begin()

        told = world.hear("hearthwatch/v1/stranger/telemetry", sample())

        assert "beyond the budget of 1 in all" in told.rejected[0].reason


def test_a_flood_of_new_ids_leaves_the_records_and_the_memory_as_they_are() -> None:
    for world in _opened(World(AdmissionPolicy(per_day=50))):
        world.hear("hearthwatch/v1/known/telemetry", sample())
        payload = msgspec.json.encode(sample())
        taken = held = refused = flowing = 0
        for number in range(100_000):
            message = Message(f"hearthwatch/v1/flood-{number}/telemetry", payload, world.now)
            decoded = world.identifying.decode(message)[1]
            taken += len(decoded.values)
            held += sum(one.samples for one in decoded.rejected)
            refused += decoded.refused
            if number % 100 == 0:
                flowing += len(
                    world.identifying.decode(Message("hearthwatch/v1/known/telemetry", payload, world.now))[1].values
                )

        assert (taken, held, refused, flowing) == (49, HELD_A_DAY, 100_000 - 49 - HELD_A_DAY, 1000)
        assert len(world.decoder.states()) == 50
        assert len(world.directory.known) == 50
        assert len(world.directory._strangers) <= 1000
        world.directory.exchange(world.database, world.now)
        with world.database.reading() as connection:
            assert admissions.today(connection, world.now).turned_away == 100_000 - 49
