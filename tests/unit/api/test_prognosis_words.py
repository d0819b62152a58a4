"""How a remaining life and its origin read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from analytics.survival.whole_device import whole_device
from api.pages.language import Speaker
from api.pages.prognoses import origin, probable_part, remaining_life
from hearthwatch.records.prognoses import Prognosis

EN, ZH = Speaker("en"), Speaker("zh_Hans")
ONE = Prognosis("d", "relay", datetime(2026, 6, 1, tzinfo=UTC), None, 0.01, 0.02, 0.03, None, [])


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((20, 60, 110, 150), "Most likely about 60 days; one in ten sooner than 20, one in ten later than 110."),
        ((20, 60, 150, 150), "Most likely about 60 days; one in ten sooner than 20, some longer than 150."),
        ((82, 90, 90, 90), "Most likely more than 90 days; one in ten sooner than 82."),
        ((90, 90, 90, 90), "Nine in ten last more than 90 days, which is as far as anything is known."),
    ],
)
def test_a_life_that_reaches_the_cap_is_more_than_that_and_never_that(days: tuple[float, ...], said: str) -> None:
    p10, p50, p90, cap = days
    assert remaining_life(EN, replace(ONE, rul_p10=p10, rul_p50=p50, rul_p90=p90, rul_cap=cap)) == said


def test_what_is_not_said_gives_its_reason() -> None:
    assert remaining_life(EN, replace(ONE, rul_abstained="too many values are missing")) == (
        "Not said: too many values are missing."
    )


def test_age_and_use_are_said_plainly() -> None:
    assert origin(EN, replace(ONE, method="survival", clock="age")) == "age alone"
    assert origin(EN, replace(ONE, method="survival", clock="lock_cycles")) == "use alone (lock_cycles)"
    assert origin(EN, replace(ONE, method="hazard")) == "its own signs"
    assert origin(EN, replace(ONE, method=None)) == "–"


def test_the_device_is_told_of_for_as_long_as_all_its_parts_are() -> None:
    near = whole_device([replace(ONE, p30=None, p90=None), replace(ONE, part="motor")])
    assert near is not None
    assert probable_part(EN, near) == (
        "Probable part: motor. Within 7 days the device fails with 2.0\N{NO-BREAK SPACE}%, "
        "by this part first with 1.0\N{NO-BREAK SPACE}%."
    )
