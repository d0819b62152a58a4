"""Devices that come and go: counted by their goings within two hours, so that they are one finding and not an alarm each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from analytics.liveness.spans import Blind

WINDOW = timedelta(hours=2)
CALM = 1
"""A device flaps until it went away at most so often within the window."""


def goings(words: Iterable[tuple[str, datetime, bool]]) -> Mapping[str, Sequence[datetime]]:
    """When each device went away, of words (device, at, online) in order of time: a word *gone* that does not follow another."""
    online: dict[str, bool] = {}
    found: dict[str, list[datetime]] = defaultdict(list)
    for device, at, is_online in words:
        if not is_online and online.get(device, True):
            found[device].append(at)
        online[device] = is_online
    return found


def counted(times: Sequence[datetime], blind: Sequence[Blind], now: datetime, grace: timedelta) -> int:
    """How many goings within the window are the device's own doing: those of a broker's or a bridge's outage are not."""
    recent = [at for at in times if now - at <= WINDOW]
    return sum(not any(one.covers(at, grace) for one in blind) for at in recent)


def flaps(count: int, *, before: bool, threshold: int) -> bool:
    """Whether a device flaps: it begins with ``threshold`` goings and ends when it is calm."""
    return count > CALM if before else count >= threshold
