"""Hypothesis strategies that several suites share: values as devices send them, and payloads as nobody should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from hearthwatch.metrics import CATALOGUE
from hearthwatch.values import Event, Identity, Message, Presence, Reading, Reply

START = datetime(2026, 5, 1, tzinfo=UTC)
NUMBERS = st.floats(-1e15, 1e15, allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
"""Numbers within the limits of the wire (never minus zero)."""

devices = st.text("abcdefABCDEF0123456789._-", min_size=1, max_size=64)
metric_names = st.sampled_from([metric.name for metric in CATALOGUE]) | st.from_regex(
    r"[a-z][a-z0-9_]{0,62}", fullmatch=True
)
metrics = st.dictionaries(metric_names, NUMBERS, min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
firmwares = st.sampled_from(["2.4.1", "2.5.0-beta2", "20220209-092750/v1.11.8-g8c7bb8d", "14.2.0(release-tasmota)"])
boots = st.integers(0, 999).map(lambda number: f"b{number}")
counts = st.integers(0, 2**53)
details = st.dictionaries(
    texts, texts | st.booleans() | NUMBERS | st.lists(st.integers(-1000, 1000), max_size=3), max_size=4
)


def instants(start: datetime = START, days: int = 30) -> st.SearchStrategy[datetime]:
    """Times in UTC to the microsecond, within some days of a start."""
    return st.timedeltas(timedelta(), timedelta(days=days)).map(lambda after: start + after)


def readings(device: st.SearchStrategy[str] = devices) -> st.SearchStrategy[Reading]:
    """Native readings of devices with a clock."""
    return st.builds(
        Reading,
        device=device,
        stream=st.just("native"),
        at=instants(),
        metrics=metrics,
        firmware=st.none() | firmwares,
        boot=st.none() | boots,
        seq=st.none() | counts,
    )


def events(device: st.SearchStrategy[str] = devices) -> st.SearchStrategy[Event]:
    """Native events."""
    return st.builds(
        Event,
        device=device,
        stream=st.just("native"),
        at=instants(),
        kind=st.sampled_from(["reboot", "update", "fault"]) | texts,
        code=st.sampled_from(["", "watchdog", "installed"]) | texts,
        detail=details,
        firmware=st.none() | firmwares,
        boot=st.none() | boots,
        seq=st.none() | counts,
    )


def presences(device: st.SearchStrategy[str] = devices) -> st.SearchStrategy[Presence]:
    """Native comings and goings."""
    return st.builds(
        Presence,
        device=device,
        stream=st.just("native"),
        at=instants(),
        online=st.booleans(),
        boot=st.none() | boots,
        firmware=st.none() | firmwares,
    )


def identities(device: st.SearchStrategy[str] = devices) -> st.SearchStrategy[Identity]:
    """Native identities."""
    return st.builds(
        Identity,
        device=device,
        at=instants(),
        model=st.none() | texts,
        hardware=st.none() | texts,
        firmware=st.none() | firmwares,
        serial=st.none() | texts,
        made=st.none() | st.just("2026-01"),
        parts=st.dictionaries(texts, texts, max_size=3),
        convention=st.just("native"),
        hardware_address=st.none() | st.sampled_from(("a4cf12d4e5f6", "0x00158d00018255df")),
    )


def replies(device: st.SearchStrategy[str] = devices) -> st.SearchStrategy[Reply]:
    """Native replies."""
    return st.builds(Reply, device=device, at=instants(), id=texts, ok=st.booleans(), detail=details)


HOSTILE = (
    b"",
    b"null",
    b"NaN",
    b'{"m":NaN}',
    b"1e400",
    b"true",
    b'"\\ud800"',
    b'{"\\u0000":1}',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b"9" * 5000,
    b'{"samples":[{"at":"2026-05-01T12:00:00Z","m":{"a":1180591620717411303424}}]}',
    b'{"src":{"a":1},"method":[],"params":3}',
    b'{"Time":"9999-12-31T23:59:59","ENERGY":{"Total":[[1]]},"Wifi":[],"Info3":7}',
    b'{"sys":{"reset_reason":[],"uptime":-1e308,"unixtime":1e308}}',
)
"""Payloads that broke somebody's ingestor once."""

_words = st.sampled_from(
    [
        "at",
        "fw",
        "boot",
        "seq",
        "m",
        "samples",
        "online",
        "device",
        "kind",
        "code",
        "detail",
        "id",
        "ok",
        "parts",
        "Time",
        "ENERGY",
        "Total",
        "Power",
        "Temperature",
        "TempUnit",
        "Wifi",
        "RSSI",
        "Signal",
        "LinkCount",
        "Downtime",
        "POWER",
        "POWER2",
        "Info1",
        "Info3",
        "Version",
        "RestartReason",
        "BootCount",
        "StatusTIM",
        "UTC",
        "Local",
        "StatusSNS",
        "StatusSTS",
        "StatusPRM",
        "StatusFWR",
        "DS18B20",
        "AM2301",
        "sn",
        "t",
        "mac",
        "sw",
        "onln",
        "src",
        "method",
        "params",
        "result",
        "error",
        "ts",
        "events",
        "component",
        "event",
        "sys",
        "switch:0",
        "switch:1",
        "wifi",
        "em:0",
        "temperature:0",
        "aenergy",
        "total",
        "temperature",
        "tC",
        "output",
        "apower",
        "errors",
        "uptime",
        "unixtime",
        "reset_reason",
        "fw_id",
        "ver",
        "model",
        "relays",
        "ison",
        "meters",
        "emeters",
        "wifi_sta",
        "connected",
        "rssi",
        "tmp",
        "update",
        "old_version",
        "fw_ver",
        "battery",
        "percent",
        "ieee_address",
        "friendly_name",
        "definition",
        "exposes",
        "features",
        "property",
        "unit",
        "software_build_id",
        "installed_version",
        "state",
        "coordinator",
        "data",
        "type",
        "last_seen",
        "linkquality",
        "voltage",
        "dev",
        "ids",
        "cns",
        "cmps",
        "p",
        "o",
        "~",
        "stat_t",
        "avty_t",
        "avty",
        "avty_mode",
        "val_tpl",
        "unit_of_meas",
        "dev_cla",
    ]
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["NotifyStatus", "NotifyFullStatus", "NotifyEvent", "ota_error", "sys", "ON", "F", "C", "2026-05-01T13:00:00"]
    )
    | st.sampled_from(["2026-05-01T12:00:00Z", "dev-1", "shellyplus1pm-aabbccddeeff", "b71", "2.4.1", "overtemp"])
    | st.sampled_from(
        ["0x00158d00018255df", "lamp", "{{ value_json.sys | float }}", "{{ 1 + 1 }}", "node/status", "~/x"]
    )
)
json_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words | st.text(max_size=6), inner, max_size=6),
    max_leaves=20,
)
"""JSON values out of the words that the conventions look for."""

payloads = (
    st.binary(max_size=60)
    | st.sampled_from(HOSTILE)
    | st.sampled_from([b"true", b"false", b"on", b"ON", b"off", b"Online", b"Offline", b"12.5", b"nan", b"overpower"])
    | json_values.map(msgspec.json.encode)
)


def messages(topics: st.SearchStrategy[str]) -> st.SearchStrategy[Message]:
    """Messages with any payload on some topics."""
    return st.builds(
        Message, topic=topics, payload=payloads, received_at=instants(), retain=st.booleans(), qos=st.integers(0, 2)
    )
