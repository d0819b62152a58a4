"""Sessions that divide the messages of a device among themselves, and learn from one another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.values import Message, Reading
from hearthwatch.wire.native_memory import joined, remember
from hearthwatch.wire.registry import CONVENTIONS, Decoder
from hearthwatch.wire.shared import SharedDecoder, is_shared

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SPOKEN = tuple(CONVENTIONS.values())


def telemetry(seq: int, **more: Any) -> Message:
    given = {"seq": seq, "samples": [{"at": "2026-05-01T00:00:00Z", "m": {"temperature_c": 1.0}}], **more}
    return Message("hearthwatch/v1/d1/telemetry", json.dumps(given).encode(), NOW)


def firmware(decoder: SharedDecoder, message: Message) -> str | None:
    value = decoder.decode(message)[1].values[0]
    assert isinstance(value, Reading)
    return value.firmware


def test_a_firmware_named_to_another_session_is_learned() -> None:
    one, other = SharedDecoder(SPOKEN, {}), SharedDecoder(SPOKEN, {})
    one.decode(telemetry(1, boot="b1", fw="1.0"))
    changed = one.changed()
    assert all(is_shared(key) for key in changed)
    assert firmware(other, telemetry(2, boot="b1")) is None
    other.learn(changed)
    assert firmware(other, telemetry(3, boot="b1")) == "1.0"


def test_an_identity_heard_by_the_one_session_of_retained_messages_is_learned() -> None:
    alone = Decoder(SPOKEN)
    alone.decode(Message("hearthwatch/v1/d1/identity", b'{"fw": "2.0", "boot": "b2"}', NOW))
    alone.decode(Message("hearthwatch/v1/d1/presence", b'{"online": true, "boot": "b2"}', NOW))
    decoder = SharedDecoder(SPOKEN, alone.changed())
    assert firmware(decoder, telemetry(1, boot="b2")) == "2.0"
    assert decoder.changed() == {}


def test_states_of_conventions_that_are_not_shared_are_left_alone() -> None:
    decoder = SharedDecoder(SPOKEN, {("tasmota", "plug"): {"x": 1}})
    assert decoder.changed() == {}
    assert decoder.names == ("native", "native/shared")


def test_only_filters_of_their_own_are_shared() -> None:
    for convention in SPOKEN:
        assert set(convention.shareable) <= set(convention.filters)


def test_boots_without_numbers_keep_the_order_they_were_seen_in() -> None:
    older = {"fw": "1.0", "boot": "x", "boots": [["x", "1.0"]]}
    newer = {"fw": "2.0", "boot": "k", "boots": [["x", None], ["k", "2.0"]]}
    for both in (joined(older, newer), joined(newer, older)):
        assert both == {"fw": "2.0", "boot": "k", "boots": [["x", "1.0"], ["k", "2.0"]]}


def state_of(heard: list[tuple[int, int]]) -> Mapping[str, Any] | None:
    state: Mapping[str, Any] | None = None
    for boot, firmware in heard:
        state = remember(state, firmware=f"{boot}.{firmware}", boot=f"b{boot}")
    return state


heard = st.lists(st.tuples(st.integers(1, 6), st.just(0)), max_size=8)


@given(heard, heard)
def test_two_sessions_know_together_what_one_would_have_known(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    both = joined(state_of(one), state_of(other))
    alone = state_of(one + other)
    if alone is None:
        assert both is None
        return
    assert both is not None
    assert (both["boot"], both["fw"]) == (alone["boot"], alone["fw"])
    assert dict(both["boots"]) == dict(alone["boots"])
    assert joined(both, state_of(other)) == both
