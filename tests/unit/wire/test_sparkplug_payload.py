"""Bytes of Sparkplug payloads, good and bad.

Field numbers: ``sparkplug_b.proto`` of Eclipse Tahu. `BY_PROTOBUF` was written by Google's protobuf 7.36.2 with code that protoc
generated from that file.
"""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.wire.sparkplug_payload import MAX_METRICS, parse_payload
from tests.sparkplug_payloads import block, encode, tag, varint, whole

BY_PROTOBUF = base64.b64decode(
    "CPvso5veMxJHChFNb3Rvci9UZW1wZXJhdHVyZRAAGOTso5veMyAJSiIKB1F1YWxpdHkKB2VuZ1VuaXQSBQgDGMABEgcIDEIDwrBDZQAArEESEwoGT2Zmc2V0EKwCIANQ"
    "+////w8SFgoFVG90YWwgBCgBWP7//////////wESEgoFUmF0aW8gCmmamZmZmZm5PxIICgJPbiALcAESGAoNUHJvcGVydGllcy9GVyAMegUyLjQuMRINCgdOb3RoaW5nIAk4"
    "ARIfCgVTaGFwZSATkgETCgExEg4KBWlubmVyIAllAACAPxITCgVUYWJsZSAQigEHCAESAWMYAxISCgRCbG9iIBFCA0IBZIIBAgABGAc="
)


def test_what_the_official_library_wrote_is_read() -> None:
    payload = parse_payload(BY_PROTOBUF)
    assert (payload.timestamp, payload.seq) == (1777636800123, 7)
    values = {metric.name: metric.value for metric in payload.metrics}
    assert values == {
        "Motor/Temperature": 21.5,
        "Offset": 2**32 - 5,
        "Total": 2**64 - 2,
        "Ratio": 0.1,
        "On": True,
        "Properties/FW": "2.4.1",
        "Nothing": None,
        "Shape": None,
        "Table": None,
        "Blob": None,
    }
    motor, offset, total, *_ = payload.metrics
    assert (motor.alias, motor.timestamp, motor.datatype) == (0, 1777636800100, 9)
    assert (motor.unit, motor.good) == ("°C", True)
    assert (offset.alias, offset.timestamp) == (300, None)
    assert total.historical
    assert [metric.name for metric in payload.metrics if metric.compound] == ["Shape", "Table", "Blob"]
    assert [metric.name for metric in payload.metrics if metric.null] == ["Nothing"]


def test_the_encoder_of_the_tests_writes_what_the_official_library_writes() -> None:
    metrics = [
        {
            "name": "Motor/Temperature",
            "alias": 0,
            "timestamp": 1777636800100,
            "dataType": "Float",
            "value": 21.5,
            "properties": {"Quality": 192, "engUnit": "°C"},
        },
        {"name": "Offset", "alias": 300, "dataType": "Int32", "value": -5},
        {"name": "Total", "dataType": "Int64", "value": -2, "is_historical": True},
        {"name": "Ratio", "dataType": "Double", "value": 0.1},
        {"name": "On", "dataType": "Boolean", "value": True},
        {"name": "Properties/FW", "dataType": "String", "value": "2.4.1"},
        {"name": "Nothing", "dataType": "Float", "is_null": True},
    ]
    ours = parse_payload(encode({"timestamp": 1777636800123, "metrics": metrics, "seq": 7}))
    official = parse_payload(BY_PROTOBUF)
    assert ours.metrics == official.metrics[: len(metrics)]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x12",
        b"\x12\x05ab",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x80" * 11,
        b"\x08" + b"\xff" * 10,
        b"\x00\x00",
        b"\x0b\x0c",
        b"\x0f",
        b"\x0d\x00\x00\x00",
        whole(2, 3),
        block(1, b"x"),
        tag(3, 1) + b"8bytes!!",
        varint(2**40 << 3) + b"\x00",
        block(2, block(1, b"\xff")),
        block(2, block(1, b"a\x00b")),
        block(2, block(15, b"\xed\xa0\x80")),
        block(2, tag(12, 1) + b"8bytes!!"),
        block(2, tag(13, 5) + b"4byt"),
        block(2, block(9, block(2, b"\x12\x7f") + block(1, b"engUnit"))),
        block(2, block(9, block(1, b"\x12\x7f")))[:-1],
        encode({"uuid": "SPBV1.0_COMPRESSED", "body": "x"}),
    ],
    ids=repr,
)
def test_what_is_no_payload_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_payload(raw)


def test_unknown_fields_are_skipped() -> None:
    payload = parse_payload(
        whole(99, 5) + block(98, b"\xff") + tag(97, 5) + b"abcd" + tag(96, 1) + b"abcdefgh" + whole(3, 7)
    )
    assert payload.seq == 7


def test_a_million_metrics_are_refused_before_they_are_made() -> None:
    started = time.perf_counter()
    with pytest.raises(Invalid, match=f"more than {MAX_METRICS} metrics"):
        parse_payload(block(2, b"") * 1_000_000)
    assert time.perf_counter() - started < 1


def test_templates_are_never_entered_however_deep_they_are() -> None:
    inner = b""
    for _ in range(2_000):
        inner = block(18, block(2, inner))
    (metric,) = parse_payload(block(2, block(1, b"deep") + inner)).metrics
    assert metric.compound
    assert metric.value is None


def test_property_sets_within_property_sets_are_never_entered() -> None:
    inner = b""
    for _ in range(2_000):
        inner = block(1, b"engUnit") + block(2, block(9, inner))
    (metric,) = parse_payload(block(2, block(9, inner))).metrics
    assert metric.unit is None


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_read_as_the_shortest_decimal_that_is_the_same_float(value: float) -> None:
    raw = encode({"metrics": [{"dataType": "Float", "value": value}]})
    (metric,) = parse_payload(raw).metrics
    assert encode({"metrics": [{"dataType": "Float", "value": metric.value}]}) == raw


def test_a_float_shows_the_digits_it_was_made_of() -> None:
    (metric,) = parse_payload(encode({"metrics": [{"dataType": "Float", "value": 12.1}]})).metrics
    assert metric.value == 12.1


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_up_to_64_bits_come_back(value: int) -> None:
    assert parse_payload(whole(1, value)).timestamp == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_refused(raw: bytes) -> None:
    try:
        payload = parse_payload(raw)
    except Invalid:
        return
    assert len(payload.metrics) <= len(raw) / 2
