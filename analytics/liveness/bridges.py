"""Devices that are heard through another: who depends on whom, in which order they are judged, and when a bridge was away."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from analytics.liveness.spans import Blind
from analytics.liveness.states import SILENT, Judgement
from hearthwatch.records.liveness import Bridge

DEEPEST = 4
"""Bridges behind bridges are followed so far."""
KEPT = 6
REMEMBERED = timedelta(days=8)

Away = Sequence[Sequence[str | None]]
"""Spans in which a bridge was away, as JSON: [since, until or null]."""


def told(events: pa.Table) -> tuple[dict[str, Bridge], set[str]]:
    """What events of kind ``network`` say, in order of time: who joined which bridge, and who left."""
    joined: dict[str, Bridge] = {}
    left: set[str] = set()
    for event in events.to_pylist():
        detail = _object(event["detail"])
        device, bridge = event["device"], detail.get("bridge")
        if event["code"] == "left":
            joined.pop(device, None)
            left.add(device)
        elif event["code"] == "joined" and isinstance(bridge, str) and bridge != device:
            source = detail.get("power_source")
            joined[device] = Bridge(device, bridge[:64], source[:64] if isinstance(source, str) else None, event["at"])
            left.discard(device)
    return joined, left


def _object(text: Any) -> Mapping[str, Any]:
    try:
        given = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return given if isinstance(given, Mapping) else {}


def in_order(devices: Iterable[str], bridges: Mapping[str, Bridge]) -> list[str]:
    """Bridges before those that depend on them."""
    return sorted(devices, key=lambda device: (len(chain(device, bridges)), device))


def chain(device: str, bridges: Mapping[str, Bridge]) -> list[str]:
    """The bridges above a device, the nearest first; a circle ends where it closes."""
    found: list[str] = []
    while (known := bridges.get(device)) is not None and known.bridge_id not in found and len(found) < DEEPEST:
        device = known.bridge_id
        found.append(device)
    return found


def children(bridges: Mapping[str, Bridge]) -> Mapping[str, Sequence[str]]:
    """The devices that depend on each bridge directly."""
    found: dict[str, list[str]] = defaultdict(list)
    for device, known in sorted(bridges.items()):
        found[known.bridge_id].append(device)
    return found


def followed(away: Away, judged: Judgement, gone_at: datetime | None, heard: datetime | None, now: datetime) -> Away:
    """The spans in which a bridge was away, with what it is judged to be now. In a state that nobody knows nothing changes."""
    spans = [list(span) for span in away]
    is_open = bool(spans) and spans[-1][1] is None
    if judged.state in SILENT and not is_open and gone_at is not None:
        spans.append([gone_at.isoformat(), None])
    elif judged.state in ("online", "asleep") and is_open:
        spans[-1][1] = max(heard or now, datetime.fromisoformat(str(spans[-1][0]))).isoformat()
    kept = [span for span in spans if span[1] is None or datetime.fromisoformat(span[1]) > now - REMEMBERED]
    return kept[-KEPT:]


def blindness(bridge: str, away: Away, *, sure: bool) -> list[Blind]:
    """The same spans as blindness of whoever depends on the bridge. ``sure``: it is known to be away if it is."""
    return [
        Blind(
            datetime.fromisoformat(str(since)),
            None if until is None else datetime.fromisoformat(until),
            "bridge",
            bridge,
            sure or until is not None,
        )
        for since, until in away
    ]
