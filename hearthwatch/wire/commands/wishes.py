"""What a message makes worth asking its device, by the rules of its convention."""

from __future__ import annotations

from hearthwatch.values import Event, Presence, Reading
from hearthwatch.wire.commands.requests import DEVICE_INFO, REBIRTH


def wish_of(convention: str | None, value: Reading | Event | Presence) -> tuple[str, str] | None:
    """What to ask the device of a value, and why; None where there is nothing to ask.

    A Sparkplug edge node is asked for its birth after a gap; a Shelly Gen2, of which most models tell their firmware only when asked,
    is asked for it when it comes online or has booted.
    """
    if type(value) is Reading:
        return None
    if isinstance(value, Event) and value.kind == "gap" and value.code == "rebirth":
        missing = value.detail.get("missing")
        return REBIRTH, f"a gap: {missing} messages are missing" if missing else "its birth certificate was never heard"
    if convention != "shelly_gen2":
        return None
    if isinstance(value, Event) and value.kind == "reboot":
        return DEVICE_INFO, "which firmware runs after a reboot"
    if isinstance(value, Presence) and value.online:
        return DEVICE_INFO, "which firmware runs, now that it is online"
    return None
