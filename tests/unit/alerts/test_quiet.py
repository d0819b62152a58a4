"""Quiet hours: across midnight, in half-hour zones, and when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy.quiet import next_allowed, zone

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = (time(21), time(8))


def at(text: str, home: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=home).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        ("2026-05-01T20:59", "2026-05-01T20:59"),
        ("2026-05-01T21:00", "2026-05-02T08:00"),
        ("2026-05-01T23:59", "2026-05-02T08:00"),
        ("2026-05-02T00:00", "2026-05-02T08:00"),
        ("2026-05-02T07:59", "2026-05-02T08:00"),
        ("2026-05-02T08:00", "2026-05-02T08:00"),
        ("2026-03-28T22:00", "2026-03-29T08:00"),  # the night that is an hour short
        ("2026-10-24T22:00", "2026-10-25T08:00"),  # the night that is an hour long
    ],
)
def test_the_night_ends_in_the_morning(now: str, allowed: str) -> None:
    assert next_allowed(at(now), *NIGHT, BERLIN) == at(allowed)


def test_the_short_night_really_is_an_hour_short() -> None:
    began = at("2026-03-28T22:00")
    assert next_allowed(began, *NIGHT, BERLIN) - began == timedelta(hours=9)


def test_quiet_hours_that_end_in_a_hour_that_does_not_exist_end_after_it() -> None:
    ends = next_allowed(at("2026-03-29T01:00"), time(0), time(2, 30), BERLIN)
    assert ends.astimezone(BERLIN).time() == time(3, 30)


def test_quiet_hours_that_end_in_an_hour_that_comes_twice_do_not_end_in_the_past() -> None:
    second_time = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1).astimezone(UTC)
    ends = next_allowed(second_time, time(0), time(2, 30), BERLIN)
    assert ends - second_time == timedelta(minutes=15)


def test_without_quiet_hours_it_is_always_day() -> None:
    assert next_allowed(at("2026-05-01T03:00"), time(0), time(0), BERLIN) == at("2026-05-01T03:00")


def test_a_zone_nobody_knows_is_the_fallback() -> None:
    for name in ("Mars/Base", "", None, "../../etc/passwd", "Europe"):
        assert zone(name, "Asia/Kolkata").key == "Asia/Kolkata"


@given(
    st.integers(0, 3 * 366 * 24 * 60).map(
        lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_what_is_allowed_is_never_earlier_never_quiet_and_within_a_day_or_so(
    now: datetime, start: time, end: time, name: str
) -> None:
    home = ZoneInfo(name)
    start, end = start.replace(microsecond=0), end.replace(microsecond=0)
    allowed = next_allowed(now, start, end, home)
    assert now <= allowed <= now + timedelta(hours=26)
    assert next_allowed(allowed, start, end, home) - allowed <= timedelta(hours=2)  # only where the clocks go back
