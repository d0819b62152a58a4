"""When nobody is written to, by the wall clock of a home: quiet hours, Sundays, public holidays.

Across midnight and across changes of daylight saving time. Holidays come from the library ``holidays`` (https://holidays.readthedocs.io),
by ISO 3166 codes of country and subdivision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

SUNDAY = 6
LONGEST = 60
"""Days in a row that may be closed; a calendar that closes more is not waited for."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """The times at which a home is not written to: [start, end) of every day, and whole days. Equal times: no quiet hours.

    ``country`` is whose holidays are kept (``DE``, ``DE-BY``), None for none.
    """

    start: time
    end: time
    home: ZoneInfo
    sundays: bool = False
    country: str | None = None

    def next_allowed(self, now: datetime) -> datetime:
        """``now`` where it is no quiet time, else the instant at which that is over, in UTC."""
        at = next_allowed(now, self.start, self.end, self.home)
        for _ in range(LONGEST):
            local = at.astimezone(self.home)
            if self.closed(local.date()) is None:
                break
            morning = datetime.combine(local.date() + timedelta(days=1), time(0), tzinfo=self.home)
            at = next_allowed(morning.astimezone(UTC), self.start, self.end, self.home)
        return at

    def closed(self, day: date) -> str | None:
        """Why a whole day is quiet: ``sunday``, or the name of the holiday; None on other days."""
        if self.sundays and day.weekday() == SUNDAY:
            return "sunday"
        return holiday(self.country, day) if self.country else None

    def because(self, now: datetime) -> str | None:
        """Why nobody is written to now: ``quiet hours``, ``sunday`` or the name of a holiday; None where it is no quiet time."""
        local = now.astimezone(self.home)
        closed = self.closed(local.date())
        if closed is not None:
            return closed
        return "quiet hours" if _within(local.time().replace(tzinfo=None), self.start, self.end) else None

    def payload(self) -> dict[str, Any]:
        """As it goes with a letter, to be looked at again when the letter is sent."""
        told = {"from": self.start.isoformat(), "to": self.end.isoformat(), "timezone": self.home.key}
        return {**told, "sundays": self.sundays, "country": self.country}


def from_payload(told: Mapping[str, Any]) -> Quiet:
    """The quiet times that go with a letter; letters written by older versions know hours alone."""
    return Quiet(
        time.fromisoformat(told["from"]),
        time.fromisoformat(told["to"]),
        zone(told["timezone"], "UTC"),
        bool(told.get("sundays")),
        told.get("country"),
    )


def holiday(country: str, day: date) -> str | None:
    """The name of a country's or subdivision's public holiday, None where the day is none."""
    name = _calendar(country).get(day)
    return str(name) if name else None


def is_country(code: str) -> bool:
    """Whether the calendar of a country (``DE``) or subdivision (``DE-BY``) is known."""
    try:
        _calendar(code)
    except (NotImplementedError, KeyError, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _calendar(code: str) -> Any:
    import holidays  # a quarter of a second, which only those pay who keep holidays

    country, _, part = code.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)


def zone(name: str | None, fallback: str) -> ZoneInfo:
    """The time zone of a name; the fallback where there is none of that name."""
    if name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # what a file of customers holds is not always a time zone
            pass
    return ZoneInfo(fallback)


def next_allowed(now: datetime, start: time, end: time, home: ZoneInfo) -> datetime:
    """``now`` outside the quiet hours [start, end), else the instant they end, in UTC. Equal times: no quiet hours."""
    local = now.astimezone(home)
    wall = local.time().replace(tzinfo=None)
    if not _within(wall, start, end):
        return now.astimezone(UTC)
    day = local.date() if wall < end else local.date() + timedelta(days=1)
    for fold in (0, 1):  # an hour that comes twice: the second one, where the first is over
        ends = datetime.combine(day, end, tzinfo=home).replace(fold=fold).astimezone(UTC)
        if ends > now:
            return ends
    return now.astimezone(UTC)


def _within(wall: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= wall < end
    return wall >= start or wall < end
