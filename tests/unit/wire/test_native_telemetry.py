"""Native telemetry: what is good is kept, what is not is named, and a message is never half counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Message, Reading
from hearthwatch.wire import native
from hearthwatch.wire.native import Native
from tests.strategies import START, boots, counts, devices, firmwares, instants, metrics, readings

AT = "2026-05-01T12:00:00Z"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TOPIC = "hearthwatch/v1/dev-1/telemetry"


def decode(payload: Any, *, state: State | None = None, topic: str = TOPIC, user: str | None = None) -> Decoded:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return Native().decode(state, Message(topic, raw, START, user=user))[0]


def sample(at: Any = AT, **metrics_: Any) -> dict[str, Any]:
    return {"at": at, "m": metrics_}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested"),
        (b"[]", "object"),
        ({}, "no samples"),
        ({"samples": []}, "no samples"),
        ({"samples": {}}, "no samples"),
        ({"samples": [sample(a=1)], "fw": 2.4}, "fw"),
        ({"samples": [sample(a=1)], "fw": "x" * 257}, "fw"),
        ({"samples": [sample(a=1)], "fw": "2\x00"}, "fw"),
        ({"samples": [sample(a=1)], "boot": 71}, "boot"),
        ({"samples": [sample(a=1)], "seq": -1}, "seq"),
        ({"samples": [sample(a=1)], "seq": 1.5}, "seq"),
        ({"samples": [sample(a=1)], "seq": True}, "seq"),
        ({"samples": [sample(a=1)], "seq": 2**53 + 1}, "seq"),
        ({"samples": [sample(a=1)], "device": "dev-2"}, "another device"),
        (b'{"fw":"\\ud800","samples":[{"at":"2026-05-01T12:00:00Z","m":{"a":1}}]}', "stored"),
    ],
)
def test_a_malformed_message_is_invalid_as_a_whole(payload: Any, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        decode(payload)


@pytest.mark.parametrize("device", ["", "a b", "a+b", "x" * 65, "é", "a\x00", "dev\n"])
def test_a_bad_device_id_is_invalid(device: str) -> None:
    topic = f"hearthwatch/v1/{device}/telemetry"
    assert Native().partition(topic) == device
    with pytest.raises(Invalid, match="device id"):
        decode({"samples": [sample(a=1)]}, topic=topic)


def test_a_device_cannot_write_as_another_user() -> None:
    with pytest.raises(Invalid, match="user"):
        decode({"samples": [sample(a=1)]}, user="dev-2")
    assert decode({"samples": [sample(a=1)]}, user="dev-1").values


@pytest.mark.parametrize(
    "value",
    ["1", None, [], {}, 1.1e15, -1.1e15, 2**70],
)
def test_a_bad_value_costs_its_metric_alone(value: Any) -> None:
    answer = decode({"samples": [{"at": AT, "m": {"bad": value, "good": 1}}]})
    assert [reading.metrics for reading in answer.values if isinstance(reading, Reading)] == [{"good": 1.0}]
    assert [(one.part, one.samples) for one in answer.rejected] == [("samples[0].m.bad", 0)]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"9" * 400])
def test_a_number_that_is_not_finite_costs_its_metric_alone(number: bytes) -> None:
    answer = decode(b'{"samples":[{"at":"2026-05-01T12:00:00Z","m":{"bad":' + number + b',"good":1}}]}')
    assert isinstance(answer.values[0], Reading)
    assert answer.values[0].metrics == {"good": 1.0}
    assert answer.rejected[0].samples == 0


@pytest.mark.parametrize("name", ["", "Temperature", "1a", "_a", "a-b", "a\x00", "ä", "x" * 64, "a b"])
def test_a_bad_name_costs_its_metric_alone(name: str) -> None:
    answer = decode({"samples": [{"at": AT, "m": {name: 1, "good": 1}}]})
    assert isinstance(answer.values[0], Reading)
    assert answer.values[0].metrics == {"good": 1.0}
    assert "not a metric name" in answer.rejected[0].reason
    assert answer.rejected[0].samples == 0


@pytest.mark.parametrize(
    "bad",
    [
        7,
        [],
        {"at": AT},
        {"at": AT, "m": {}},
        {"at": AT, "m": [1]},
        {"at": AT, "m": {"a": "x"}},
        {"at": AT, "m": {f"m{i}": 1 for i in range(65)}},
        {"m": {"a": 1}},
        sample(at=1_777_000_000, a=1),
        sample(at="2026-05-01T12:00:00", a=1),
        sample(at="2026-05-01", a=1),
        sample(at="12:00", a=1),
        sample(at="2026-02-30T12:00:00Z", a=1),
        sample(at="1970-01-01T00:00:12Z", a=1),
        sample(at="0001-01-01T00:00:00+14:00", a=1),
        sample(at="9999-12-31T23:59:59Z", a=1),
    ],
)
def test_a_bad_sample_costs_itself_alone(bad: Any) -> None:
    answer = decode({"samples": [sample(a=1), bad, sample(at="2026-05-01T12:30:00Z", a=3)]})
    assert len(answer.values) == 2
    assert sum(one.samples for one in answer.rejected) == 1
    assert answer.rejected[-1].part == "samples[1]"


def test_a_thousand_samples_are_taken_and_one_more_are_all_refused() -> None:
    many = [sample(at=(NOON + timedelta(seconds=place)).isoformat(), a=1) for place in range(1001)]
    assert len(decode({"samples": many[:1000]}).values) == 1000
    answer = decode({"samples": many})
    assert not answer.values
    assert [one.samples for one in answer.rejected] == [1001]


def test_a_message_of_nothing_but_nonsense_gives_few_rejections_that_count_every_sample() -> None:
    nonsense = {"at": AT, "m": {f"M{place}": "x" for place in range(64)}}
    answer = decode({"samples": [nonsense] * 500 + [sample(a=1)]})
    assert len(answer.values) == 1
    assert len(answer.rejected) == 21
    assert sum(one.samples for one in answer.rejected) == 500


def test_sixty_four_metrics_are_taken() -> None:
    answer = decode({"samples": [{"at": AT, "m": {f"m{i}": i for i in range(64)}}]})
    assert isinstance(answer.values[0], Reading)
    assert len(answer.values[0].metrics) == 64


def test_booleans_are_stored_as_numbers() -> None:
    answer = decode({"samples": [sample(relay_on=True, battery_low=False)]})
    assert isinstance(answer.values[0], Reading)
    assert answer.values[0].metrics == {"relay_on": 1.0, "battery_low": 0.0}


def test_of_duplicate_keys_the_last_one_counts() -> None:
    answer = decode(b'{"samples":[{"at":"2026-05-01T12:00:00Z","m":{"a":1,"a":2}}]}')
    assert isinstance(answer.values[0], Reading)
    assert answer.values[0].metrics == {"a": 2.0}


def test_times_with_an_offset_are_kept_in_utc() -> None:
    reading = decode({"samples": [sample(at="2026-05-01T14:00:00.250+02:00", a=1)]}).values[0]
    assert reading.at == NOON + timedelta(milliseconds=250)
    assert reading.at.tzinfo is UTC


def test_one_sample_may_stand_in_the_message_itself() -> None:
    assert decode({"at": AT, "m": {"a": 1}, "fw": "1.0"}) == decode({"samples": [sample(a=1)], "fw": "1.0"})


def test_a_sample_without_a_clock_is_stamped_when_it_arrives() -> None:
    answer = decode({"boot": "b1", "seq": 7, "samples": [{"m": {"a": 1}}]})
    assert answer.values == (Reading("dev-1", "native", START, {"a": 1.0}, boot="b1", seq=7, clockless=True),)


@pytest.mark.parametrize("known", [{}, {"boot": "b1"}, {"seq": 7}])
def test_a_sample_without_a_clock_needs_boot_and_seq(known: dict[str, Any]) -> None:
    answer = decode({**known, "samples": [{"m": {"a": 1}}]})
    assert not answer.values
    assert "boot and seq" in answer.rejected[0].reason


def test_samples_without_a_clock_need_a_seq_each() -> None:
    answer = decode({"boot": "b1", "seq": 7, "samples": [{"m": {"a": 1}}, {"m": {"a": 2}}, {"seq": 8, "m": {"a": 3}}]})
    assert [value.seq for value in answer.values if isinstance(value, Reading)] == [7, 8]
    assert [one.part for one in answer.rejected] == ["samples[1]"]


def test_a_reading_without_fw_carries_the_firmware_last_named() -> None:
    convention = Native()
    named = {"fw": "2.4.1", "samples": [sample(a=1)]}
    _, state = convention.decode(None, Message(TOPIC, msgspec.json.encode(named), START))
    reading = decode({"samples": [sample(a=1)]}, state=state).values[0]
    assert isinstance(reading, Reading)
    assert reading.firmware == "2.4.1"


def test_late_data_keeps_the_firmware_of_its_own_boot() -> None:
    convention, state = Native(), None
    for boot, fw in (("b1", "1.0"), ("b2", "2.0")):
        payload = msgspec.json.encode({"fw": fw, "boot": boot, "samples": [sample(a=1)]})
        _, state = convention.decode(state, Message(TOPIC, payload, START))
    late = decode({"boot": "b1", "samples": [sample(a=1)]}, state=state).values[0]
    new = decode({"boot": "b2", "samples": [sample(a=1)]}, state=state).values[0]
    assert isinstance(late, Reading)
    assert isinstance(new, Reading)
    assert (late.firmware, new.firmware) == ("1.0", "2.0")


def test_late_data_that_names_an_older_firmware_does_not_become_the_known_one() -> None:
    convention, state = Native(), None
    for boot, fw in (("b1", "1.0"), ("b2", "2.0"), ("b1", "1.0")):
        payload = msgspec.json.encode({"fw": fw, "boot": boot, "samples": [sample(a=1)]})
        _, state = convention.decode(state, Message(TOPIC, payload, START))
    assert state is not None
    assert (state["fw"], state["boot"]) == ("2.0", "b2")


def test_many_boots_do_not_make_the_state_grow() -> None:
    convention, state = Native(), None
    for number in range(100):
        payload = msgspec.json.encode({"fw": "1.0", "boot": f"b{number}", "samples": [sample(a=1)]})
        _, state = convention.decode(state, Message(TOPIC, payload, START))
    assert len(msgspec.json.encode(state)) < 400


@given(reading=readings())
def test_decoding_gives_back_what_was_encoded(reading: Reading) -> None:
    topic, payload = native.telemetry(
        reading.device, [(reading.at, reading.metrics)], fw=reading.firmware, boot=reading.boot, seq=reading.seq
    )
    answer = decode(payload, topic=topic)
    assert answer == Decoded((reading,))


@given(
    device=devices,
    samples=st.lists(st.tuples(instants(), metrics), min_size=1, max_size=5),
    fw=st.none() | firmwares,
    boot=boots,
    seq=st.integers(0, 2**50),
)
def test_decoding_gives_back_a_batch_with_and_without_clocks(
    device: str, samples: list[tuple[datetime, dict[str, float]]], fw: str | None, boot: str, seq: int
) -> None:
    topic, payload = native.telemetry(device, samples, fw=fw, boot=boot, seq=seq)
    timed = decode(payload, topic=topic).values
    assert [(v.at, v.metrics, v.seq, v.clockless) for v in timed if isinstance(v, Reading)] == [
        (at, m, seq, False) for at, m in samples
    ]
    topic, payload = native.telemetry(device, [(None, m) for _, m in samples], fw=fw, boot=boot, seq=seq)
    untimed = decode(payload, topic=topic).values
    assert [(v.at, v.metrics, v.seq, v.clockless) for v in untimed if isinstance(v, Reading)] == [
        (START, m, seq + place, True) for place, (_, m) in enumerate(samples)
    ]


@given(seq=counts)
def test_the_patient_reader_agrees_with_the_fast_one(seq: int) -> None:
    fast = decode({"fw": "1", "boot": "b", "seq": seq, "samples": [sample(a=1)]})
    patient = decode({"fw": "1", "boot": "b", "seq": seq, "samples": [sample(a=1), 7]})
    assert patient.values == fast.values
    assert len(patient.rejected) == 1
