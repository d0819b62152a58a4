"""What every convention promises, whatever arrives."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention, State
from hearthwatch.values import Decoded, Message
from hearthwatch.wire.registry import CONVENTIONS as BUILT_IN
from tests.mappings import MESSAGES, both
from tests.payload_mutations import mutated
from tests.recorded_messages import printed, recorded
from tests.spoken import spoken
from tests.strategies import HOSTILE, START, messages
from tests.well_formed import check_well_formed

CONVENTIONS: dict[str, Convention] = {**BUILT_IN, **{mapped.name: mapped for mapped in both()}}
TOPICS = {
    "acme": [topic for topic, _ in MESSAGES if topic.startswith("acme/")],
    "named": [topic for topic, _ in MESSAGES if not topic.startswith("acme/")],
    "native": [
        f"hearthwatch/v1/dev-1/{kind}" for kind in ("telemetry", "event", "presence", "identity", "reply", "command")
    ],
    "tasmota": [
        *(
            f"tele/plug/{kind}"
            for kind in ("LWT", "STATE", "SENSOR", "INFO1", "INFO2", "INFO3", "HASS_STATE", "UPTIME")
        ),
        *(f"stat/plug/{kind}" for kind in ("RESULT", "POWER", "POWER2", "STATUS", "STATUS0", "STATUS7", "STATUS11")),
        "plug/tele/SENSOR",
        "kitchen/plug/tele/STATE",
        "tasmota/discovery/00000049A3BC/config",
        "tasmota/discovery/00000049A3BC/sensors",
    ],
    "shelly_gen1": [
        "shellies/announce",
        "shellies/command",
        *(
            f"shellies/shelly1pm-AABBCC/{kind}"
            for kind in [
                "online",
                "announce",
                "info",
                "relay/0",
                "relay/1",
                "relay/0/power",
                "relay/0/energy",
                "relay/0/command",
                "temperature",
                "overtemperature",
                "sensor/temperature",
                "sensor/battery",
                "sensor/error",
                "emeter/1/total",
                "roller/0/power",
                "ext_temperature/0",
                "input/0",
                "settings",
            ]
        ),
    ],
    "shelly_gen2": [
        f"{prefix}/{kind}"
        for prefix in ("shellyplus1pm-aabbccddeeff", "kitchen/plug", "shellies/plug")
        for kind in ("online", "events/rpc", "status/switch:0", "status/sys", "rpc", "hearthwatch/rpc")
        if (prefix, kind) != ("shellies/plug", "online")
    ],
    "homie": [
        *(
            f"homie/{device}/{kind}"
            for device in ("car", "5/car")
            for kind in ("$state", "$fw/version", "$stats/uptime", "$mac", "engine/temperature", "light/power")
        ),
        *(f"homie/car/engine/temperature/{kind}" for kind in ("$datatype", "$unit", "$settable", "set")),
        "homie/car/$name",
        "homie/car/engine/$type",
        *(f"homie/5/car/{kind}" for kind in ("$description", "$alert/battery", "$log/error")),
        "homie/5/car/light/power/set",
        "homie/5/car/light/power/$target",
    ],
    "sparkplug": [
        *(f"spBv1.0/plant/{kind}/edge 1" for kind in ("NBIRTH", "NDATA", "NDEATH", "NCMD")),
        *(f"spBv1.0/plant/{kind}/edge 1/pump" for kind in ("DBIRTH", "DDATA", "DDEATH", "DCMD")),
        "spBv1.0/STATE/scada",
    ],
    "zigbee2mqtt": [
        *(
            f"zigbee2mqtt/bridge/{kind}"
            for kind in ("devices", "groups", "info", "state", "event", "health", "logging")
        ),
        *(
            f"zigbee2mqtt/{name}{kind}"
            for name in ("lamp", "kitchen/lamp", "stranger")
            for kind in ("", "/availability", "/set", "/battery")
        ),
    ],
    "home_assistant": [
        "homeassistant/sensor/x/config",
        "homeassistant/switch/node/x/config",
        "homeassistant/device/x/config",
        "node/sensor/x/state",
        "node/sensor/both/state",
        "node/status",
        "esphome/node/status",
        "homeassistant/sensor/x/state",
        "stranger/sensor/x/state",
        "stranger/status",
    ],
}
PRELUDES: dict[str, list[tuple[str, Any]]] = {
    "zigbee2mqtt": [
        (
            "zigbee2mqtt/bridge/devices",
            [
                {"ieee_address": "0x00124b00120144ae", "type": "Coordinator", "friendly_name": "Coordinator"},
                {"ieee_address": "0x00158d00018255df", "friendly_name": "lamp", "power_source": "Battery"},
                {"ieee_address": "0x90fd9ffffe6494fc", "friendly_name": "kitchen/lamp", "date_code": "20180410"},
            ],
        )
    ],
    "home_assistant": [
        (
            f"homeassistant/{kind}/node/{name}/config",
            {"stat_t": topic, "avty_t": "node/status", "val_tpl": template, "dev": {"ids": "78e36d645710"}, **more},
        )
        for kind, name, topic, template, more in (
            ("sensor", "uptime", "node/sensor/x/state", "", {"unit_of_meas": "s"}),
            ("sensor", "temperature", "node/sensor/both/state", "{{ value_json.temperature }}", {"unit_of_meas": "°F"}),
            ("switch", "relay", "node/sensor/both/state", "{{ value_json.relays[0] | default('OFF') }}", {}),
            ("update", "firmware", "node/sensor/both/state", "{{ value_json.ver }}", {}),
        )
    ]
    + [
        (
            "homeassistant/device/x/config",
            {
                "dev": {"ids": ["x"], "cns": [["mac", "78:e3:6d:64:57:10"]], "sw": "1.0", "sn": "7"},
                "o": {"name": "esphome"},
                "~": "node",
                "cmps": {
                    "a": {
                        "p": "sensor",
                        "stat_t": "~/sensor/both/state",
                        "val_tpl": "{{ value_json.a[0] | float(1) }}",
                    },
                    "b": {"p": "binary_sensor", "stat_t": "~/sensor/x/state", "pl_on": 1, "dev_cla": "smoke"},
                    "c": {"p": "climate", "curr_temp_t": "~/sensor/x/state", "temp_unit": "F"},
                },
                "avty": [{"t": "~/status", "pl_avail": "online"}, {"t": "stranger/status", "val_tpl": "{{ 1 }}"}],
                "avty_mode": "all",
            },
        )
    ],
}
"""What comes first where nothing else is understood without it: the description of devices."""
FOREIGN = (
    "",
    "/",
    "$SYS/broker/uptime",
    "$SYS/status",
    "zigbee2mqtt",
    "zigbee2mqtt/",
    "homeassistant/status",
    "homeassistant/x/config",
    "homeassistant/sensor//x/config",
    "homie/$broadcast/alert",
    "homie/5/$state",
    "spBv1.0/group/NBIRTH/edge/device/more",
    "hearthwatch/v1/dev/telemetry/more",
    "hearthwatch/v2/dev/telemetry",
    "a/b/c/d/e/f",
)


every_convention = pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=list(CONVENTIONS))


def sessions(name: str) -> st.SearchStrategy[list[Message]]:
    first = [Message(topic, msgspec.json.encode(said), START, retain=True) for topic, said in PRELUDES.get(name, ())]
    anything = messages(st.sampled_from(TOPICS[name]))
    understood = spoken(name, TOPICS[name])
    drawn = st.lists(anything if understood is None else anything | understood, max_size=6)
    return drawn | drawn.map(lambda others: [*first, *others])


def decode_all(convention: Convention, session: Sequence[Message]) -> tuple[list[Decoded | str], dict[str, State]]:
    states: dict[str, State] = {}
    answers: list[Decoded | str] = []
    for message in session:
        partition = convention.partition(message.topic)
        assert partition is not None
        try:
            decoded, state = convention.decode(states.get(partition), message)
        except Invalid as error:
            answers.append(str(error))
            continue
        answers.append(decoded)
        if state is not None:
            states[partition] = state
    return answers, states


@every_convention
@pytest.mark.parametrize("topic", FOREIGN)
def test_foreign_topics_belong_to_nobody(convention: Convention, topic: str) -> None:
    assert convention.partition(topic) is None


def test_each_topic_belongs_to_one_convention_alone() -> None:
    for name, topics in TOPICS.items():
        for topic in topics:
            claims = [other for other, asked in CONVENTIONS.items() if asked.partition(topic) is not None]
            assert claims == [name], topic


@given(topic=st.text("abs/+#$0T:é\x00\ud800", max_size=12))
def test_any_topic_is_either_claimed_or_not(topic: str) -> None:
    for convention in CONVENTIONS.values():
        partition = convention.partition(topic)
        if partition is not None:
            try:
                convention.decode(None, Message(topic, b"{}", START))
            except Invalid:
                continue


@every_convention
def test_a_topic_that_is_not_its_own_is_invalid(convention: Convention) -> None:
    with pytest.raises(Invalid):
        convention.decode(None, Message("somebody/else", b"{}", START))


@every_convention
@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: repr(payload[:20]))
def test_hostile_payloads_are_decoded_or_invalid_on_every_topic(convention: Convention, payload: bytes) -> None:
    for topic in TOPICS[convention.name]:
        check(decode_all(convention, [Message(topic, payload, START)])[0])


@every_convention
@settings(max_examples=300)
@given(data=st.data())
def test_any_messages_give_well_formed_values(convention: Convention, data: st.DataObject) -> None:
    answers, states = decode_all(convention, data.draw(sessions(convention.name)))
    check(answers)
    for state in states.values():
        assert msgspec.json.decode(msgspec.json.encode(state)) == state


def test_real_payloads_made_wrong_are_decoded_or_invalid(third_party_data: Path) -> None:
    samples = [*printed(), *recorded(third_party_data / "mqtt-payloads")]
    payloads = [payload for _, payload in samples]
    for seed in range(30):
        rng = random.Random(seed)
        wrong = [Message(topic, mutated(rng, payload, payloads), START) for topic, payload in samples]
        for convention in CONVENTIONS.values():
            own = [message for message in wrong if convention.partition(message.topic) is not None]
            check(decode_all(convention, own)[0])


@every_convention
@given(data=st.data())
def test_saving_and_loading_a_state_changes_nothing(convention: Convention, data: st.DataObject) -> None:
    session = data.draw(sessions(convention.name))
    _, states = decode_all(convention, session)
    for message in session:
        state = states.get(convention.partition(message.topic) or "")
        restored = None if state is None else msgspec.json.decode(msgspec.json.encode(state))
        assert outcome(convention, state, message) == outcome(convention, restored, message)


@every_convention
@given(data=st.data())
def test_decoding_is_pure_and_repeatable(convention: Convention, data: st.DataObject) -> None:
    session = data.draw(sessions(convention.name))
    _, states = decode_all(convention, session)
    for message in session:
        state = states.get(convention.partition(message.topic) or "")
        before = copy.deepcopy(state)
        first = outcome(convention, state, message)
        assert state == before
        assert outcome(convention, state, message) == first


@every_convention
@given(data=st.data())
def test_an_unchanged_state_is_the_same_object(convention: Convention, data: st.DataObject) -> None:
    session = data.draw(sessions(convention.name))
    _, states = decode_all(convention, session)
    for message in session:
        state = states.get(convention.partition(message.topic) or "")
        answer = outcome(convention, state, message)
        if not isinstance(answer, str) and answer[1] == state:
            assert answer[1] is state


@every_convention
def test_filters_match_the_topics_it_claims(convention: Convention) -> None:
    unheard = re.compile(r".*/(debug/.*|command|UPTIME|set|\$target|[ND]CMD/.+|STATE/[^/]+)")
    for topic in TOPICS[convention.name]:
        matched = any(matches(one, topic) for one in convention.filters)
        assert matched or unheard.fullmatch(topic), topic


def outcome(convention: Convention, state: State | None, message: Message) -> tuple[Decoded, State | None] | str:
    try:
        return convention.decode(state, message)
    except Invalid as error:
        return str(error)


def matches(topic_filter: str, topic: str) -> bool:
    pattern = re.escape(topic_filter).replace(r"\+", "[^/]+").replace(r"/\#", "(/.*)?").replace(r"\#", ".*")
    return re.fullmatch(pattern, topic) is not None


def check(answers: Sequence[Decoded | str]) -> None:
    for answer in answers:
        if isinstance(answer, str):
            assert answer
            continue
        check_well_formed(answer)
