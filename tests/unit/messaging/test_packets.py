"""Bytes of the MQTT packets that come by the thousand."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.messaging import packets
from hearthwatch.messaging.packets import Delivery, Malformed, Packet

TOPICS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
IDS = st.integers(1, 65_535)


def published(topic: str, payload: bytes, packet_id: int, retain: bool, properties: bool) -> bytes:
    return packets.publish(topic, payload, packet_id, retain=retain, properties=properties)


@pytest.mark.parametrize(
    "data",
    [
        b"\x32\x01\x00",  # no room for the topic's length
        b"\x32\x04\x00\x09ab",  # the topic is longer than the packet
        b"\x32\x03\x00\x01a",  # QoS 1 without a packet id
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x40\x01\x00",  # half a packet id
    ],
)
def test_bytes_that_are_no_mqtt_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        packets.read(data, properties=False)


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01a\x00\x01",  # no properties' length
        b"\x00\x01a\x00\x01\x05ab",  # properties beyond the end
        b"\x00\x01a\x00\x01\xff\xff\xff\xff\x01",  # a length without end
        b"\x00\x01a\x00\x01\x04\x26\x00\x09x",  # a user property beyond the end
    ],
)
def test_properties_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        packets.read(bytes((0x32, len(body))) + body, properties=True, user_property="user")


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_taken_apart_or_refused(data: bytes, properties: bool) -> None:
    with contextlib.suppress(Malformed):
        came = packets.read(data, properties=properties, user_property="user")
        assert 0 <= came.used <= len(data)


@given(TOPICS, st.binary(max_size=400), IDS, st.booleans(), st.booleans())
def test_what_is_published_is_read_back(
    topic: str, payload: bytes, packet_id: int, retain: bool, properties: bool
) -> None:
    data = published(topic, payload, packet_id, retain, properties)
    came = packets.read(data, properties=properties)
    assert came.deliveries == [Delivery(topic, payload, packet_id, 1, False, retain, None)]
    assert came.used == len(data)


@given(st.lists(st.tuples(TOPICS, st.binary(max_size=200), IDS), max_size=8), st.data())
def test_wherever_a_stream_is_cut_the_same_packets_come(
    messages: list[tuple[str, bytes, int]], data: st.DataObject
) -> None:
    stream = b"".join(published(*message, False, True) for message in messages)
    rest, came = b"", []
    at = 0
    while at < len(stream):
        step = data.draw(st.integers(1, 60))
        taken = packets.read(rest + stream[at : at + step], properties=True)
        came += taken.deliveries
        rest = (rest + stream[at : at + step])[taken.used :]
        at += step
    assert [(one.topic, one.payload, one.packet_id) for one in came] == messages
    assert rest == b""


@pytest.mark.parametrize("size", [0, 100, 200, 16_383, 16_384, 2_097_152])
def test_every_length_of_a_packet_is_written_and_read(size: int) -> None:
    data = published("t", b"x" * size, 7, False, True)
    assert len(packets.read(data, properties=True).deliveries[0].payload) == size
    assert packets.read(data[:-1], properties=True).used == 0


def test_acknowledgements_keep_their_order_and_their_reason() -> None:
    data = packets.pubacks([3, 1, 65_535]) + b"\x40\x03\x00\x02\x87" + b"\x40\x04\x00\x09\x10\x00"
    came = packets.read(data, properties=True)
    assert came.answers == [(3, 0), (1, 0), (65_535, 0), (2, 0x87), (9, 0x10)]
    assert [packets.is_refusal(reason) for _, reason in came.answers] == [False, False, False, True, False]


def test_other_packets_are_left_to_others() -> None:
    came = packets.read(b"\xd0\x00\x90\x03\x00\x01\x01", properties=False)
    assert came.others == [Packet(0xD0, b""), Packet(0x90, b"\x00\x01\x01")]


def test_flags_are_read() -> None:
    came = packets.read(b"\x3b\x06\x00\x01a\x00\x05!" + b"\x30\x04\x00\x01a!", properties=False)
    assert came.deliveries == [
        Delivery("a", b"!", 5, 1, True, True, None),
        Delivery("a", b"!", 0, 0, False, False, None),
    ]


def test_a_topic_that_is_no_text_still_comes() -> None:
    came = packets.read(b"\x30\x05\x00\x02\xff\xfe!", properties=False)
    assert came.deliveries[0].topic == "\ufffd\ufffd"


def test_the_last_user_property_of_a_name_tells_the_sender() -> None:
    def text(word: bytes) -> bytes:
        return len(word).to_bytes(2, "big") + word

    mine = b"\x26" + text(b"user") + text(b"forged")
    brokers = b"\x26" + text(b"user") + text(b"device-1")
    other = (
        b"\x01\x01" + b"\x02\0\0\0\x09" + b"\x03" + text(b"json") + b"\x26" + text(b"x") + text(b"y") + b"\x0b\x81\x01"
    )
    properties = mine + other + brokers
    body = b"\0\x01a" + b"\0\x05" + bytes((len(properties),)) + properties + b"!"
    data = bytes((0x32, len(body))) + body
    assert packets.read(data, properties=True, user_property="user").deliveries[0].user == "device-1"
    assert packets.read(data, properties=True, user_property="nobody").deliveries[0].user is None
    assert packets.read(data, properties=True).deliveries[0] == Delivery("a", b"!", 5, 1, False, False, None)
