"""Business time: how much of it lies between two instants, and when so much of it has passed.

An instant counts when the wall clock of the calendar's zone shows an opening hour: an hour that a change to daylight saving time skips
does not count, one that comes twice counts twice. A shift belongs to the day on which it begins; it goes on after midnight whatever the
next day is. Opening hours of a UTC year are worked out once, in a table with running sums; every question is then two binary searches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hearthwatch.errors import Invalid
from hearthwatch.said import Said

DAY = timedelta(days=1)
NOTHING = timedelta(0)
LONGEST_SEARCH = 30
"""Years ahead in which an opening or a due time is looked for; beyond, a calendar is as good as closed."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2150


@dataclass(frozen=True, slots=True)
class Shift:
    """Opening hours [opens, closes) by the wall clock. Where ``closes`` is not after ``opens`` it is on the next day."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Holidays:
    """Public holidays of a country, or of a part of it, as the library ``holidays`` knows them (ISO 3166 codes)."""

    country: str
    subdivision: str | None = None

    def __post_init__(self) -> None:
        _public(self.country, self.subdivision, 2000)

    def of(self, year: int) -> Mapping[date, str]:
        """The holidays of a year with their names."""
        return _public(self.country, self.subdivision, year)


@lru_cache(maxsize=512)
def _public(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    """Raises `Invalid` for a country or a part of it that is not known."""
    import holidays  # a quarter of a second, which only those pay who keep holidays

    try:
        return holidays.country_holidays(country, subdiv=subdivision, years=year, expand=False)
    except NotImplementedError:
        code = f"{country}-{subdivision}" if subdivision else country
        raise Invalid(Said("no holidays are known of {code}", code=code)) from None


@dataclass(frozen=True, slots=True)
class _Year:
    """The opening hours of a UTC year, merged, in order; ``before`` is the open time before each of them, and at the end all of it."""

    opens: Sequence[datetime]
    closes: Sequence[datetime]
    before: Sequence[timedelta]

    def passed(self, at: datetime) -> timedelta:
        """Open time from the year's beginning until an instant of it."""
        index = bisect_right(self.opens, at) - 1
        if index < 0:
            return NOTHING
        return self.before[index] + min(at, self.closes[index]) - self.opens[index]

    def reached(self, amount: timedelta) -> datetime:
        """The first instant at which that much open time of the year has passed; ``amount`` is positive and not more than there is."""
        index = bisect_left(self.before, amount) - 1
        return self.opens[index] + amount - self.before[index]


@dataclass(frozen=True)
class BusinessCalendar:
    """When somebody is there. ``week`` begins on Monday; ``days`` are dates with hours of their own (none: closed), over the holidays."""

    name: str
    zone: ZoneInfo
    week: tuple[tuple[Shift, ...], ...]
    public_holidays: Holidays | None = None
    days: Mapping[date, tuple[Shift, ...]] = field(default_factory=dict, hash=False)
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False, compare=False)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Business time from ``start`` until ``end``; nothing where ``end`` is not later."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end <= start:
            return NOTHING
        inside = (self._year(year).before[-1] for year in range(start.year, end.year))
        return sum(inside, NOTHING) + self._year(end.year).passed(end) - self._year(start.year).passed(start)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant from ``start`` on at which ``amount`` of business time has passed, in UTC.

        Raises `Invalid` for a negative amount, and where the calendar does not open that long.
        """
        start = start.astimezone(UTC)
        if amount < NOTHING:
            raise Invalid("business time is not negative", where=self.name)
        if not amount:
            return start
        wanted = amount + self._year(start.year).passed(start)
        for year in range(start.year, start.year + LONGEST_SEARCH):
            table = self._year(year)
            if wanted <= table.before[-1]:
                return table.reached(wanted)
            wanted -= table.before[-1]
        raise Invalid(f"is not open for {amount} within {LONGEST_SEARCH} years", where=self.name)

    def is_open(self, at: datetime) -> bool:
        """Whether an instant is within business time."""
        at = at.astimezone(UTC)
        table = self._year(at.year)
        index = bisect_right(table.opens, at) - 1
        return index >= 0 and at < table.closes[index]

    def next_opening(self, at: datetime) -> datetime:
        """``at`` itself where it is within business time, else the next instant that is, in UTC. Raises `Invalid` where there is none."""
        at = at.astimezone(UTC)
        if self.is_open(at):
            return at
        for year in range(at.year, at.year + LONGEST_SEARCH):
            opens = self._year(year).opens
            index = bisect_left(opens, at)
            if index < len(opens):
                return opens[index]
        raise Invalid(f"does not open within {LONGEST_SEARCH} years", where=self.name)

    def shifts(self, day: date) -> tuple[Shift, ...]:
        """The opening hours that begin on a date: its own, else none on a public holiday, else those of the weekday."""
        own = self.days.get(day)
        if own is not None:
            return own
        return () if self.holiday(day) is not None else self.week[day.weekday()]

    def holiday(self, day: date) -> str | None:
        """The name of the public holiday that a date is, or None."""
        return self.public_holidays.of(day.year).get(day) if self.public_holidays else None

    def _year(self, year: int) -> _Year:
        known = self._years.get(year)
        if known is None:
            if not _FIRST_YEAR <= year <= _LAST_YEAR:
                raise Invalid(f"nothing is known of the year {year}", where=self.name)
            known = self._years[year] = self._made(year)
        return known

    def _made(self, year: int) -> _Year:
        begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        day, last = date(year, 1, 1) - 2 * DAY, date(year + 1, 1, 1) + DAY
        spans: list[tuple[datetime, datetime]] = []
        while day <= last:
            for shift in self.shifts(day):
                spans.extend(_instants(day, shift, self.zone))
            day += DAY
        return _summed(_merged((max(a, begin), min(b, end)) for a, b in spans if a < end and b > begin))


def always(name: str = "always") -> BusinessCalendar:
    """A calendar that never closes."""
    return BusinessCalendar(name, ZoneInfo("UTC"), ((Shift(time(0), time(0)),),) * 7)


def _instants(day: date, shift: Shift, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The spans of UTC in which the wall clock shows a shift; two or none where a change of the clocks cuts it."""
    opens = datetime.combine(day, shift.opens)
    closes = datetime.combine(day if shift.closes > shift.opens else day + DAY, shift.closes)
    for begin, end, offset in _offsets(opens.replace(tzinfo=UTC) - DAY, closes.replace(tzinfo=UTC) + DAY, zone):
        first = max(begin, (opens - offset).replace(tzinfo=UTC))
        last = min(end, (closes - offset).replace(tzinfo=UTC))
        if first < last:
            yield first, last


def _offsets(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The spans of constant offset from UTC between two instants that are few days apart: at most one change lies between them."""
    first, last = _offset(begin, zone), _offset(end, zone)
    if first == last:
        yield begin, end, first
        return
    before, after = begin, end
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        middle = middle if middle > before else before + timedelta(seconds=1)
        before, after = (middle, after) if _offset(middle, zone) == first else (before, middle)
    yield begin, after, first
    yield after, end, last


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or NOTHING


def _merged(spans: Iterator[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    for opens, closes in sorted(spans):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes))
        else:
            found.append((opens, closes))
    return found


def _summed(spans: Sequence[tuple[datetime, datetime]]) -> _Year:
    before = [NOTHING]
    for opens, closes in spans:
        before.append(before[-1] + (closes - opens))
    return _Year([one for one, _ in spans], [one for _, one in spans], before)
