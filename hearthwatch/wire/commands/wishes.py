"""What a message makes worth asking its device, by the rules of its convention."""

from __future__ import annotations

from datetime import timedelta

from hearthwatch.values import Event, Presence, Reading
from hearthwatch.wire.commands.requests import DEVICE_INFO, REBIRTH

ASKED_LATELY = timedelta(days=1)
"""A device that only comes back is not asked again within this time; if it booted meanwhile, its uptime will say so."""


def wish_of(convention: str | None, value: Reading | Event | Presence) -> tuple[str, str, timedelta] | None:
    """What to ask the device of a value, why, and how long after the last time at least; None where there is nothing to ask.

    A Sparkplug edge node is asked for its birth after a gap; a Shelly Gen2, of which most models tell their firmware only when asked,
    is asked for it when it comes online or has booted.
    """
    if type(value) is Reading:
        return None
    if isinstance(value, Event) and value.kind == "gap" and value.code == "rebirth":
        missing = value.detail.get("missing")
        why = f"a gap: {missing} messages are missing" if missing else "its birth certificate was never heard"
        return REBIRTH, why, timedelta(0)
    if convention != "shelly_gen2":
        return None
    if isinstance(value, Event) and value.kind == "reboot":
        return DEVICE_INFO, "which firmware runs after a reboot", timedelta(0)
    if isinstance(value, Presence) and value.online:
        return DEVICE_INFO, "which firmware runs, now that it is online", ASKED_LATELY
    return None
