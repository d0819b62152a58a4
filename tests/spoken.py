"""Hypothesis strategies of messages that a convention understands, for conventions whose payloads random JSON never hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from hearthwatch.values import Message
from tests.sparkplug_payloads import DATATYPES, encode
from tests.strategies import START, instants

_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "datatype": st.sampled_from(["integer", "float", "boolean", "string", "enum", "duration", "x", 7]),
        "unit": st.sampled_from(["°C", "°F", "%", "W", "kWh", "V", "?", 3]),
        "settable": st.booleans(),
    },
)
_NODES = st.dictionaries(
    st.sampled_from(["engine", "light", "a b"]),
    st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from(["temperature", "power"]), _SETTINGS)}),
)
_HOMIE_PAYLOADS = st.one_of(
    st.sampled_from([b"init", b"ready", b"lost", b"sleeping", b"alert", b"disconnected", b""]),
    st.sampled_from([b"float", b"integer", b"boolean", "°C".encode(), b"%", b"true", b"false"]),
    st.floats().map(lambda number: str(number).encode()),
    st.integers(-(2**70), 2**70).map(lambda number: str(number).encode()),
    st.fixed_dictionaries(
        {
            "nodes": _NODES,
            "children": st.lists(st.sampled_from(["wheel", "car", 3])),
            "type": st.sampled_from(["car", 1]),
        }
    ).map(msgspec.json.encode),
)

_METRICS = st.fixed_dictionaries(
    {"dataType": st.sampled_from(DATATYPES[:16])},
    optional={
        "name": st.sampled_from(
            ["bdSeq", "Inlet/Temperature", "Outlet/Temperature", "Properties/FW", "Node Info/SN", "Uptime", "\t"]
        ),
        "alias": st.integers(0, 3),
        "timestamp": st.integers(0, 2**64 - 1) | st.integers(1_777_000_000_000, 1_778_000_000_000),
        "is_null": st.booleans(),
        "is_historical": st.booleans(),
        "properties": st.fixed_dictionaries(
            {}, optional={"engUnit": st.sampled_from(["°C", "s"]), "Quality": st.just(0)}
        ),
        "declared": st.booleans(),
    },
)


def _valued(metric: Mapping[str, Any], number: int) -> dict[str, Any]:
    value: Any = number
    if metric["dataType"] in ("String", "Text", "UUID"):
        value = f"2.4.{number}"
    elif metric["dataType"] == "Boolean":
        value = number > 0
    elif metric["dataType"] in ("Float", "Double"):
        value = number / 10
    return {**metric, "value": value}


_VIEWS = st.fixed_dictionaries(
    {"metrics": st.lists(st.builds(_valued, _METRICS, st.integers(-300, 300)), max_size=5)},
    optional={"seq": st.integers(0, 300), "timestamp": st.integers(1_777_000_000_000, 1_778_000_000_000)},
)
_SPARKPLUG_PAYLOADS = _VIEWS.map(encode)
_CUT = st.builds(lambda payload, at: payload[: at % (len(payload) + 1)], _SPARKPLUG_PAYLOADS, st.integers(0, 200))

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(
        ["", "on", "WDT", "fault", "AABBCC001122", "m-1", "2026-05-01 12:00:00", "2026-05-01T12:00:00Z", "1.2"]
    )
    | st.sampled_from([1_777_636_800_000, 1_777_636_800, [], {}])
)
_KEYS = (
    "mac",
    "ts",
    "fw",
    "t",
    "t c",
    "batt",
    "up",
    "rst",
    "boot",
    "seq",
    "at",
    "type",
    "code",
    "where",
    "model",
    "sn",
    "id",
)
_FLAT = st.dictionaries(st.sampled_from([*_KEYS, "s", "w", "wh", "why", "made", "relay", "heap"]), _LEAVES, max_size=5)
_MAPPED_PAYLOADS = st.one_of(
    _FLAT.map(msgspec.json.encode),
    st.builds(
        lambda flat, rssi, out: msgspec.json.encode({**flat, "wifi": {"rssi": rssi}, "out": out}),
        _FLAT,
        _LEAVES,
        st.lists(_LEAVES, max_size=2),
    ),
    st.builds(
        lambda flat, samples: msgspec.json.encode(
            {**flat, "data": samples, "all": [{"sample": one} for one in samples]}
        ),
        _FLAT,
        st.lists(_FLAT, max_size=2),
    ),
    _LEAVES.map(lambda leaf: str(leaf).encode()),
)

_PAYLOADS = {
    "acme": _MAPPED_PAYLOADS,
    "named": _MAPPED_PAYLOADS,
    "homie": _HOMIE_PAYLOADS,
    "sparkplug": _SPARKPLUG_PAYLOADS | _CUT,
}


def spoken(name: str, topics: Sequence[str]) -> st.SearchStrategy[Message] | None:
    """Messages of a convention on its topics; None where random JSON does as well."""
    payloads = _PAYLOADS.get(name)
    if payloads is None:
        return None
    return st.builds(
        Message,
        topic=st.sampled_from(topics),
        payload=payloads,
        received_at=instants(START),
        retain=st.sampled_from([False, False, False, True]),
        redelivered=st.booleans(),
    )
