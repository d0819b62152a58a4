"""Goals: met, or missed by how much; nothing to judge is not met."""

from __future__ import annotations

import pytest

from analytics.suites.goals import Goal, above, at_least, at_most, holds, lines, within


@pytest.mark.parametrize(
    ("goal", "met", "missed_by"),
    [
        (at_least(75.0, 72.9), False, 2.1),
        (at_least(75.0, 75.0), True, 0.0),
        (at_most(11.5, 11.2), True, 0.0),
        (at_most(10.5, 10.75), False, 0.25),
        (above(0.0, 0.03), True, 0.0),
        (above(0.0, 0.0), False, 0.0),
        (within(0.72, 0.88, 0.72), True, 0.0),
        (within(0.72, 0.88, 0.9), False, 0.02),
        (within(0.72, 0.88, None), False, None),
        (holds(1.0, 0.8, (0.73, 0.89), (0.7, 1.1)), False, 0.11),
        (holds(1.0, 0.9, (0.7, 1.05), (0.7, 1.1)), True, 0.0),
        (holds(1.0, 0.9, (0.7, 1.05), (None, None)), False, None),
    ],
)
def test_a_goal_is_met_or_says_by_how_much_it_was_missed(goal: Goal, met: bool, missed_by: float | None) -> None:
    assert goal["met"] is met
    assert goal["missed_by"] == (None if missed_by is None else pytest.approx(missed_by))


def test_people_read_value_goal_and_what_is_lacking() -> None:
    told = {
        "standard": at_least(75.0, 72.9),
        "coverage": within(0.72, 0.88, 0.8),
        "slope": holds(1.0, None, (None, None)),
    }
    assert list(lines(told)) == [
        "goal standard: 72.9, at least 75: missed by 2.1",
        "goal coverage: 0.8, 0.72 to 0.88: met",
        "goal slope: -, its intervals hold 1: nothing to judge",
    ]
