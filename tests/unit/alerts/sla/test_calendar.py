"""Business time, against the wall clock read minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.sla.calendar import BusinessCalendar, Holidays, Shift, always
from hearthwatch.errors import Invalid

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def shift(text: str) -> Shift:
    opens, closes = text.split("-")
    return Shift(time.fromisoformat(opens), time.fromisoformat(closes))


def calendar(
    *hours: str,
    zone: str = "Europe/Berlin",
    holidays: Holidays | None = None,
    days: Mapping[date, tuple[Shift, ...]] | None = None,
    everyday: bool = False,
) -> BusinessCalendar:
    worked = tuple(shift(one) for one in hours)
    week = (worked,) * 7 if everyday else (worked,) * 5 + ((), ())
    return BusinessCalendar("office", ZoneInfo(zone), week, holidays, days or {})


OFFICE = calendar("09:00-12:00", "13:00-17:00")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


def test_a_closed_calendar_says_that_it_does_not_open() -> None:
    shut = BusinessCalendar("shut", ZoneInfo("UTC"), ((),) * 7)
    with pytest.raises(Invalid, match=r"shut.*does not open"):
        shut.next_opening(berlin("2026-05-04 10:00"))
    with pytest.raises(Invalid, match="is not open for"):
        shut.add(berlin("2026-05-04 10:00"), HOUR)
    assert shut.between(berlin("2026-05-04 10:00"), berlin("2029-05-04 10:00")) == timedelta(0)


def test_negative_business_time_is_refused() -> None:
    with pytest.raises(Invalid, match="not negative"):
        OFFICE.add(berlin("2026-05-04 10:00"), -HOUR)


def test_unknown_countries_and_parts_of_countries_are_refused_by_name() -> None:
    with pytest.raises(Invalid, match="XX"):
        Holidays("XX")
    with pytest.raises(Invalid, match="DE-ZZ"):
        Holidays("DE", "ZZ")


def test_lunch_is_a_gap() -> None:
    assert OFFICE.add(berlin("2026-05-04 11:30"), HOUR) == berlin("2026-05-04 13:30")
    assert OFFICE.between(berlin("2026-05-04 12:00"), berlin("2026-05-04 13:00")) == timedelta(0)
    assert OFFICE.next_opening(berlin("2026-05-04 12:10")) == berlin("2026-05-04 13:00")


def test_a_due_time_at_closing_is_closing_and_not_the_next_morning() -> None:
    assert OFFICE.add(berlin("2026-05-04 13:00"), 4 * HOUR) == berlin("2026-05-04 17:00")


def test_friday_evening_goes_on_on_monday() -> None:
    assert OFFICE.add(berlin("2026-05-08 16:00"), 2 * HOUR) == berlin("2026-05-11 10:00")
    assert OFFICE.next_opening(berlin("2026-05-09 03:00")) == berlin("2026-05-11 09:00")


def test_public_holidays_are_closed_where_they_are_kept() -> None:
    berlin_office = calendar("09:00-17:00", holidays=Holidays("DE", "BE"))
    bavarian = calendar("09:00-17:00", holidays=Holidays("DE", "BY"))
    womens_day = berlin("2027-03-08 10:00")  # a Monday; a holiday in Berlin only
    assert not berlin_office.is_open(womens_day)
    assert bavarian.is_open(womens_day)
    assert berlin_office.add(berlin("2027-03-05 16:00"), 2 * HOUR) == berlin("2027-03-09 10:00")
    assert berlin_office.holiday(date(2026, 10, 3)) is not None
    assert berlin_office.holiday(date(2026, 10, 2)) is None


def test_own_dates_come_before_the_week_and_the_holidays() -> None:
    days = {
        date(2026, 12, 24): (shift("09:00-12:00"),),
        date(2026, 12, 28): (),
        date(2026, 12, 25): (shift("10:00-11:00"),),
    }
    office = calendar("09:00-17:00", holidays=Holidays("DE"), days=days)
    assert office.between(berlin("2026-12-24 00:00"), berlin("2026-12-25 00:00")) == 3 * HOUR
    assert office.between(berlin("2026-12-25 00:00"), berlin("2026-12-26 00:00")) == HOUR
    assert office.between(berlin("2026-12-28 00:00"), berlin("2026-12-29 00:00")) == timedelta(0)


def test_a_night_shift_belongs_to_the_day_it_begins_on() -> None:
    nights = BusinessCalendar("nights", ZoneInfo("Europe/Berlin"), ((shift("22:00-06:00"),),) + ((),) * 6)
    assert nights.is_open(berlin("2026-05-05 05:59"))  # Tuesday morning, of Monday's shift
    assert not nights.is_open(berlin("2026-05-05 22:00"))
    assert nights.between(berlin("2026-05-04 00:00"), berlin("2026-05-11 00:00")) == 8 * HOUR


def test_an_hour_that_the_clocks_skip_does_not_count_and_one_that_comes_twice_counts_twice() -> None:
    nights = calendar("00:00-06:00", everyday=True)
    spring, autumn = berlin("2026-03-29 00:00"), berlin("2026-10-25 00:00")
    assert nights.between(spring, berlin("2026-03-30 00:00")) == 5 * HOUR
    assert nights.between(autumn, berlin("2026-10-26 00:00")) == 7 * HOUR


def test_a_leap_day_is_a_day() -> None:
    every = calendar("09:00-17:00", everyday=True)
    assert every.between(berlin("2028-02-28 00:00"), berlin("2028-03-01 00:00")) == 16 * HOUR
    assert every.add(berlin("2028-02-28 16:00"), 2 * HOUR) == berlin("2028-02-29 10:00")


def test_a_year_s_end_is_no_seam() -> None:
    nights = calendar("22:00-06:00", everyday=True, zone="Asia/Shanghai")
    begin = datetime(2026, 12, 31, 15, tzinfo=UTC)  # 23:00 in Shanghai
    assert nights.add(begin, 7 * HOUR) == datetime(2026, 12, 31, 22, tzinfo=UTC)
    assert always().add(begin, timedelta(days=400)) == begin + timedelta(days=400)


def test_a_calendar_that_never_closes_measures_plain_time() -> None:
    begin = berlin("2026-03-28 20:00")
    assert always().add(begin, timedelta(hours=30)) == begin.astimezone(UTC) + timedelta(hours=30)


# -- laws -------------------------------------------------------------------------------------------------------------

ZONES = st.sampled_from(
    ["Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
INSTANTS = st.datetimes(datetime(2025, 12, 1), datetime(2028, 4, 1), timezones=st.just(UTC))  # noqa: DTZ001
AMOUNTS = st.timedeltas(timedelta(0), timedelta(days=40))
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
SHIFTS = st.lists(st.builds(Shift, TIMES, TIMES), max_size=3).map(tuple)


@st.composite
def calendars(draw: st.DrawFn) -> BusinessCalendar:
    week = draw(st.tuples(*[SHIFTS] * 7).filter(any))
    country = draw(st.sampled_from([None, Holidays("DE", "BY"), Holidays("CN"), Holidays("US")]))
    dates = st.dates(date(2026, 1, 1), date(2028, 3, 1))
    days = draw(st.dictionaries(dates, SHIFTS, max_size=4))
    return BusinessCalendar("drawn", ZoneInfo(draw(ZONES)), week, country, days)


@given(calendars(), INSTANTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_what_was_added_is_measured_again(office: BusinessCalendar, begin: datetime, amount: timedelta) -> None:
    assert office.between(begin, office.add(begin, amount)) == amount


@given(calendars(), INSTANTS, AMOUNTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_adding_in_two_parts_is_adding_at_once(
    office: BusinessCalendar, begin: datetime, first: timedelta, second: timedelta
) -> None:
    assert office.add(office.add(begin, first), second) == office.add(begin, first + second)


@given(calendars(), st.lists(INSTANTS, min_size=3, max_size=3).map(sorted))
@settings(max_examples=60, deadline=None)
def test_time_over_two_spans_is_the_sum_of_both(office: BusinessCalendar, instants: list[datetime]) -> None:
    first, middle, last = instants
    assert office.between(first, middle) + office.between(middle, last) == office.between(first, last)
    assert office.between(first, last) <= last - first


@given(calendars(), INSTANTS, INSTANTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_who_begins_later_is_due_no_earlier(
    office: BusinessCalendar, one: datetime, other: datetime, amount: timedelta
) -> None:
    early, late = sorted((one, other))
    assert office.add(early, amount) <= office.add(late, amount)


@given(calendars(), INSTANTS)
@settings(max_examples=60, deadline=None)
def test_the_next_opening_is_open_and_nothing_before_it_is(office: BusinessCalendar, at: datetime) -> None:
    opening = office.next_opening(at)
    assert office.is_open(opening)
    assert office.between(at, opening) == timedelta(0)


@given(calendars(), st.datetimes(datetime(2026, 1, 1), datetime(2028, 3, 1), timezones=st.just(UTC)), st.integers(1, 5))  # noqa: DTZ001
@settings(max_examples=25, deadline=None)
def test_business_time_is_what_a_count_of_minutes_on_the_wall_clock_gives(
    office: BusinessCalendar, begin: datetime, days: int
) -> None:
    begin = begin.replace(second=0, microsecond=0)
    _agrees(office, begin, days)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("hours", ["22:00-06:00", "02:00-02:30", "01:30-03:15", "00:00-00:00", "02:30-09:00"])
@pytest.mark.parametrize("month", [3, 4, 10, 11])
def test_months_in_which_the_clocks_change_are_counted_right(zone: str, hours: str, month: int) -> None:
    _agrees(calendar(hours, zone=zone, everyday=True), datetime(2026, month, 1, tzinfo=UTC), 31, step=15)


def _agrees(office: BusinessCalendar, begin: datetime, days: int, *, step: int = 1) -> None:
    """Every step of so many minutes from ``begin`` on is looked at by itself, on the wall clock alone."""
    counted = 0
    for number in range(0, days * 1440, step):
        at = begin + number * MINUTE
        shown = _shown(office, at)
        assert office.is_open(at) == shown, at
        counted += step * shown
    assert office.between(begin, begin + timedelta(days=days)) == counted * MINUTE


def _shown(office: BusinessCalendar, at: datetime) -> bool:
    """Whether the wall clock shows an opening hour."""
    wall = at.astimezone(office.zone)
    today = any(
        one.opens <= wall.time() and (wall.time() < one.closes or one.closes <= one.opens)
        for one in office.shifts(wall.date())
    )
    yesterday = any(
        one.closes <= one.opens and wall.time() < one.closes for one in office.shifts(wall.date() - timedelta(days=1))
    )
    return today or yesterday
