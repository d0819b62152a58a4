"""The registry and the decoder."""

from __future__ import annotations

import msgspec
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.values import Message
from hearthwatch.wire.registry import Decoder, conventions
from tests.strategies import START

ALL = ("native", "tasmota", "shelly_gen1", "shelly_gen2")


def message(topic: str, payload: bytes, *, retain: bool = False) -> Message:
    return Message(topic, payload, START, retain)


def test_an_unknown_convention_is_named() -> None:
    with pytest.raises(Invalid, match="zwave") as refusal:
        conventions(["native", "zwave"])
    assert refusal.value.where == "conventions"


def test_conventions_come_once_and_the_narrowest_first() -> None:
    assert [one.name for one in conventions(["shelly_gen2", "native", "native"])] == ["native", "shelly_gen2"]
    assert conventions([]) == ()


@pytest.mark.parametrize(
    "name", ["native@x", "zigbee2mqtt@", "zigbee2mqtt@a/+", "home_assistant@a//b", "zwave@x", "@x"]
)
def test_a_place_that_a_convention_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        conventions([name])
    assert refusal.value.where == "conventions"


def test_a_convention_may_speak_in_several_places() -> None:
    decoder = Decoder(conventions(["zigbee2mqtt", "zigbee2mqtt@house/z2m"]))
    for topic in ("zigbee2mqtt/lamp", "house/z2m/lamp"):
        assert decoder.convention_of(topic) == "zigbee2mqtt"
    (elsewhere,) = conventions(["zigbee2mqtt@house/z2m"])
    assert elsewhere.partition("zigbee2mqtt/lamp") is None


def test_what_another_convention_tells_is_left_to_it_where_that_one_is_spoken() -> None:
    described = b'{"stat_t":"tele/plug/SENSOR","dev":{"ids":["0000AA49A3BC"],"mdl":"Basic"}}'
    topic = "homeassistant/sensor/49A3BC_power/config"
    _, both = Decoder(conventions(["home_assistant", "tasmota"])).decode(message(topic, described))
    _, alone = Decoder(conventions(["home_assistant"])).decode(message(topic, described))
    assert (both.values, both.ignored) == ((), "a device of which tasmota tells")
    assert [value.device for value in alone.values] == ["0000aa49a3bc"]


def test_a_topic_that_nobody_knows_is_ignored() -> None:
    name, decoded = Decoder(conventions(ALL)).decode(message("zigbee2mqtt/lamp", b"\xff"))
    assert name is None
    assert decoded.ignored == "no convention knows this topic"


def test_a_convention_that_is_not_spoken_is_not_asked() -> None:
    name, decoded = Decoder(conventions(["native"])).decode(message("tele/plug/LWT", b"Online"))
    assert name is None
    assert decoded.ignored


def test_a_malformed_message_changes_no_state() -> None:
    decoder = Decoder(conventions(ALL))
    with pytest.raises(Invalid):
        decoder.decode(message("tele/plug/LWT", b"Perhaps"))
    assert not decoder.dirty()
    assert decoder.states() == {}
    assert decoder.convention_of("tele/plug/LWT") == "tasmota"
    assert decoder.convention_of("zigbee2mqtt/lamp") is None


def test_states_are_handed_out_when_they_changed_and_only_then() -> None:
    decoder = Decoder(conventions(ALL))
    decoder.decode(message("tele/plug/LWT", b"Online"))
    assert decoder.dirty()
    assert decoder.changed() == {("tasmota", "plug"): {"online": True}}
    assert not decoder.dirty()
    assert decoder.changed() == {}
    decoder.decode(message("tele/plug/LWT", b"Online"))
    assert not decoder.dirty()


def test_a_decoder_continues_from_saved_states() -> None:
    first = Decoder(conventions(ALL))
    first.decode(message("tele/plug/INFO1", b'{"Info1":{"Version":"14.2.0(tasmota)"}}'))
    saved = {key: msgspec.json.decode(msgspec.json.encode(state)) for key, state in first.changed().items()}
    second = Decoder(conventions(ALL), saved)
    _, decoded = second.decode(message("tele/plug/STATE", b'{"UptimeSec":5}'))
    assert [getattr(value, "firmware", None) for value in decoded.values] == ["14.2.0(tasmota)"]
    assert second.states() == saved
