"""Sparkplug B 3.0.0 (Eclipse Foundation specification, chapters 4 to 6), with payloads made of its JSON views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import DEVICE_ID, Decoded, Event, Message, Presence, Reading, Reply
from hearthwatch.wire.sparkplug import Sparkplug, device_id
from hearthwatch.wire.sparkplug_edge import MAX_DEVICES, MAX_NAMES
from tests.sparkplug_payloads import block, encode, whole
from tests.strategies import START
from tests.unit.wire.conversation import Conversation

NODE = "spBv1.0/plant/{}/edge"
DEVICE = "spBv1.0/plant/{}/edge/pump"
AT = 1777636800000
BDSEQ = {"name": "bdSeq", "dataType": "UInt64", "value": 3}


@pytest.fixture
def talk() -> Conversation:
    return Conversation(Sparkplug())


def payload(*metrics: dict[str, Any], seq: int | None = 0, **more: Any) -> bytes:
    view = {"timestamp": AT, "metrics": metrics, **more}
    return encode(view if seq is None else {**view, "seq": seq})


def metric(name: str, kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "dataType": kind, "value": value, **more}


def born(talk: Conversation, *metrics: dict[str, Any], session: int = 3) -> Decoded:
    return talk.say(NODE.format("NBIRTH"), payload({**BDSEQ, "value": session}, *metrics, seq=0))


def only_reading(answer: Decoded) -> Reading:
    (reading,) = (value for value in answer.values if isinstance(value, Reading))
    return reading


def presences(answer: Decoded) -> list[tuple[str, bool]]:
    return [(value.device, value.online) for value in answer.values if isinstance(value, Presence)]


def gaps(answer: Decoded) -> list[Event]:
    return [value for value in answer.values if isinstance(value, Event) and value.kind == "gap"]


# -- what is refused --------------------------------------------------------------------------------------------------------


def test_data_before_the_birth_of_its_node_is_refused_and_says_what_helps(talk: Conversation) -> None:
    answer = talk.say(NODE.format("NDATA"), payload(metric("a", "Float", 1.0)))
    (rejection,) = answer.rejected
    assert rejection.reason == "data before the birth certificate of its edge node: ask the edge node for a rebirth"
    assert rejection.samples == 1


def test_data_before_the_birth_of_its_node_asks_for_a_rebirth_once(talk: Conversation) -> None:
    (gap,) = gaps(talk.say(NODE.format("NDATA"), payload(metric("a", "Float", 1.0))))
    assert (gap.device, gap.code, gap.detail) == ("plant.edge", "rebirth", {"missing": 0})
    with pytest.raises(Invalid, match="before the birth certificate of its edge node"):
        talk.say(NODE.format("NDATA"), payload(metric("a", "Float", 1.0)))


def test_the_birth_of_a_known_node_answers_a_rebirth_and_the_first_one_answers_nobody(talk: Conversation) -> None:
    first = born(talk, session=1)
    again = born(talk, session=2)
    assert not [value for value in first.values if isinstance(value, Reply)]
    (reply,) = [value for value in again.values if isinstance(value, Reply)]
    assert (reply.device, reply.id, reply.kind, reply.ok) == ("plant.edge", "", "rebirth", True)


def test_data_before_the_birth_of_its_device_is_refused(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    answer = talk.say(DEVICE.format("DDATA"), payload(metric("a", "Float", 1.0), seq=1))
    assert not answer.values
    (rejection,) = answer.rejected
    assert rejection.reason == "data before the birth certificate of its device: ask the edge node for a rebirth"
    assert (rejection.device, rejection.samples) == ("plant.edge.pump", 1)
    assert not gaps(talk.say(NODE.format("NDATA"), level(2))), "it came, so it is not missing"


def test_an_unknown_alias_is_refused_and_the_rest_is_kept(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    data = payload(
        {"alias": 1, "dataType": "Float", "value": 2.5}, {"alias": 9, "dataType": "Float", "value": 1.0}, seq=1
    )
    answer = talk.say(NODE.format("NDATA"), data)
    assert only_reading(answer).metrics == {"level": 2.5}
    (rejection,) = answer.rejected
    assert (rejection.part, rejection.samples) == ("alias 9", 0)
    assert "ask the edge node for a rebirth" in rejection.reason


def test_a_message_of_unknown_metrics_alone_still_counts_in_the_sequence(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    answer = talk.say(NODE.format("NDATA"), payload(metric("New", "Float", 1.0), seq=1))
    assert not answer.values
    assert [rejection.samples for rejection in answer.rejected] == [1]
    following = talk.say(NODE.format("NDATA"), payload({"alias": 1, "dataType": "Float", "value": 2.0}, seq=2))
    assert not gaps(following)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("Int8", whole(10, 200 + 256)),
        ("UInt8", whole(10, 256)),
        ("UInt16", whole(10, 65_536)),
        ("UInt32", whole(11, 2**32)),
        ("Float", whole(10, 1)),
        ("Int32", block(15, b"7")),
        ("Boolean", whole(10, 2)),
        ("Float", b"\x65\x00\x00\xc0\x7f"),
        ("Double", b"\x69\x00\x00\x00\x00\x00\x00\xf0\x7f"),
        ("UInt64", whole(11, 2**63)),
    ],
)
def test_values_that_contradict_their_datatype_are_refused(talk: Conversation, kind: str, raw: bytes) -> None:
    answer = born(talk, {"name": "Level", "dataType": kind, "raw": raw})
    assert [rejection.part for rejection in answer.rejected] == ["Level"]
    assert presences(answer) == [("plant.edge", True)]


def test_templates_and_data_sets_are_refused_at_birth_and_left_out_later(talk: Conversation) -> None:
    shape = {"name": "Motor", "dataType": "Template", "raw": block(18, block(2, block(1, b"inner")))}
    table = {"name": "Table", "dataType": "DataSet", "raw": block(17, b"")}
    answer = born(talk, shape, table)
    assert [rejection.part for rejection in answer.rejected] == ["Motor", "Table"]
    assert (
        talk.say(NODE.format("NDATA"), payload(shape, seq=1)).ignored
        == "templates, data sets, arrays and files are not read"
    )


def test_a_certificate_without_names_or_datatypes_declares_what_it_can(talk: Conversation) -> None:
    nameless = {"dataType": "Float", "value": 1.0}
    untyped = {"name": "Count", "raw": whole(10, 5)}
    answer = born(talk, nameless, untyped, {"name": "Level", "raw": b"\x65\x00\x00\x80\x3f"})
    assert [rejection.part for rejection in answer.rejected] == ["metric 1", "Count"]
    assert only_reading(answer).metrics == {"level": 1.0}


def test_one_alias_for_two_metrics_is_refused(talk: Conversation) -> None:
    answer = born(talk, metric("A", "Float", 1.0, alias=1), metric("B", "Float", 2.0, alias=1))
    assert [rejection.part for rejection in answer.rejected] == ["B"]
    assert only_reading(answer).metrics == {"a": 1.0}
    data = talk.say(NODE.format("NDATA"), payload({"alias": 1, "dataType": "Float", "value": 5.0}, seq=1))
    assert only_reading(data).metrics == {"a": 5.0}


def test_a_death_that_names_no_session_is_refused(talk: Conversation) -> None:
    born(talk)
    with pytest.raises(Invalid, match="without a bdSeq"):
        talk.say(NODE.format("NDEATH"), payload(seq=None))


def test_seq_beyond_255_is_refused(talk: Conversation) -> None:
    with pytest.raises(Invalid, match="seq counts to 255"):
        talk.say(NODE.format("NBIRTH"), payload(BDSEQ, seq=256))


def test_retained_copies_are_left_out_since_sparkplug_has_none(talk: Conversation) -> None:
    assert talk.say(NODE.format("NBIRTH"), payload(BDSEQ), retain=True).ignored
    assert talk.states["plant/edge"] is None


@pytest.mark.parametrize("topic", ["spBv1.0/plant/NCMD/edge", "spBv1.0/plant/DCMD/edge/pump", "spBv1.0/STATE/scada"])
def test_commands_and_hosts_are_no_devices(talk: Conversation, topic: str) -> None:
    assert talk.say(topic, b"\xff").ignored


@pytest.mark.parametrize(
    "topic", [f"spBv1.0/{'g' * 257}/NBIRTH/e", "spBv1.0/g\x00/NBIRTH/e", "spBv1.0/\ud800/NBIRTH/e"]
)
def test_topics_that_cannot_be_stored_are_refused(topic: str) -> None:
    with pytest.raises(Invalid):
        Sparkplug().decode(None, Message(topic, payload(BDSEQ), START))


# -- what an edge node remembers is bounded -----------------------------------------------------------------------------------


def test_the_number_of_devices_is_bounded(talk: Conversation) -> None:
    born(talk)
    for number in range(MAX_DEVICES):
        talk.say(f"spBv1.0/plant/DBIRTH/edge/d{number}", payload(seq=None))
    with pytest.raises(Invalid, match="more than"):
        talk.say("spBv1.0/plant/DBIRTH/edge/one-more", payload(seq=None))


def test_the_number_of_metrics_of_a_node_and_its_devices_is_bounded(talk: Conversation) -> None:
    many = [metric(f"metric number {number}", "Float", 1.0, alias=number) for number in range(1500)]
    born(talk, *many)
    answer = talk.say(DEVICE.format("DBIRTH"), payload(*many, seq=1))
    refused = sum(
        "more parts were refused" in one.reason or "more metrics than" in one.reason for one in answer.rejected
    )
    assert refused == len(answer.rejected)
    units = (talk.states["plant/edge"] or {})["units"]
    assert sum(len(unit["metrics"]) for unit in units.values()) == MAX_NAMES
    assert len(msgspec.json.encode(talk.states)) < 262_144


def test_a_large_certificate_is_several_readings(talk: Conversation) -> None:
    answer = born(talk, *(metric(f"m{number}", "Float", 1.0) for number in range(150)))
    readings = [value for value in answer.values if isinstance(value, Reading)]
    assert [len(reading.metrics) for reading in readings] == [64, 64, 22]
    assert len({(reading.stream, reading.at) for reading in readings}) == 3


def test_instants_of_one_message_are_bounded(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    history = [{"alias": 1, "timestamp": AT + n, "dataType": "Float", "value": 1.0} for n in range(1200)]
    answer = talk.say(NODE.format("NDATA"), payload(*history, seq=1))
    assert len(answer.values) == 1000
    assert sum("instants" in rejection.reason for rejection in answer.rejected) > 1


# -- certificates -------------------------------------------------------------------------------------------------------------


def test_a_birth_gives_presence_identity_firmware_and_a_reading(talk: Conversation) -> None:
    answer = born(
        talk,
        metric("Node Control/Rebirth", "Boolean", False),
        metric("Properties/Hardware Make", "String", "Acme"),
        metric("Properties/Hardware Model", "String", "Gate 3"),
        metric("Properties/Hardware Version", "String", "B"),
        metric("Properties/FW", "String", "2.4.1"),
        metric("Properties/OS Version", "String", "11"),
        metric("Node Info/Serial Number", "String", "SN-1"),
        metric("Supply Voltage", "Float", 12.1, properties={"engUnit": "V"}),
    )
    identity, reading, presence = answer.values
    assert [getattr(identity, name) for name in ("device", "model", "hardware", "firmware", "serial")] == [
        "plant.edge",
        "Gate 3",
        "B",
        "2.4.1",
        "SN-1",
    ]
    assert isinstance(reading, Reading)
    assert (reading.metrics, reading.firmware) == ({"supply_v": 12.1}, "2.4.1")
    assert reading.at == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert isinstance(presence, Presence)
    assert (presence.online, presence.firmware) == (True, "2.4.1")


def test_where_no_firmware_is_named_the_system_stands_in_for_it(talk: Conversation) -> None:
    answer = born(
        talk, metric("Properties/OS Version", "String", "Jessie"), metric("Properties/Hardware Make", "String", "Pi")
    )
    assert (getattr(answer.values[0], "firmware", None), getattr(answer.values[0], "model", None)) == ("Jessie", "Pi")


def test_another_firmware_at_the_next_birth_is_an_update(talk: Conversation) -> None:
    born(talk, metric("Properties/FW", "String", "1.0.0"))
    answer = born(talk, metric("Properties/FW", "String", "1.1.0"), session=4)
    (event,) = (value for value in answer.values if isinstance(value, Event))
    assert (event.kind, event.code, event.detail) == ("update", "installed", {"from": "1.0.0", "to": "1.1.0"})


def test_texts_outside_the_properties_are_nobodys_firmware(talk: Conversation) -> None:
    answer = born(talk, metric("PLC/Firmware", "String", "9.9"), metric("Recipe/Model", "String", "cake"))
    assert [type(value) for value in answer.values] == [Presence]


def test_a_device_has_an_identity_of_its_own(talk: Conversation) -> None:
    born(talk, metric("Properties/FW", "String", "1.0.0"))
    birth = payload(metric("Properties/FW", "String", "7.7"), metric("Inputs/A", "Boolean", True), seq=1)
    answer = talk.say(DEVICE.format("DBIRTH"), birth)
    assert only_reading(answer).device == "plant.edge.pump"
    assert (only_reading(answer).firmware, only_reading(answer).metrics) == ("7.7", {"inputs_a": 1.0})
    assert presences(answer) == [("plant.edge.pump", True)]


def test_a_device_says_once_that_it_depends_on_its_edge_node(talk: Conversation) -> None:
    born(talk)
    told = [talk.say(DEVICE.format("DBIRTH"), payload(seq=number)) for number in (1, 2)]
    joined = [[one for one in answer.values if isinstance(one, Event) and one.kind == "network"] for answer in told]
    ((event,), again) = joined
    assert (event.device, event.code, event.detail) == ("plant.edge.pump", "joined", {"bridge": "plant.edge"})
    assert again == []


def test_a_rebirth_replaces_the_aliases(talk: Conversation) -> None:
    born(talk, metric("A", "Float", 1.0, alias=1), metric("B", "Float", 1.0, alias=2))
    born(talk, metric("B", "Float", 1.0, alias=1))
    answer = talk.say(NODE.format("NDATA"), payload({"alias": 1, "dataType": "Float", "value": 7.0}, seq=1))
    assert only_reading(answer).metrics == {"b": 7.0}


def test_after_a_rebirth_devices_have_to_be_born_again(talk: Conversation) -> None:
    born(talk)
    talk.say(DEVICE.format("DBIRTH"), payload(metric("A", "Float", 1.0, alias=1), seq=1))
    born(talk)
    answer = talk.say(DEVICE.format("DDATA"), payload({"alias": 1, "dataType": "Float", "value": 1.0}, seq=1))
    assert not answer.values
    assert "before the birth certificate of its device" in answer.rejected[0].reason


def test_the_first_of_two_temperatures_keeps_the_plain_name_also_after_a_rebirth(talk: Conversation) -> None:
    celsius = {"engUnit": "°C"}
    inlet = metric("Inlet/Temperature", "Float", 5.0, properties=celsius)
    outlet = metric("Outlet/Temperature", "Float", 50.0, properties=celsius)
    assert only_reading(born(talk, inlet, outlet)).metrics == {"temperature_c": 5.0, "outlet_temperature_c": 50.0}
    assert only_reading(born(talk, outlet, inlet)).metrics == {"temperature_c": 5.0, "outlet_temperature_c": 50.0}


# -- deaths -------------------------------------------------------------------------------------------------------------------


def test_the_death_of_a_node_is_the_death_of_its_devices(talk: Conversation) -> None:
    born(talk)
    talk.say(DEVICE.format("DBIRTH"), payload(seq=1))
    old = encode({"timestamp": 0, "metrics": [BDSEQ]})
    answer = talk.say(NODE.format("NDEATH"), old)
    assert presences(answer) == [("plant.edge", False), ("plant.edge.pump", False)]
    assert all(value.at == talk.now for value in answer.values), "the time of a will is that of its making"
    assert talk.say(NODE.format("NDEATH"), old).ignored == "the death of a session that ended already"
    (rejection,) = talk.say(NODE.format("NDATA"), payload(seq=2)).rejected
    assert "before the birth" in rejection.reason


def test_the_death_of_an_older_session_is_left_out(talk: Conversation) -> None:
    born(talk, session=3)
    born(talk, session=4)
    answer = talk.say(NODE.format("NDEATH"), encode({"timestamp": AT, "metrics": [{**BDSEQ, "value": 3}]}))
    assert answer.ignored == "the death of an older session"
    assert presences(talk.say(NODE.format("NDEATH"), encode({"metrics": [{**BDSEQ, "value": 4}]}))) == [
        ("plant.edge", False)
    ]


def test_a_death_is_believed_when_no_birth_was_heard(talk: Conversation) -> None:
    assert presences(talk.say(NODE.format("NDEATH"), encode({"metrics": [BDSEQ]}))) == [("plant.edge", False)]


def test_a_device_may_leave_alone(talk: Conversation) -> None:
    born(talk)
    talk.say(DEVICE.format("DBIRTH"), payload(seq=1))
    assert presences(talk.say(DEVICE.format("DDEATH"), payload(seq=2))) == [("plant.edge.pump", False)]
    assert presences(talk.say(NODE.format("NDEATH"), encode({"metrics": [BDSEQ]}))) == [("plant.edge", False)]
    assert talk.say(DEVICE.format("DDEATH"), payload(seq=3)).ignored


# -- the sequence -------------------------------------------------------------------------------------------------------------


def level(seq: int) -> bytes:
    return payload({"alias": 1, "dataType": "Float", "value": float(seq)}, seq=seq)


def test_a_gap_asks_for_a_rebirth_once_and_all_that_is_missing_is_counted(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    assert not gaps(talk.say(NODE.format("NDATA"), level(1)))
    (gap,) = gaps(talk.say(NODE.format("NDATA"), level(4)))
    assert (gap.device, gap.code, gap.detail) == ("plant.edge", "rebirth", {"expected": 2, "got": 4, "missing": 2})
    assert not gaps(talk.say(NODE.format("NDATA"), level(6)))
    (closed,) = gaps(born(talk, metric("Level", "Float", 1.0, alias=1)))
    assert (closed.code, closed.detail) == ("closed", {"missing": 3})
    assert not gaps(born(talk))


def test_the_sequence_begins_again_after_255(talk: Conversation) -> None:
    talk.say(NODE.format("NBIRTH"), payload(BDSEQ, metric("Level", "Float", 1.0, alias=1), seq=254))
    for seq in (255, 0, 1):
        assert not gaps(talk.say(NODE.format("NDATA"), level(seq)))


def test_node_and_devices_share_the_sequence(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    assert not gaps(talk.say(DEVICE.format("DBIRTH"), payload(seq=1)))
    assert not gaps(talk.say(NODE.format("NDATA"), level(2)))
    assert not gaps(talk.say(DEVICE.format("DDEATH"), payload(seq=3)))
    (gap,) = gaps(talk.say(NODE.format("NDATA"), level(5)))
    assert gap.detail["missing"] == 1


def test_what_the_broker_sends_again_is_no_gap(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    first = talk.say(NODE.format("NDATA"), level(1))
    again = Message(NODE.format("NDATA"), level(1), talk.now, redelivered=True)
    answer, state = talk.convention.decode(talk.states["plant/edge"], again)
    assert answer.values == first.values
    assert state is talk.states["plant/edge"]


def test_a_stretch_that_the_broker_sends_again_is_no_gap_and_stores_nothing_twice(talk: Conversation) -> None:
    born(talk, metric("Level", "Float", 1.0, alias=1))
    first = [talk.say(NODE.format("NDATA"), level(seq)).values for seq in (1, 2, 3)]
    state = talk.states["plant/edge"]
    for seq, earlier in zip((1, 2, 3), first, strict=True):
        again = Message(NODE.format("NDATA"), level(seq), talk.now, redelivered=True)
        answer, state = talk.convention.decode(state, again)
        assert answer.values == earlier
    assert not gaps(talk.say(NODE.format("NDATA"), level(4)))


def test_a_device_whose_node_was_not_heard_is_taken_in_and_the_node_asked_for(talk: Conversation) -> None:
    answer = talk.say(DEVICE.format("DBIRTH"), payload(metric("Level", "Float", 1.0, alias=1), seq=9))
    (gap,) = gaps(answer)
    assert (gap.device, gap.code) == ("plant.edge", "rebirth")
    assert presences(answer) == [("plant.edge.pump", True)]
    data = talk.say(DEVICE.format("DDATA"), payload({"alias": 1, "dataType": "Float", "value": 2.0}, seq=10))
    assert only_reading(data).metrics == {"level": 2.0}
    assert not gaps(data)


# -- data -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Int8", whole(10, 2**32 - 1), -1.0),
        ("Int8", whole(10, 0xFF), -1.0),
        ("Int16", whole(10, 2**32 - 300), -300.0),
        ("Int32", whole(10, 2**31), -(2.0**31)),
        ("Int64", whole(11, 2**64 - 5), -5.0),
        ("Int32", whole(11, 2**64 - 5), -5.0),
        ("UInt8", whole(10, 255), 255.0),
        ("UInt32", whole(10, 2**32 - 1), 2.0**32 - 1),
        ("UInt32", whole(11, 2**32 - 1), 2.0**32 - 1),
        ("UInt64", whole(11, 2**40), 2.0**40),
        ("Boolean", whole(14, 1), 1.0),
        ("Double", b"\x69\x9a\x99\x99\x99\x99\x99\xb9\x3f", 0.1),
    ],
)
def test_numbers_have_the_sign_and_width_of_their_datatype(
    talk: Conversation, kind: str, field: bytes, value: float
) -> None:
    assert only_reading(born(talk, {"name": "Level", "dataType": kind, "raw": field})).metrics == {"level": value}


def test_the_certificate_says_what_the_bytes_of_an_alias_mean(talk: Conversation) -> None:
    born(
        talk,
        metric("Offset", "Int16", 3, alias=7, properties={"engUnit": "mA"}),
        metric("Current", "Int16", 3, alias=8),
    )
    data = payload({"alias": 7, "dataType": "Int16", "declared": False, "value": -250}, seq=1)
    assert only_reading(talk.say(NODE.format("NDATA"), data)).metrics == {"offset_a": -0.25}


def test_metrics_of_one_instant_are_one_reading_and_history_keeps_its_time(talk: Conversation) -> None:
    born(talk, metric("A", "Float", 1.0), metric("B", "Float", 1.0))
    data = payload(
        metric("A", "Float", 1.0),
        metric("B", "Float", 2.0, timestamp=AT),
        metric("A", "Float", 3.0, timestamp=AT - 60_000, is_historical=True),
        seq=1,
    )
    old, new = talk.say(NODE.format("NDATA"), data).values
    assert isinstance(old, Reading)
    assert isinstance(new, Reading)
    assert (old.metrics, new.metrics) == ({"a": 3.0}, {"a": 1.0, "b": 2.0})
    assert new.at - old.at == timedelta(minutes=1)


def test_history_without_a_time_is_refused(talk: Conversation) -> None:
    born(talk, metric("A", "Float", 1.0))
    answer = talk.say(NODE.format("NDATA"), payload(metric("A", "Float", 1.0, is_historical=True), seq=1))
    assert [(one.part, one.reason, one.samples) for one in answer.rejected] == [
        ("A", "told afterwards, without a time", 1)
    ]


def test_a_clock_that_was_never_set_gives_way_to_the_arrival(talk: Conversation) -> None:
    raw = encode({"timestamp": 5, "seq": 0, "metrics": [BDSEQ, metric("A", "Float", 1.0, timestamp=2**64 - 1)]})
    assert only_reading(talk.say(NODE.format("NBIRTH"), raw)).at == talk.now


def test_two_messages_of_one_millisecond_are_two_readings(talk: Conversation) -> None:
    born(talk, metric("A", "Float", 1.0), metric("B", "Float", 1.0))
    keys = [
        (one.stream, one.at)
        for seq, name in ((1, "A"), (2, "B"))
        for one in [only_reading(talk.say(NODE.format("NDATA"), payload(metric(name, "Float", 1.0), seq=seq)))]
    ]
    assert len(set(keys)) == 2
    assert keys[1][1] - keys[0][1] < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "without",
    [{"is_null": True}, {"is_transient": True}, {"properties": {"Quality": 0}}, {"properties": {"Quality": 500}}],
)
def test_what_is_null_passing_or_of_bad_quality_is_no_measurement(talk: Conversation, without: dict[str, Any]) -> None:
    born(talk, metric("A", "Float", 1.0))
    answer = talk.say(NODE.format("NDATA"), payload(metric("A", "Float", 1.0, **without), seq=1))
    assert answer.ignored
    assert not answer.rejected


UNITS = [
    ("Motor/Temperature", "°F", 212.0, "temperature_c", 100.0),
    ("Line/Voltage", "V", 230.0, "voltage_v", 230.0),
    ("Meter/ActivePower", "kW", 1.5, "power_w", 1500.0),
    ("Meter/Energy", "kWh", 7.5, "energy_kwh", 7.5),
    ("Room/Humidity", "%", 40.0, "humidity_pct", 40.0),
    ("Radio/RSSI", "dBm", -70.0, "rssi_dbm", -70.0),
]


@pytest.mark.parametrize(("name", "unit", "value", "expected", "converted"), UNITS)
def test_engineering_units_lead_to_the_names_of_the_catalogue(
    talk: Conversation, name: str, unit: str, value: float, expected: str, converted: float
) -> None:
    assert expected in BY_NAME
    answer = born(talk, metric(name, "Double", value, properties={"engUnit": unit}))
    assert only_reading(answer).metrics == {expected: pytest.approx(converted)}


def test_an_uptime_that_fell_is_a_reboot(talk: Conversation) -> None:
    uptime = metric("Uptime", "UInt32", 50_000, properties={"engUnit": "s"})
    born(talk, uptime)
    answer = talk.say(
        NODE.format("NDATA"),
        encode({"timestamp": AT + 60_000, "seq": 1, "metrics": [{**uptime, "value": 5}]}),
    )
    assert [(value.kind, value.code) for value in answer.values if isinstance(value, Event)] == [("reboot", "unknown")]


# -- device ids -----------------------------------------------------------------------------------------------------------------


def test_plain_names_make_a_plain_id() -> None:
    assert device_id("plant", "edge-1") == "plant.edge-1"
    assert device_id("plant", "edge-1", "pump_2") == "plant.edge-1.pump_2"


def test_the_documented_example_of_an_id_holds() -> None:
    assert (
        device_id("Sparkplug B Devices", "Raspberry Pi") == "Sparkplug_B_Devices_Raspberry_Pi..631c1dfab00f4b4e6aee3a95"
    )


names = st.text(st.sampled_from("ab._- é/"), min_size=1, max_size=40).map(lambda text: text.replace("/", "x"))
places = st.tuples(names, names) | st.tuples(names, names, names)


@given(st.lists(places, max_size=30, unique=True))
def test_no_two_devices_fall_together(all_of_them: Sequence[tuple[str, ...]]) -> None:
    ids = [device_id(*place) for place in all_of_them]
    assert len(set(ids)) == len(ids)
    assert all(DEVICE_ID.fullmatch(one) for one in ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a.b", "c"), ("a", "b", "c")),
        (("a", "b.c"), ("a", "b", "c")),
        (("a b", "c"), ("a_b", "c")),
        (("g", "e" * 80), ("g", "e" * 81)),
    ],
)
def test_tricky_neighbours_stay_apart(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert device_id(*one) != device_id(*other)
