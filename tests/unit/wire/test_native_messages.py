"""Native events, presence, identities, replies and commands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.ports import State
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reply
from hearthwatch.wire import native
from hearthwatch.wire.native import Native
from tests.strategies import START, details, devices, events, identities, presences, replies, texts

AT = "2026-05-01T12:00:00Z"


def decode(
    kind: str, payload: Any, state: State | None = None, *, retain: bool = False
) -> tuple[Decoded, State | None]:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return Native().decode(state, Message(f"hearthwatch/v1/dev-1/{kind}", raw, START, retain))


def hear(*said: tuple[str, Any]) -> State | None:
    state: State | None = None
    for kind, payload in said:
        _, state = decode(kind, payload, state)
    return state


deep: dict[str, Any] = {"a": {"b": {"c": {"d": {}}}}}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("event", {"at": AT}),
        ("event", {"at": AT, "kind": ""}),
        ("event", {"at": AT, "kind": 7}),
        ("event", {"kind": "reboot"}),
        ("event", {"kind": "reboot", "boot": "b1"}),
        ("event", {"at": "yesterday", "kind": "reboot"}),
        ("event", {"at": AT, "kind": "reboot", "code": 3}),
        ("event", {"at": AT, "kind": "reboot", "detail": []}),
        ("event", {"at": AT, "kind": "reboot", "detail": deep}),
        ("event", {"at": AT, "kind": "reboot", "detail": {"a": 2**60}}),
        ("event", {"at": AT, "kind": "reboot", "detail": {"a": "x\x00"}}),
        ("event", {"at": AT, "kind": "reboot", "detail": {"a": "x" * 5000}}),
        ("event", {"at": AT, "kind": "reboot", "detail": {"a": list(range(300))}}),
        ("event", b'{"at":"2026-05-01T12:00:00Z","kind":"reboot","detail":{"a":NaN}}'),
        ("event", {"at": AT, "kind": "reboot", "device": "dev-2"}),
        ("presence", {}),
        ("presence", {"online": 1}),
        ("presence", {"online": "true"}),
        ("presence", {"online": True, "boot": 71}),
        ("presence", b"true"),
        ("identity", b"[]"),
        ("identity", {"model": 7}),
        ("identity", {"serial": "x" * 257}),
        ("identity", {"parts": {"battery": 7}}),
        ("reply", {"ok": True}),
        ("reply", {"id": "c1"}),
        ("reply", {"id": "c1", "ok": "yes"}),
    ],
)
def test_malformed_messages_are_invalid(kind: str, payload: Any) -> None:
    with pytest.raises(Invalid):
        decode(kind, payload)


def test_a_command_is_not_a_message_from_the_device() -> None:
    answer, state = decode("command", b"\xff")
    assert answer.ignored
    assert state is None


def test_a_will_of_an_older_boot_is_ignored() -> None:
    state = hear(("presence", {"online": True, "boot": "b72"}))
    answer, after = decode("presence", {"online": False, "boot": "b71"}, state)
    assert answer.ignored == "the last will of an older boot"
    assert after is state


def test_a_will_of_an_older_boot_is_ignored_where_boots_do_not_count_up() -> None:
    state = hear(("presence", {"online": True, "boot": "x9f"}), ("presence", {"online": True, "boot": "a00"}))
    assert decode("presence", {"online": False, "boot": "x9f"}, state)[0].ignored
    assert decode("presence", {"online": False, "boot": "a00"}, state)[0].values


def test_telemetry_of_a_newer_boot_makes_the_will_of_the_older_one_stale() -> None:
    telemetry = {"boot": "b10", "samples": [{"at": AT, "m": {"a": 1}}]}
    state = hear(("presence", {"online": True, "boot": "b9"}), ("telemetry", telemetry))
    assert decode("presence", {"online": False, "boot": "b9"}, state)[0].ignored


def test_late_telemetry_of_an_older_boot_does_not_hide_the_will() -> None:
    telemetry = {"boot": "b9", "samples": [{"at": AT, "m": {"a": 1}}]}
    state = hear(("presence", {"online": True, "boot": "b10"}), ("telemetry", telemetry))
    assert decode("presence", {"online": False, "boot": "b10"}, state)[0].values


def test_a_boot_counter_that_starts_again_is_believed_when_the_device_says_it_is_online() -> None:
    state = hear(("presence", {"online": True, "boot": "b500"}), ("presence", {"online": True, "boot": "b1"}))
    assert decode("presence", {"online": False, "boot": "b1"}, state)[0].values
    assert decode("presence", {"online": False, "boot": "b500"}, state)[0].values  # newer by its number


def test_a_will_is_stamped_when_it_arrives_and_carries_the_known_firmware() -> None:
    state = hear(("identity", {"fw": "2.4.1"}), ("presence", {"online": True, "boot": "b1"}))
    answer, _ = decode("presence", {"online": False, "boot": "b1"}, state)
    assert answer.values == (Presence("dev-1", "native", START, online=False, boot="b1", firmware="2.4.1"),)


def test_a_will_without_a_boot_is_believed() -> None:
    state = hear(("presence", {"online": True, "boot": "b1"}))
    assert decode("presence", {"online": False}, state)[0].values


def test_a_retained_copy_of_a_known_presence_is_ignored() -> None:
    state = hear(("presence", {"online": False, "boot": "b1"}))
    assert decode("presence", {"online": False, "boot": "b1"}, state, retain=True)[0].ignored
    assert decode("presence", {"online": True, "boot": "b1"}, state, retain=True)[0].values
    assert decode("presence", {"online": False, "boot": "b1"}, state)[0].values


def test_an_event_without_a_clock_needs_boot_and_seq() -> None:
    answer, _ = decode("event", {"kind": "reboot", "code": "panic", "boot": "b2", "seq": 0})
    assert answer.values == (Event("dev-1", "native", START, "reboot", "panic", boot="b2", seq=0),)


def test_an_event_carries_the_firmware_of_its_boot() -> None:
    state = hear(("identity", {"fw": "1.0", "boot": "b1"}), ("identity", {"fw": "2.0", "boot": "b2"}))
    late, _ = decode("event", {"at": AT, "kind": "fault", "boot": "b1"}, state)
    assert isinstance(late.values[0], Event)
    assert late.values[0].firmware == "1.0"


@given(event=events())
def test_decoding_gives_back_an_event(event: Event) -> None:
    topic, payload = native.event(event)
    assert Native().decode(None, Message(topic, payload, START))[0] == Decoded((event,))


@given(presence=presences())
def test_decoding_gives_back_a_presence(presence: Presence) -> None:
    topic, payload = native.presence(presence)
    assert Native().decode(None, Message(topic, payload, START))[0] == Decoded((presence,))


@given(device=devices)
def test_decoding_gives_back_a_will(device: str) -> None:
    topic, payload = native.will(device, "b1")
    answer = Native().decode(None, Message(topic, payload, START))[0]
    assert answer.values == (Presence(device, "native", START, online=False, boot="b1"),)
    assert b'"at"' not in payload


@given(identity=identities())
def test_decoding_gives_back_an_identity(identity: Identity) -> None:
    topic, payload = native.identity(identity, boot="b1")
    assert Native().decode(None, Message(topic, payload, START))[0] == Decoded((identity,))


@given(reply=replies())
def test_decoding_gives_back_a_reply(reply: Reply) -> None:
    topic, payload = native.reply(reply)
    assert Native().decode(None, Message(topic, payload, START))[0] == Decoded((reply,))


@given(device=devices, id_=texts, kind=texts, fields=details)
def test_a_device_reads_the_command_that_was_sent(device: str, id_: str, kind: str, fields: dict[str, Any]) -> None:
    fields = {key: value for key, value in fields.items() if key not in ("id", "kind", "device")}
    topic, payload = native.command(device, id_, kind, **fields)
    assert native.parse_command(topic, payload) == native.Command(device, id_, kind, fields)


@given(payload=st.binary(max_size=40))
def test_a_device_reads_any_bytes_as_a_command_or_refuses_them(payload: bytes) -> None:
    with pytest.raises(Invalid):
        native.parse_command("hearthwatch/v1/dev-1/command", payload)


@pytest.mark.parametrize(
    "topic", ["hearthwatch/v1/dev-1/reply", "hearthwatch/v1/a b/command", "x/v1/dev-1/command", "command", ""]
)
def test_a_device_refuses_commands_of_other_topics(topic: str) -> None:
    with pytest.raises(Invalid):
        native.parse_command(topic, b'{"id":"c1","kind":"update"}')


@pytest.mark.parametrize("device", ["", "a/b", "+", "#", "x" * 65])
def test_nothing_is_encoded_for_a_bad_device_id(device: str) -> None:
    with pytest.raises(Invalid):
        native.will(device)
    assert native.command_filter("dev-1") == "hearthwatch/v1/dev-1/command"
