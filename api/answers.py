"""What a device answered, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

_KIB = 1024
_TOLD: Mapping[str, tuple[str, frozenset[str]]] = {
    "firmware": ("Firmware", frozenset({"version", "fw_id", "firmware", "fw"})),
    "uptime": ("Up for", frozenset({"uptimesec", "uptime_s"})),
    "signal": ("Signal", frozenset({"signal", "rssi_dbm"})),
    "memory": ("Free memory", frozenset({"ram_free", "free_heap_bytes"})),
    "heap": ("Free memory", frozenset({"heap"})),
    "boots": ("Boots", frozenset({"bootcount", "boot_count"})),
    "reason": ("Last restart", frozenset({"restartreason"})),
}
"""What is looked for first: a heading, and the names that devices have for it, in lower case."""


def headlines(answer: Mapping[str, Any]) -> dict[str, str]:
    """What a person looks for first in diagnostics, whatever the convention calls it."""
    found: dict[str, str] = {}
    for path, value in _leaves(answer):
        name, outer = path[-1].lower(), path[-2].lower() if len(path) > 1 else ""
        for kind, (heading, names) in _TOLD.items():
            known = name in names or (kind, outer, name) in {("uptime", "sys", "uptime"), ("signal", "wifi", "rssi")}
            if known and heading not in found:
                found[heading] = _said(kind, value)
    return found


def _leaves(given: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(name)))
        elif value is not None:
            yield (*path, str(name)), value


def _said(kind: str, value: Any) -> str:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if number is None:
        return _plain(value)
    if kind == "uptime" and 0 <= number < 10**10:
        return _span(timedelta(seconds=int(number)))
    if kind == "signal":
        return f"{number} dBm"
    if kind == "memory":
        return f"{number / _KIB:.1f} KiB"
    return f"{number} KiB" if kind == "heap" else str(number)


def _span(span: timedelta) -> str:
    hours, minutes = divmod(span.seconds // 60, 60)
    return f"{span.days} d {hours} h" if span.days else f"{hours} h {minutes} min"


def answer_lines(answer: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """An answer as names and values, one line each: ``Wifi / Signal`` and ``-61``."""
    for name, value in answer.items():
        place = f"{path} / {name}" if path else str(name)
        if isinstance(value, Mapping):
            yield from answer_lines(value, place)
        elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
            yield from answer_lines({str(number): one for number, one in enumerate(value, 1)}, place)
        else:
            yield place, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value) or "–"
    return "–" if value is None or value == "" else str(value)
