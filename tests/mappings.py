"""Mapping files for tests: the documented example, and messages that its maker's devices send."""

from __future__ import annotations

from pathlib import Path

from hearthwatch.run.mappings import read_mapping
from hearthwatch.wire.mapped import Mapped
from hearthwatch.wire.mapped_file import parse_mapping

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
EXAMPLE = EXAMPLES / "acme-topics.toml"

NAMED = """
name = "named"
[[topics]]
filter = "named/{name}/state"
kind = "telemetry"
device = "$.mac"
at = "$.at"
boot = "$.boot"
seq = "$.seq"
firmware = "$.fw"
[topics.metrics]
temperature_c = { path = "$['t c']", values = { "n/a" = 0 }, missing = ["-"], required = true }
uptime_s = "$.up"
[[topics]]
filter = "named/{name}/lwt"
kind = "presence"
path = "$"
online = ["on", true]
offline = ["off"]
[[topics]]
filter = "gate/up/#"
kind = "telemetry"
samples = "$.all[*].sample"
device = "@.id"
at = "@.at"
at_format = "%Y-%m-%d %H:%M:%S"
at_offset = "+02:00"
firmware = "@.fw"
[topics.metrics]
power_w = { path = "@.w", unit = "kW" }
[[topics]]
filter = "gate/event"
kind = "event"
device = "$.id"
event = "reboot"
code = "$.why"
"""
"""A mapping whose devices are named in payloads alone."""

STATE = (
    '{"mac": "AA:BB:CC:00:11:22", "ts": 1777636800000, "fw": "2.4.1", "t": 70.7, "wifi": {"rssi": -61}, "batt": "87",'
    ' "up": 3600, "heap": 20, "rst": "WDT", "out": ["on", "off"], "valve": 255}'
)
MESSAGES: tuple[tuple[str, str], ...] = (
    ("acme/AABBCC001122/state", STATE),
    ("acme/AABBCC001122/meter/0", '{"boot": "b7", "data": [{"s": 1, "w": 12.5}, {"s": 2, "w": 13, "wh": 5}]}'),
    ("acme/AABBCC001122/meter/2", '{"boot": "b7", "data": [{"s": 3, "w": 1}]}'),
    ("acme/AABBCC001122/room_temperature", "21.5"),
    ("acme/AABBCC001122/status", "online"),
    ("acme/AABBCC001122/event", '{"type": "fault", "code": "E12", "where": "motor", "ts": 1777636800000}'),
    ("acme/AABBCC001122/info", '{"model": "P2", "hw": "rev C", "fw": "2.4.1", "sn": "P2-0042", "relay": "HF-115"}'),
    ("acme/AABBCC001122/debug/heap", "x"),
    ("named/hall/lwt", "on"),
    ("named/hall/state", '{"mac": "AABBCC001133", "t c": "20.5", "up": 7, "boot": 3, "seq": 8, "fw": "1.0"}'),
    ("gate/up/1", '{"all": [{"sample": {"id": "m-1", "at": "2026-05-01 12:00:00", "w": 0.5, "fw": "3"}}]}'),
    ("gate/event", '{"id": "m-1", "why": "watchdog"}'),
)


def example() -> Mapped:
    """The documented example."""
    return read_mapping(EXAMPLE)


def mapped(text: str) -> Mapped:
    """A mapping by its text."""
    return Mapped(parse_mapping(text, "test.toml"))


def both() -> tuple[Mapped, ...]:
    """Mappings of either kind: with a state for each device, and with one for all."""
    return (example(), mapped(NAMED))
