"""Sundays and public holidays, by the calendar of the home's region, at the wall clock of the home."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy.quiet import Quiet, from_payload, holiday, is_country
from alerts.policy.terms import Holidays
from tests.unit.alerts.policy.texts import policy

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
GERMAN = Quiet(time(21), time(8), BERLIN, sundays=True, country="DE")


def at(text: str, home: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=home).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        ("2026-04-30T12:00", "2026-04-30T12:00"),  # a Thursday
        ("2026-04-30T22:00", "2026-05-02T08:00"),  # the night before Labour Day
        ("2026-05-01T12:00", "2026-05-02T08:00"),  # Labour Day, a Friday
        ("2026-05-02T20:59", "2026-05-02T20:59"),
        ("2026-05-02T21:00", "2026-05-04T08:00"),  # Saturday's night, then Sunday
        ("2026-12-24T22:00", "2026-12-28T08:00"),  # Christmas, its second day, a Sunday
    ],
)
def test_a_letter_waits_over_sundays_and_holidays_till_the_morning_after(now: str, allowed: str) -> None:
    assert GERMAN.next_allowed(at(now)) == at(allowed)


def test_it_is_the_day_at_the_home_that_counts() -> None:
    quiet = Quiet(time(0), time(0), SHANGHAI, country="CN")
    assert quiet.next_allowed(at("2026-09-30T23:59", SHANGHAI)) == at("2026-09-30T23:59", SHANGHAI)
    ends = quiet.next_allowed(at("2026-10-01T00:00", SHANGHAI))
    assert ends.astimezone(SHANGHAI).time() == time(0)
    assert ends > at("2026-10-03T23:00", SHANGHAI)


def test_holidays_of_a_part_of_a_country_are_its_own() -> None:
    corpus_christi = date(2026, 6, 4)
    assert holiday("DE-BY", corpus_christi)
    assert holiday("DE-HH", corpus_christi) is None
    assert holiday("DE", corpus_christi) is None


def test_a_region_keeps_its_own_holidays_and_all_others_the_country_s() -> None:
    days = policy('[holidays]\ncountry = "DE"\nregions = { shanghai = "CN" }\n[[rules]]\nname = "r"\n').holidays
    assert [days.of(region) for region in ("shanghai", "north", None)] == ["CN", "DE", "DE"]
    assert Holidays().of("north") is None


def test_it_is_said_why_nobody_is_written_to() -> None:
    told = [
        GERMAN.because(at(now))
        for now in ("2026-05-03T12:00", "2026-05-01T12:00", "2026-04-30T23:00", "2026-04-30T12:00")
    ]
    assert told[0] == "sunday"
    assert told[1]
    assert told[2:] == ["quiet hours", None]


def test_codes_that_are_no_country_are_known_as_such() -> None:
    assert is_country("DE-BY")
    assert not any(is_country(code) for code in ("", "XX", "DE-QQ", "germany"))


@given(
    st.integers(0, 4 * 365 * 24 * 60).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)),
    st.sampled_from([None, "DE-BY", "CN", "US-CA", "JP"]),
    st.booleans(),
    st.sampled_from([BERLIN, SHANGHAI, ZoneInfo("America/Los_Angeles")]),
)
def test_what_is_allowed_is_never_a_quiet_time_and_travels_with_the_letter(
    now: datetime, country: str | None, sundays: bool, home: ZoneInfo
) -> None:
    quiet = Quiet(time(21), time(8), home, sundays, country)
    allowed = quiet.next_allowed(now)
    assert allowed >= now
    assert quiet.because(allowed) is None
    assert quiet.next_allowed(allowed) == allowed
    assert from_payload(quiet.payload()) == quiet


def test_a_letter_of_an_older_version_knows_hours_alone() -> None:
    assert from_payload({"from": "21:00:00", "to": "08:00:00", "timezone": "Europe/Berlin"}) == Quiet(
        time(21), time(8), BERLIN
    )
