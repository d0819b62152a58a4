"""A maker's own topics, read by a mapping file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.values import Decoded, Event, Identity, Presence, Reading
from hearthwatch.wire import mapped_speakers as module
from hearthwatch.wire.registry import Decoder, conventions
from tests.mappings import NAMED, example, mapped
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

PLUG = "acme/AABBCC001122"
TS = 1_777_636_800_000  # 2026-05-01T12:00:00Z


@pytest.fixture
def acme() -> Conversation:
    return Conversation(example())


@pytest.fixture
def named() -> Conversation:
    return Conversation(mapped(NAMED))


# -- what goes wrong


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        ("state", b"\xff", "not UTF-8"),
        ("state", "{", "not JSON"),
        ("state", {"mac": "AA:BB:CC:00:11:33", "t": 1}, "another device than the topic"),
        ("state", {"mac": 1.5, "t": 1}, "not a device id"),
        ("state", {"ts": "yesterday", "t": 1}, "at: not a time since 1970"),
        ("state", {"ts": 1e300, "t": 1}, "at: not a time since 1970"),
        ("state", {"temp": 21}, r"no path of the metrics leads to a value: \$.t, \$.wifi.rssi"),
        ("state", [1, 2], "no path of the metrics leads to a value"),
        ("state", {"t": "warm"}, "temperature_c: not a finite number: 'warm'"),
        ("state", {"out": ["perhaps"]}, "relay_on: not a finite number, and none of on, off"),
        ("state", b'{"t": NaN}', "temperature_c: not a finite number"),
        ("state", {"heap": 1e14}, "free_heap_bytes: beyond what a metric can be"),
        ("state", {"t": 70, "fw": 1.10}, "not a text"),
        ("state", {"t": 70, "fw": "x" * 300}, "not a text of at most 256"),
        ("meter/0", {"boot": "b1", "data": 7}, r"no list at \$.data"),
        ("meter/0", {"boot": "b1", "data": [{"s": 1}] * 1001}, "1001 samples in one message"),
        ("meter/0", {"boot": [], "data": [{"s": 1}]}, "no path of the metrics"),
        ("meter/0", {"boot": "b1", "data": [{"s": -1, "w": 3}]}, "seq is not a whole number"),
        ("status", "away", "neither online nor offline: 'away'"),
        ("room_temperature", "21,5", "not a finite number: '21,5'"),
        ("room_temperature", b"\xff", "not UTF-8"),
        ("event", {"code": "E12"}, r"no event at \$.type"),
        ("info", {"colour": "red"}, "no path of the identity leads to a text"),
    ],
)
def test_what_can_not_be_read_is_refused_and_says_why(acme: Conversation, kind: str, payload: Any, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        acme.say(f"{PLUG}/{kind}", payload)


def test_a_topic_that_names_no_device_is_refused(acme: Conversation) -> None:
    with pytest.raises(Invalid, match="not a device id"):
        acme.say("acme/a b/room_temperature", "21.5")


def test_a_bad_metric_leaves_the_good_ones(acme: Conversation) -> None:
    answer = acme.say(f"{PLUG}/state", {"ts": TS, "t": "warm", "wifi": {"rssi": -61}})
    (reading,) = answer.values
    assert isinstance(reading, Reading)
    assert reading.metrics == {"rssi_dbm": -61.0}
    assert [(one.part, one.samples) for one in answer.rejected] == [("temperature_c", 0)]


def test_a_bad_sample_leaves_the_good_ones(acme: Conversation) -> None:
    answer = acme.say(f"{PLUG}/meter/0", {"boot": "b1", "data": [{"s": 1, "w": 3}, {"s": "x", "w": 4}, 7, {"w": 5}]})
    assert [value.seq for value in answer.values if isinstance(value, Reading)] == [1]
    assert [(one.part, one.samples) for one in answer.rejected] == [
        ("samples[1]", 1),
        ("samples[2]", 1),
        ("samples[3]", 1),
    ]


def test_what_is_required_and_is_not_there_is_named(named: Conversation) -> None:
    answer = named.say("named/hall/state", {"mac": "AABBCC001133", "up": 7})
    assert [(one.part, one.reason) for one in answer.rejected] == [
        ("temperature_c", "nothing at $['t c'], and it is required")
    ]


# -- readings


def test_a_reading_is_of_its_hardware_in_the_units_of_its_metrics(acme: Conversation) -> None:
    (reading,) = acme.readings(
        f"{PLUG}/state",
        {"mac": "AA:BB:CC:00:11:22", "ts": TS, "fw": "2.4.1", "t": 70.7, "batt": "87", "heap": 20, "valve": 255},
    )
    assert (reading.device, reading.firmware, reading.stream) == ("aabbcc001122", "2.4.1", "acme/state")
    assert reading.at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert reading.metrics == {
        "temperature_c": 21.5,
        "battery_pct": 87.0,
        "free_heap_bytes": 20_480.0,
        "valve_position_pct": pytest.approx(100),
    }


def test_the_value_of_a_broken_sensor_says_nothing(acme: Conversation) -> None:
    answer = acme.say(f"{PLUG}/state", {"ts": TS, "t": -999, "wifi": {"rssi": None}})
    assert (answer.values, answer.rejected) == ((), ())
    assert answer.ignored


def test_words_become_numbers(acme: Conversation) -> None:
    assert acme.metrics(f"{PLUG}/state", {"out": ["off"]}) == {"relay_on": 0.0}
    assert acme.metrics(f"{PLUG}/state", {"out": [True]}) == {"relay_on": 1.0}


def test_a_bare_number_is_a_reading(acme: Conversation) -> None:
    assert acme.metrics(f"{PLUG}/room_temperature", " 21.5 ") == {"reference_temperature_c": 21.5}
    assert acme.metrics(f"{PLUG}/room_temperature", '"21.5"') == {"reference_temperature_c": 21.5}


def test_without_a_time_the_arrival_counts_and_retained_copies_say_nothing(acme: Conversation) -> None:
    (reading,) = acme.readings(f"{PLUG}/state", {"t": 70})
    assert (reading.at, reading.clockless) == (acme.now, False)
    assert acme.say(f"{PLUG}/state", {"t": 70}, retain=True).ignored == "a retained copy without a time"
    assert acme.readings(f"{PLUG}/state", {"t": 70, "ts": TS}, retain=True), "a copy that says of when it is, is kept"


def test_a_clock_that_was_never_set_has_no_time(acme: Conversation) -> None:
    (reading,) = acme.readings(f"{PLUG}/state", {"t": 70, "ts": 12_000})
    assert reading.at == acme.now


def test_samples_without_a_clock_are_known_by_boot_and_seq(acme: Conversation) -> None:
    readings = acme.readings(f"{PLUG}/meter/0", {"boot": 7, "data": [{"s": 1, "w": 3}, {"s": 2, "w": 4}]})
    assert [(one.boot, one.seq, one.clockless) for one in readings] == [("7", 1, True), ("7", 2, True)]


def test_the_samples_of_a_batch_have_their_own_devices_times_and_firmware(named: Conversation) -> None:
    sent = [
        {"sample": {"id": "m-1", "at": "2026-05-01 14:00:00", "w": 0.5, "fw": "3"}},
        {"sample": {"id": 42, "at": "2026-05-01 14:00:01", "w": 1}},
        {"id": "m-1"},
    ]
    answer = named.say("gate/up/7", {"all": sent})
    assert [
        (v.device, v.at.hour, v.metrics["power_w"], v.firmware) for v in answer.values if isinstance(v, Reading)
    ] == [
        ("m-1", 12, 500.0, "3"),
        ("42", 12, 1000.0, None),
    ]
    assert [one.reason for one in answer.rejected] == ["no device id at @.id"]


def test_channels_stand_before_the_name_but_for_the_main_one(acme: Conversation) -> None:
    sent = {"boot": "b", "data": [{"s": 1, "w": 3}]}
    assert list(acme.metrics(f"{PLUG}/meter/0", sent)) == ["power_w"]
    assert list(acme.metrics(f"{PLUG}/meter/2", sent)) == ["channel2_power_w"]
    assert list(acme.metrics(f"{PLUG}/meter/Left side", sent)) == ["left_side_power_w"]


def test_two_tables_may_read_one_message() -> None:
    talk = Conversation(
        mapped(
            'name = "two"\n'
            '[[topics]]\nfilter = "two/{device}"\nkind = "telemetry"\nmetrics = { temperature_c = "$.t" }\n'
            '[[topics]]\nfilter = "two/#"\nkind = "telemetry"\ndevice = "$.id"\nmetrics = { humidity_pct = "$.h" }\n'
            '[[topics]]\nfilter = "two/{device}"\nkind = "presence"\npath = "$.up"\nonline = [true]\n'
        )
    )
    answer = talk.say("two/d", {"id": "d", "t": 1, "h": 2, "up": True})
    assert [type(value) for value in answer.values] == [Reading, Reading, Presence]
    streams = [value.stream for value in answer.values if isinstance(value, Reading)]
    assert len(set(streams)) == 2, "both have the same time: on one stream the second would be taken for the first"
    assert [type(value) for value in talk.say("two/d", {"id": "d", "t": 1}).values] == [Reading]
    partly = talk.say("two/d", {"id": "d", "t": 1, "up": "?"})
    assert [(one.part, one.samples) for one in partly.rejected] == [("two/{device}", 0)]


def test_an_empty_message_and_ignored_topics_say_nothing(acme: Conversation) -> None:
    assert acme.say(f"{PLUG}/state", b"").ignored == "an empty message, which takes a retained one back"
    assert acme.say(f"{PLUG}/debug/heap", b"\xff").ignored == "debug output"


# -- firmware and reboots


def test_another_firmware_is_an_update(acme: Conversation) -> None:
    assert acme.events(f"{PLUG}/state", {"ts": TS, "t": 70, "fw": "2.4.1"}) == []
    named_mapping = Conversation(mapped(NAMED))
    named_mapping.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1, "fw": "1.0"})
    (event,) = named_mapping.events("named/hall/state", {"mac": "AABBCC001133", "t c": 1, "fw": "1.1"})
    assert (event.kind, event.code, event.detail) == ("update", "installed", {"from": "1.0", "to": "1.1"})


def test_a_mapping_whose_devices_tell_of_updates_concludes_none(acme: Conversation) -> None:
    acme.say(f"{PLUG}/state", {"ts": TS, "t": 70, "fw": "2.4.1"})
    assert acme.events(f"{PLUG}/state", {"ts": TS + 1000, "t": 70, "fw": "2.5.0"}) == []
    (event,) = acme.events(f"{PLUG}/event", {"type": "ota", "code": "done"})
    assert (event.kind, event.code, event.firmware) == ("update", "installed", "2.5.0")


def test_late_data_keeps_the_firmware_it_happened_on(named: Conversation) -> None:
    def say(fw: str, hour: int) -> Decoded:
        at = f"2026-05-01T{hour:02}:00:00Z"
        return named.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1, "fw": fw, "at": at})

    say("1.0", 1)
    say("1.1", 5)
    (late,) = say("1.0", 3).values
    assert isinstance(late, Reading)
    assert late.firmware == "1.0"
    (now,) = named.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1}).values
    assert isinstance(now, Reading)
    assert now.firmware == "1.1", "what came late is not what runs"


def test_a_shorter_uptime_is_a_reboot_with_the_cause_that_is_mapped(acme: Conversation) -> None:
    acme.say(f"{PLUG}/state", {"ts": TS, "up": 3600, "fw": "2.4.1"})
    (event,) = acme.events(f"{PLUG}/state", {"ts": TS + 60_000, "up": 5, "rst": "WDT"})
    assert (event.kind, event.code, event.detail) == ("reboot", "watchdog", {"reason": "WDT"})
    assert event.at == datetime(2026, 5, 1, 12, 0, 55, tzinfo=UTC)
    (odd,) = acme.events(f"{PLUG}/state", {"ts": TS + 90_000, "up": 5, "rst": "??"})
    assert (odd.code, odd.detail) == ("unknown", {"reason": "??"})


def test_where_reboots_are_told_an_uptime_tells_none(named: Conversation) -> None:
    for up in (3600, 5):
        answer = named.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1, "up": up})
        assert [type(value) for value in answer.values] == [Reading]
    (event,) = named.events("gate/event", {"id": "AABBCC001133", "why": "watchdog"})
    assert (event.device, event.kind, event.code) == ("aabbcc001133", "reboot", "watchdog")
    (odd,) = named.events("gate/event", {"id": "AABBCC001133", "why": "lightning"})
    assert (odd.code, odd.detail) == ("unknown", {"reason": "lightning"})


def test_a_restart_after_which_another_firmware_runs_is_the_end_of_an_update(named: Conversation) -> None:
    hall = "named/hall/state"
    named.say(hall, {"mac": "AABBCC001133", "t c": 1, "fw": "1.0"})
    named.say("gate/event", {"id": "AABBCC001133", "why": "user"})
    named.say(hall, {"mac": "AABBCC001133", "t c": 1, "fw": "1.1"})
    (event,) = named.events("gate/event", {"id": "AABBCC001133", "why": "user"})
    assert event.code == "update"


# -- events, presence, identity


def test_events_have_the_kind_and_code_of_the_mapping(acme: Conversation) -> None:
    (event,) = acme.events(f"{PLUG}/event", {"type": "fault", "code": "E12", "where": "motor", "ts": TS})
    assert (event.kind, event.code, event.detail) == (
        "fault",
        "motor_blocked",
        {"reason": "E12", "where": "motor"},
    )
    assert event.at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert acme.say(f"{PLUG}/event", {"type": "button"}).ignored == "an event that the mapping does not name"
    assert acme.say(f"{PLUG}/event", {"type": "fault", "code": "E12"}, retain=True).ignored
    with pytest.raises(Invalid, match="detail"):
        acme.say(f"{PLUG}/event", {"type": "fault", "where": {"a": {"b": {"c": {"d": 1}}}}})


@pytest.mark.parametrize(
    ("said", "online"),
    [("online", True), ("ONLINE", True), ("1", True), ("true", True), ("offline", False), ("0", False)],
)
def test_a_device_comes_and_goes(acme: Conversation, said: str, online: bool) -> None:
    (presence,) = acme.presences(f"{PLUG}/status", said)
    assert (presence.device, presence.online) == ("aabbcc001122", online)
    assert acme.say(f"{PLUG}/status", said, retain=True).ignored == "a retained copy of what is known"


def test_a_device_says_what_it_is(acme: Conversation) -> None:
    (identity,) = acme.identities(
        f"{PLUG}/info", {"model": "P2", "hw": "rev C", "fw": "2.4.1", "sn": "P2-7", "made": "2026-01", "relay": "HF"}
    )
    assert (identity.model, identity.hardware, identity.firmware) == ("ACME Plug 2", "rev C", "2.4.1")
    assert (identity.serial, identity.made, identity.parts) == ("P2-7", "2026-01", {"relay": "HF"})
    assert identity.hardware_address == "aabbcc001122"
    assert identity.convention == "acme"
    (other,) = acme.identities(f"{PLUG}/info", {"model": "P9", "fw": 3})
    assert (other.model, other.firmware, other.serial) == ("ACME Plug", "3", "AABBCC001122")
    (reading,) = acme.readings(f"{PLUG}/state", {"t": 70})
    assert reading.firmware == "3", "what an identity names is known to the readings"


# -- names that are learned


def test_a_name_waits_until_a_payload_says_whose_it_is(named: Conversation) -> None:
    assert named.say("named/hall/lwt", "on", retain=True).ignored
    answer = named.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1})
    assert [(type(value), value.device) for value in answer.values] == [
        (Presence, "aabbcc001133"),
        (Reading, "aabbcc001133"),
    ]
    (presence,) = named.presences("named/hall/lwt", "off")
    assert (presence.device, presence.online) == ("aabbcc001133", False)
    (reading,) = named.readings("named/hall/state", {"t c": 2})
    assert reading.device == "aabbcc001133"


def test_a_reading_under_a_name_that_nobody_told_is_refused(named: Conversation) -> None:
    with pytest.raises(Invalid, match="which device is called 'attic'"):
        named.say("named/attic/state", {"t c": 2})


@pytest.mark.parametrize("name", ["x" * 300, "\ud800", "\x00"])
def test_a_name_that_no_store_could_hold_is_refused(named: Conversation, name: str) -> None:
    with pytest.raises(Invalid, match="not a name"):
        named.say(f"named/{name}/lwt", "on")


def test_a_name_may_go_to_another_device(named: Conversation) -> None:
    named.say("named/hall/state", {"mac": "AABBCC001133", "t c": 1})
    named.say("named/hall/state", {"mac": "AABBCC001144", "t c": 1})
    (presence,) = named.presences("named/hall/lwt", "off")
    assert presence.device == "aabbcc001144"


def test_what_is_remembered_of_a_mapping_is_bounded(named: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 2)
    for number in range(4):
        named.say(f"named/n{number}/state", {"mac": f"AABBCC00113{number}", "t c": 1, "fw": "1"})
    (state,) = named.states.values()
    assert state is not None
    assert [sum(len(board) for board in state[key].values()) for key in ("devices", "names")] == [2, 2]
    (reading,) = named.readings("named/n3/state", {"mac": "AABBCC001133", "t c": 5})
    assert reading.device == "aabbcc001133", "what is not remembered is read all the same"


# -- beside other conventions


def test_a_mapping_goes_before_other_conventions_and_behind_the_native_one() -> None:
    own = mapped(
        'name = "own"\n[[topics]]\nfilter = "tele/{device}/STATE"\nkind = "telemetry"\nmetrics = { temperature_c = "$.T" }\n'
    )
    spoken = conventions(["tasmota", "native", "home_assistant"], [own])
    assert [one.name for one in spoken] == ["native", "own", "tasmota", "home_assistant"]
    decoder = Decoder(spoken)
    assert decoder.convention_of("tele/plug/STATE") == "own"
    assert decoder.convention_of("tele/plug/SENSOR") == "tasmota"


@pytest.mark.parametrize(
    ("names", "filters", "said"),
    [
        (["native"], ["+/v1/{device}/telemetry"], "claims topics of native: +/v1/+/telemetry and hearthwatch/v1/+/tel"),
        (["tasmota"], ["a/{device}/#", "a/{device}/b"], "claims topics of m0: a/+/b and a/+/#"),
        (["tasmota"], ["a/{device}", "b/{device}"], "two mappings are called m0"),
    ],
)
def test_mappings_may_not_claim_what_is_anothers(names: list[str], filters: list[str], said: str) -> None:
    same = "two" in said
    given = [
        mapped(
            f'name = "m{0 if same else number}"\n[[topics]]\nfilter = "{one}"\nkind = "presence"\npath = "$"\nonline = ["on"]\n'
        )
        for number, one in enumerate(filters)
    ]
    with pytest.raises(Invalid) as refusal:
        conventions(names, given)
    assert said in str(refusal.value)
    assert refusal.value.where == "mappings"


def test_a_mapping_may_not_be_called_like_another_convention() -> None:
    own = mapped(
        'name = "tasmota"\n[[topics]]\nfilter = "a/{device}"\nkind = "presence"\npath = "$"\nonline = ["on"]\n'
    )
    with pytest.raises(Invalid, match="that is another convention"):
        conventions([], [own])


def test_every_kind_of_value_comes_of_the_example(acme: Conversation) -> None:
    kinds: set[type] = set()
    for kind, payload in (
        ("state", {"ts": TS, "t": 70}),
        ("status", "online"),
        ("event", {"type": "fault"}),
        ("info", {"hw": "C"}),
    ):
        kinds |= {type(value) for value in acme.say(f"{PLUG}/{kind}", payload, at=START + timedelta(hours=1)).values}
    assert kinds == {Reading, Presence, Event, Identity}


def test_what_is_remembered_is_that_of_the_device_whose_topic_it_is() -> None:
    table = '[[topics]]\nfilter = "{}"\nkind = "telemetry"\nfirmware = "$.fw"\nmetrics = {{ temperature_c = "$.t" }}\n'
    ignored = '[[topics]]\nfilter = "two/#"\nkind = "ignore"\n'
    filters = ("two/{device}/+", "two/+/{device}")
    talk = Conversation(mapped('name = "two"\n' + ignored + "".join(table.format(one) for one in filters)))
    talk.say("two/hub/lamp", {"t": 1, "fw": "1.0"})
    assert {name: (state or {}).get("fw") for name, state in talk.states.items()} == {"hub": "1.0"}
    first, second = talk.readings("two/hub/lamp", {"t": 2})
    assert (first.device, first.firmware) == ("hub", "1.0")
    assert second.device == "lamp"
