"""Who is taken in of those that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import HELD_A_DAY, Admission, AdmissionPolicy, Turn

NOW = datetime(2026, 5, 1, 23, 59, tzinfo=UTC)


def test_refused_is_refused_whatever_room_there_is() -> None:
    assert Admission(AdmissionPolicy("refuse")).ask(NOW) is Turn.REFUSE


def test_quarantine_holds_everybody() -> None:
    admission = Admission(AdmissionPolicy("quarantine"))
    assert admission.ask(NOW) is Turn.HOLD
    assert admission.reason() == "the device is not registered"


def test_midnight_opens_the_day_s_budget_again_and_not_the_one_in_all() -> None:
    admission = Admission(AdmissionPolicy(per_day=1, in_all=2))
    assert [admission.ask(NOW) for _ in range(2)] == [Turn.ADMIT, Turn.HOLD]

    tomorrow = NOW + timedelta(minutes=2)

    assert [admission.ask(tomorrow) for _ in range(2)] == [Turn.ADMIT, Turn.HOLD]
    assert admission.ask(tomorrow + timedelta(days=1)) is Turn.HOLD
    assert "budget of 2 in all" in str(admission.reason())


def test_what_others_admitted_counts_as_soon_as_it_is_learned() -> None:
    admission = Admission(AdmissionPolicy(per_day=10))
    admission.learn(NOW, admitted_today=10, known=500)

    assert admission.ask(NOW) is Turn.HOLD
    assert "budget of 10 a day" in str(admission.reason())


@pytest.mark.parametrize(("bound", "expected"), [(HELD_A_DAY, HELD_A_DAY), (None, 2 * HELD_A_DAY)])
def test_quarantine_keeps_so_many_of_a_day(bound: int | None, expected: int) -> None:
    admission = Admission(AdmissionPolicy("quarantine"), held_a_day=bound)
    admission.ask(NOW)
    assert sum(admission.may_hold() for _ in range(2 * HELD_A_DAY)) == expected


@given(
    budget=st.integers(0, 20),
    in_all=st.integers(0, 40),
    hours=st.lists(st.integers(0, 96), max_size=200).map(sorted),
)
def test_no_day_admits_more_than_its_budget_and_all_of_them_no_more_than_there_may_be(
    budget: int, in_all: int, hours: list[int]
) -> None:
    admission = Admission(AdmissionPolicy(per_day=budget, in_all=in_all))
    admitted: dict[str, int] = {}
    for hour in hours:
        at = NOW + timedelta(hours=hour)
        day = at.date().isoformat()
        admitted[day] = admitted.get(day, 0) + (admission.ask(at) is Turn.ADMIT)
    assert all(count <= budget for count in admitted.values())
    assert sum(admitted.values()) <= in_all
