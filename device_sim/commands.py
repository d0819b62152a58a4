"""How a device answers a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device_sim.models.line import Electronics
from hearthwatch.wire.native import Command

_LONGEST_VERSION = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's content, and the version that the device goes on to install, if any."""

    ok: bool
    detail: Mapping[str, Any]
    installs: str | None = None


def answer(command: Command, firmware: str, electronics: Electronics, index: int) -> Answer:
    """What the device with this index says to a command; never fails, whatever is in it."""
    if command.kind == "update":
        return _update(command, firmware)
    if command.kind in {"diagnose", "diagnostics"}:
        return Answer(True, _diagnosis(firmware, electronics, index))
    return Answer(False, {"error": "unknown command"})


def _update(command: Command, firmware: str) -> Answer:
    version = command.fields.get("version")
    if not isinstance(version, str) or not 0 < len(version) <= _LONGEST_VERSION:
        return Answer(False, {"error": "an update needs a version"})
    if version == firmware:
        return Answer(True, {"version": version, "state": "installed"})
    return Answer(True, {"version": version, "state": "accepted"}, installs=version)


def _diagnosis(firmware: str, electronics: Electronics, index: int) -> Mapping[str, Any]:
    return {
        "firmware": firmware,
        "rssi_dbm": round(float(electronics.radio.rssi_dbm[index]), 1),
        "free_heap_bytes": int(electronics.controller.free_bytes[index]),
        "uptime_s": int(electronics.controller.uptime_s[index]),
        "boot_count": int(electronics.controller.boots[index]),
    }
