"""Reboots of devices that are known through Home Assistant discovery, told by their uptime and the reason they give.

ESPHome restarts a device that has no broker for 15 minutes (``reboot_timeout``; esphome.io/components/mqtt): a broker that is away
makes a whole fleet boot, and none of it crashed. Such a boot has the code ``user``, like every restart that software asked for.
Source of the reasons: the ``debug`` component of ESPHome ("Reboot request from mqtt", "task watchdog", "exception/panic").
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hearthwatch.wire.draft import LONGEST_UPTIME_S, Draft
from hearthwatch.wire.instants import spell
from hearthwatch.wire.tasmota import restart_code

WITHOUT_BROKER = timedelta(minutes=14)
"""Somewhat less than the 15 minutes after which ESPHome restarts: a last will comes late."""
_TOLERANCE = timedelta(seconds=5)
_REQUEST = "reboot request from "


def reset_code(reason: str) -> str:
    """A reset reason as a reboot code."""
    said = reason.lower()
    if said.startswith(_REQUEST):
        return "update" if said.removeprefix(_REQUEST).strip() == "ota" else "user"
    if "lock up" in said or "lockup" in said:
        return "panic"
    return "brownout" if "power glitch" in said else restart_code(reason)


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


def hear_reason(draft: Draft, reason: str) -> None:
    """A reset reason. Where no uptime tells of the boot, another reason than before does."""
    known = draft.recall("reason")
    at = draft.message.received_at
    if isinstance(known, str) and known != reason and draft.recall("up_at") is None and not draft.message.retain:
        draft.event("boot", at, "reboot", draft.reboot_code(reset_code(reason)), {"reason": reason})
        draft.keep("boot_fw", draft.firmware)
    draft.keep("reason", reason)
    if not draft.message.retain:
        draft.keep("reason_at", spell(at))


def hear_uptime(draft: Draft, uptime_s: float) -> None:
    """An uptime; one that is shorter than the time since the last one is a boot."""
    at = draft.message.received_at
    booted_at = at - timedelta(seconds=min(max(uptime_s, 0.0), LONGEST_UPTIME_S))
    reason, said_at = draft.recall("reason"), _instant(draft.recall("reason_at"))
    if isinstance(reason, str) and said_at is not None and said_at >= booted_at - _TOLERANCE:
        draft.learn_uptime("boot", at, uptime_s, reset_code(reason), {"reason": reason})
    elif draft.recall("esphome") and _was_without_broker(draft, booted_at):
        draft.learn_uptime("boot", at, uptime_s, "user", {"reason": "restarted while it had no broker"})
    else:
        draft.learn_uptime("boot", at, uptime_s, "unknown")


def _was_without_broker(draft: Draft, booted_at: datetime) -> bool:
    """Whether the device had been without a broker so long that ESPHome restarts it."""
    reborn_at, away = _instant(draft.recall("reborn_at")), draft.recall("away")
    if reborn_at is not None and reborn_at >= booted_at - _TOLERANCE:
        return True
    gone, back = (_instant(one) for one in away) if isinstance(away, list) and len(away) == 2 else (None, None)
    return gone is not None and back is not None and gone + WITHOUT_BROKER <= booted_at <= back + _TOLERANCE


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
