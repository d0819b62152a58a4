"""What the native decoder remembers of one device: ``{"fw", "boot", "boots": [[boot, fw], ...], "online", "online_boot"}``.

The newest boot is known by its number where boot ids count up (``b71``, ``b72``), else by the order in which boots were first seen.
Every function returns the state it was given, the same object, when nothing changed: then nothing needs to be saved.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hearthwatch.ports import State

BOOTS_KEPT = 8
_NUMBERED = re.compile(r"(.*?)(\d{1,18})", re.ASCII | re.DOTALL)


def firmware_of(state: State | None, boot: str | None) -> str | None:
    """The firmware of a boot where the device named it, else the last one it named."""
    if state is None:
        return None
    if boot is not None:
        for seen, firmware in _boots(state):
            if seen == boot and isinstance(firmware, str):
                return firmware
    known = state.get("fw")
    return known if isinstance(known, str) else None


def is_older(state: State | None, boot: str | None) -> bool:
    """Whether a newer boot than this one is known."""
    newest = state.get("boot") if state else None
    if not isinstance(newest, str) or boot is None or boot == newest:
        return False
    compared = _compare(boot, newest)
    # Ids that cannot be compared: the newest boot announced itself later than whatever else is heard of now.
    return True if compared is None else compared < 0


def is_repeated(state: State | None, *, online: bool, boot: str | None) -> bool:
    """Whether this presence is the one already known."""
    return state is not None and state.get("online") is online and state.get("online_boot") == boot


def remember(
    state: State | None, *, firmware: str | None = None, boot: str | None = None, insists: bool = False
) -> State | None:
    """The state after a message that named a firmware or a boot.

    Data of an earlier boot changes nothing but that boot's own firmware. ``insists``: the message itself says that this boot
    is the running one; it is believed although its number may be lower, as after a factory reset.
    """
    if boot is None:
        if firmware is None or (state is not None and state.get("fw") == firmware):
            return state
        return {**(state or {}), "fw": firmware}
    known = _boots(state) if state else []
    if state and known and known[-1] == [boot, firmware] and state.get("boot") == boot and state.get("fw") == firmware:
        return state  # as nearly always
    place = next((place for place, (seen, _) in enumerate(known) if seen == boot), None)
    newest = insists or state is None or _is_newest(state, boot, first_seen=place is None)
    changed: dict[str, Any] = {}
    if place is None:
        changed["boots"] = [*known, [boot, firmware]][-BOOTS_KEPT:]
    elif firmware is not None and known[place][1] != firmware:
        changed["boots"] = [*known[:place], [boot, firmware], *known[place + 1 :]]
    if newest and (state is None or state.get("boot") != boot):
        changed["boot"] = boot
    if newest and firmware is not None and (state is None or state.get("fw") != firmware):
        changed["fw"] = firmware
    return {**(state or {}), **changed} if changed else state


def remember_presence(state: State | None, *, online: bool, boot: str | None) -> State | None:
    """The state after a presence that was believed."""
    if is_repeated(state, online=online, boot=boot):
        return state
    return {**(state or {}), "online": online, "online_boot": boot}


def joined(saved: State | None, ours: State | None) -> State | None:
    """What two sessions know together that each heard only some messages of a device; who is online is not among it."""
    if not saved or not ours:
        return _of_boots(saved or ours)
    boots = _joined_boots(_boots(saved), _boots(ours))
    newer = _newer(saved.get("boot"), ours.get("boot"), {seen for seen, _ in _boots(saved)})
    running = ours if newer == ours.get("boot") else saved
    if saved.get("boot") == ours.get("boot"):
        running = saved if saved.get("fw") else ours
    firmware = running.get("fw") or saved.get("fw") or ours.get("fw")
    made = {"fw": firmware, "boot": newer, "boots": boots[-BOOTS_KEPT:] or None}
    made = {name: value for name, value in made.items() if value is not None}
    return saved if made == saved else ours if made == ours else made


def _joined_boots(saved: Sequence[Sequence[Any]], ours: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The boots of both in the order in which each first saw them; a firmware that either knows."""
    boots = [[seen, firmware] for seen, firmware in saved]
    following: int | None = None
    for seen, firmware in reversed(ours):
        place = next((place for place, known in enumerate(boots) if known[0] == seen), None)
        if place is None:
            place = len(boots) if following is None else following
            boots.insert(place, [seen, firmware])
        elif boots[place][1] is None:
            boots[place][1] = firmware
        following = place
    return list(boots)


def _newer(saved: Any, ours: Any, seen: set[Any]) -> Any:
    if not isinstance(saved, str) or not isinstance(ours, str):
        return saved or ours
    compared = _compare(ours, saved)
    if compared is None:
        return saved if ours in seen else ours
    return ours if compared > 0 else saved


def _of_boots(state: State | None) -> State | None:
    return None if state is None else {name: state[name] for name in ("fw", "boot", "boots") if name in state}


def _is_newest(state: State, boot: str, *, first_seen: bool) -> bool:
    newest = state.get("boot")
    if not isinstance(newest, str) or newest == boot:
        return True
    compared = _compare(boot, newest)
    return first_seen if compared is None else compared > 0


def _boots(state: State) -> Sequence[Sequence[Any]]:
    boots = state.get("boots")
    return boots if isinstance(boots, list) else []


@lru_cache(maxsize=4096)
def _compare(one: str, other: str) -> int | None:
    """Negative, zero or positive where both ids are the same text and a number; None where they are not."""
    left, right = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
    if left is None or right is None or left.group(1) != right.group(1):
        return None
    return int(left.group(2)) - int(right.group(2))
