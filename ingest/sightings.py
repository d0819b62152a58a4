"""What the messages of a batch tell of their devices: when they were last heard of, firmware, boot, presence."""

from __future__ import annotations

from datetime import datetime, timedelta

from hearthwatch.records.devices import Sighting
from hearthwatch.values import Event, Presence, Reading

SEEN_AGAIN = timedelta(seconds=60)
"""How exact it is kept when a device was last heard of."""

_Key = tuple[str, bool]  # device, whether it is a presence
_Word = tuple[datetime, str | None, str | None, str | None, bool | None]  # at, firmware, boot, convention, online


class Sightings:
    """Collects the newest word of each device, readings and events apart from presence."""

    def __init__(self) -> None:
        self._heard: dict[_Key, _Word] = {}
        self._written: dict[_Key, _Word] = {}

    def hear(self, value: Reading | Event | Presence, convention: str | None) -> None:
        """A value was decoded."""
        online = value.online if isinstance(value, Presence) else None
        key = (value.device, online is not None)
        known = self._heard.get(key)
        if known is None:
            self._heard[key] = (value.at, value.firmware, value.boot, convention, online)
        elif value.at >= known[0]:
            self._heard[key] = (value.at, value.firmware or known[1], value.boot or known[2], convention, online)

    def news(self) -> list[Sighting]:
        """What is to be written down of all that was heard since the last call, by device: then two ingestors that write of the
        same devices never wait for each other in a circle.

        A device that was heard of a moment ago, and says of itself what it said then, need not be written down again.
        """
        news = []
        for key, word in sorted(self._heard.items(), key=_place):
            known = self._written.get(key)
            if known is None or word[1:] != known[1:] or word[0] - known[0] >= SEEN_AGAIN:
                self._written[key] = word
                at, firmware, boot, convention, online = word
                news.append(Sighting(key[0], at, firmware, boot, convention, online))
        self._heard.clear()
        return news


def _place(one: tuple[_Key, _Word]) -> _Key:
    return one[0]
