"""What is learned where failures come in crowds: signs of few days, which later days do not all share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.crowded_failures import measures
from tests.unit.analytics.crowded_fleet import WORLDS, case


@pytest.mark.parametrize(("name", "seed"), [("crowds", 601), ("independent", 602)])
def test_probabilities_of_later_days_are_better_than_age_alone_and_not_far_too_sure(name: str, seed: int) -> None:
    found = measures(case(seed, replace(WORLDS[name], devices=2000, failures=160.0)), replications=1)
    assert found is not None
    for rows in ("known", "unseen"):
        assert found[rows]["log_skill"] > 0
        assert 0.6 < found[rows]["calibration_slope"] < 1.6
