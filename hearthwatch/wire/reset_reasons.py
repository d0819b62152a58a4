"""Why a device booted, where it says so in a text of its own beside an uptime: Homie, Sparkplug, Home Assistant discovery.

State: ``{"reason", "reason_at"}``. Source of the words: ESPHome's ``debug`` component ("Reboot request from mqtt", "task watchdog",
"exception/panic"), ESP-IDF and the ROM of ESP8266, as `tasmota.restart_code` knows them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hearthwatch.wire.draft import LONGEST_UPTIME_S, Draft, text_or_none
from hearthwatch.wire.instants import spell
from hearthwatch.wire.naming import words
from hearthwatch.wire.tasmota import restart_code

TOLERANCE = timedelta(seconds=5)
"""How much earlier than the boot that its uptime tells a reason may be said and still be that boot's."""
_BOOT = frozenset({"reset", "restart", "reboot", "boot"})
_CAUSE = frozenset({"reason", "cause"})
_REQUEST = "reboot request from "


def is_reset_reason(name: str) -> bool:
    """Whether a text of this name says why the device booted: ``reset-reason``, ``Restart Cause``."""
    said = frozenset(words(name))
    return bool(said & _BOOT and said & _CAUSE)


def reset_code(reason: str) -> str:
    """A reset reason as a reboot code."""
    said = reason.lower()
    if said.startswith(_REQUEST):
        return "update" if said.removeprefix(_REQUEST).strip() == "ota" else "user"
    if "lock up" in said or "lockup" in said:
        return "panic"
    return "brownout" if "power glitch" in said else restart_code(reason)


def hear_reason(draft: Draft, reason: str, at: datetime | None = None) -> None:
    """A reset reason. Where no uptime tells of the boot, another reason than before does."""
    if text_or_none(reason) is None:
        return
    known, retained = draft.recall("reason"), draft.message.retain
    came = at or draft.message.received_at
    if isinstance(known, str) and known != reason and draft.recall("up_at") is None and not retained:
        draft.event("boot", came, "reboot", draft.reboot_code(reset_code(reason)), {"reason": reason})
        draft.keep("boot_fw", draft.firmware)
    draft.keep("reason", reason)
    if not retained:
        draft.keep("reason_at", spell(came))


def booted(at: datetime, uptime_s: float) -> datetime:
    """When a device booted that was up for so long at some time."""
    return at - timedelta(seconds=min(max(uptime_s, 0.0), LONGEST_UPTIME_S))


def cause_of(draft: Draft, booted_at: datetime) -> tuple[str, dict[str, Any]] | None:
    """(code, detail) of the boot at that time, None where nothing was said of it since."""
    reason, said_at = draft.recall("reason"), draft.recall("reason_at")
    if not isinstance(reason, str) or not isinstance(said_at, str):
        return None
    if datetime.fromisoformat(said_at) < booted_at - TOLERANCE:
        return None
    return reset_code(reason), {"reason": reason}


def learn_boot(draft: Draft, stream: str, at: datetime, uptime_s: float) -> None:
    """An uptime; one that is shorter than the time since the last one is a boot, with the cause that was said of it."""
    code, detail = cause_of(draft, booted(at, uptime_s)) or ("unknown", {})
    draft.learn_uptime(stream, at, uptime_s, code, detail)
