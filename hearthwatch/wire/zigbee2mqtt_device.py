"""What one Zigbee device says: its state, its firmware, whether it is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.instants import from_epoch, parse_instant
from hearthwatch.wire.limits import MAX_COUNT, shown
from hearthwatch.wire.payload import parse_json, parse_text
from hearthwatch.wire.zigbee2mqtt_metrics import state_metrics

NAME = "zigbee2mqtt"

CACHED_AFTER = timedelta(minutes=10)
"""A state whose device was last seen longer ago is one that the bridge remembered, as it does when it starts."""

_RANK = {"build": 3, "ota": 2, "date": 1}
"""How well each source tells the firmware: the build, the file version of the updater, the date it was built on."""


def said_online(payload: bytes) -> bool:
    """``online``/``offline``, or the same as ``{"state": ...}``. Raises `Invalid` for anything else."""
    said: Any = None
    if payload.lstrip()[:1] == b"{":
        given = parse_json(payload)
        said = given.get("state") if isinstance(given, dict) else None
    else:
        said = parse_text(payload)
    online = {"online": True, "offline": False}.get(said) if isinstance(said, str) else None
    if online is None:
        raise Invalid(f"neither online nor offline: {shown(said)}")
    return online


def learn_version(draft: Draft, source: str, said: Any) -> None:
    """Remember the firmware by its best source. Another spelling by a better source is no update."""
    firmware = text_or_none(said)
    known = draft.recall("fw_by")
    rank = _RANK.get(known, 0) if isinstance(known, str) else 0
    if firmware is None or _RANK[source] < rank:
        return
    if _RANK[source] > rank:
        draft.keep("fw", firmware)
        draft.keep("fw_by", source)
    else:
        draft.learn_firmware("update", firmware)


def read_state(draft: Draft, given: Mapping[str, Any], kind: str) -> str | None:
    """A state object; returns why nothing came of it."""
    if isinstance(given.get("update"), dict):
        _update(draft, given["update"])
    at = _time_of(draft, given.get("last_seen"))
    if at is None:
        return "a retained copy without a time"
    draft.reading(kind, at, state_metrics(draft, given))
    return None


def _time_of(draft: Draft, last_seen: Any) -> datetime | None:
    """When the state was true. ``last_seen`` only counts for copies: what a bridge is told to do changes a state without the device."""
    arrived = draft.message.received_at
    seen: datetime | None = None
    if isinstance(last_seen, str):
        try:
            seen = parse_instant(last_seen)
        except Invalid:
            seen = None
    elif isinstance(last_seen, (int, float)) and not isinstance(last_seen, bool) and abs(last_seen) <= MAX_COUNT:
        seen = from_epoch(last_seen / 1000)
    if draft.message.retain:
        return seen
    return seen if seen is not None and seen < arrived - CACHED_AFTER else arrived


def _update(draft: Draft, update: Mapping[str, Any]) -> None:
    """The updater's view: version numbers of firmware files, -1 where it does not know, and what it is doing."""
    before, now = draft.recall("updating"), update.get("state") == "updating"
    installed = update.get("installed_version")
    known = isinstance(installed, int) and not isinstance(installed, bool) and 0 <= installed <= MAX_COUNT
    earlier = draft.recall("file")
    if known:
        draft.keep("file", installed)
        learn_version(draft, "ota", str(installed))
    if draft.message.retain:
        return
    at = draft.message.received_at
    if now and not before:
        draft.event("ota", at, "update", "started", {"from": draft.firmware})
    elif before and not now and known and installed == earlier:
        draft.event("ota", at, "update", "failed", {"from": draft.firmware})
    draft.keep("updating", now or None)
