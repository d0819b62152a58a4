"""Reboots of devices that are known through Home Assistant discovery, told by their uptime and the reason they give.

ESPHome restarts a device that has no broker for 15 minutes (``reboot_timeout``; esphome.io/components/mqtt): a broker that is away
makes a whole fleet boot, and none of it crashed. Such a boot has the code ``user``, like every restart that software asked for.
The reasons are read by `reset_reasons`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hearthwatch.wire.draft import Draft
from hearthwatch.wire.instants import spell
from hearthwatch.wire.reset_reasons import TOLERANCE, booted, cause_of

WITHOUT_BROKER = timedelta(minutes=14)
"""Somewhat less than the 15 minutes after which ESPHome restarts: a last will comes late."""


def hear_presence(draft: Draft, *, online: bool, known: Any) -> None:
    """Remember when the device was gone, and births without a last will before: then the broker itself had been away."""
    if draft.message.retain or not isinstance(known, bool):
        return
    now = spell(draft.message.received_at)
    if not online:
        draft.keep("off_at", draft.recall("off_at") or now)
    elif known:
        draft.keep("reborn_at", now)
    else:
        draft.keep("away", [draft.recall("off_at") or now, now])
        draft.keep("off_at", None)


def hear_uptime(draft: Draft, uptime_s: float) -> None:
    """An uptime; one that is shorter than the time since the last one is a boot."""
    at = draft.message.received_at
    booted_at = booted(at, uptime_s)
    cause = cause_of(draft, booted_at)
    if cause is not None:
        draft.learn_uptime("boot", at, uptime_s, *cause)
    elif draft.recall("esphome") and _was_without_broker(draft, booted_at):
        draft.learn_uptime("boot", at, uptime_s, "user", {"reason": "restarted while it had no broker"})
    else:
        draft.learn_uptime("boot", at, uptime_s, "unknown")


def _was_without_broker(draft: Draft, booted_at: datetime) -> bool:
    """Whether the device had been without a broker so long that ESPHome restarts it."""
    reborn_at, away = _instant(draft.recall("reborn_at")), draft.recall("away")
    if reborn_at is not None and reborn_at >= booted_at - TOLERANCE:
        return True
    gone, back = (_instant(one) for one in away) if isinstance(away, list) and len(away) == 2 else (None, None)
    return gone is not None and back is not None and gone + WITHOUT_BROKER <= booted_at <= back + TOLERANCE


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
