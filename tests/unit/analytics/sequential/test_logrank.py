"""The safe logrank on first events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analytics.sequential.logrank import LogrankEvidence, RiskGroups, first_events, log_likelihood
from analytics.sequential.strata import Strata


def groups(*rows: tuple[int, int, int, int]) -> RiskGroups:
    """Rows of (treated at risk, control at risk, treated events, events)."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return RiskGroups(*columns)


@st.composite
def risk_groups(draw: st.DrawFn) -> tuple[int, int, int, int]:
    treated, control = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    events = draw(st.integers(1, max(1, treated + control)))
    if treated + control == 0:
        control = 1
    events = min(events, treated + control)
    return treated, control, draw(st.integers(max(0, events - control), min(events, treated))), events


def alone(devices: int) -> Strata:
    return Strata.of(np.zeros(devices, dtype=np.int64))


def test_without_events_the_evidence_is_one() -> None:
    nothing = LogrankEvidence.nothing()
    assert nothing.log_e == pytest.approx(0.0)
    assert nothing.add(groups()) is nothing


def test_evidence_kept_without_its_interval_has_none() -> None:
    with pytest.raises(ValueError, match="interval"):
        LogrankEvidence.nothing(interval=False).interval()


def test_a_group_with_one_arm_only_tells_nothing() -> None:
    evidence = LogrankEvidence.nothing().add(groups((5, 0, 1, 1), (0, 7, 0, 2), (6, 0, 3, 3)))
    assert evidence.log_e == pytest.approx(0.0)


def test_all_devices_falling_silent_together_tells_nothing() -> None:
    assert LogrankEvidence.nothing().add(groups((30, 70, 30, 100))).log_e == pytest.approx(0.0)


@given(risk_groups(), st.floats(-3.0, 3.0))
def test_the_likelihood_is_fishers_noncentral_hypergeometric(row: tuple[int, int, int, int], log_h: float) -> None:
    treated, control, seen, events = row
    found = log_likelihood(groups(row), np.array([log_h]))[0, 0]
    if min(treated, control) == 0:
        assert found == pytest.approx(0.0, abs=1e-9)
        return
    law = stats.nchypergeom_fisher(treated + control, treated, events, np.exp(log_h))
    central = stats.hypergeom(treated + control, treated, events)
    assert found == pytest.approx(law.logpmf(seen) - central.logpmf(seen), abs=1e-6)


@given(risk_groups(), st.sampled_from([1.0, 1.05, 1.5]))
def test_in_expectation_nothing_is_won_without_a_difference(row: tuple[int, int, int, int], margin: float) -> None:
    treated, control, _, events = row
    seen = np.arange(max(0, events - control), min(events, treated) + 1)
    chances = stats.hypergeom(treated + control, treated, events).pmf(seen)
    values = [
        np.exp(LogrankEvidence.nothing(margin, interval=False).add(groups((treated, control, int(one), events))).log_e)
        for one in seen
    ]
    expected = float(chances @ np.array(values))
    assert expected == pytest.approx(1.0) if margin == 1.0 else expected <= 1.0 + 1e-9


@given(st.lists(risk_groups(), min_size=2, max_size=8))
@settings(max_examples=50)
def test_strata_merge_by_product_in_any_order_and_split(rows: list[tuple[int, int, int, int]]) -> None:
    whole = LogrankEvidence.nothing().add(groups(*rows))
    parts = LogrankEvidence.nothing()
    for row in sorted(rows):
        parts = parts.add(groups(row))
    assert parts.log_e == pytest.approx(whole.log_e, abs=1e-9)
    assert parts.events == whole.events
    assert parts.wide is not None
    assert whole.wide is not None
    np.testing.assert_allclose(parts.wide, whole.wide, atol=1e-9)


def test_the_interval_holds_the_truth_and_shrinks() -> None:
    rng = np.random.default_rng(5)
    evidence, widths = LogrankEvidence.nothing(), []
    for _ in range(400):
        treated = int(rng.random() < 2.0 * 50 / (2.0 * 50 + 50))
        evidence = evidence.add(groups((50, 50, treated, 1)))
        ratio, low, high = evidence.interval()
        assert low < 2.0 < high
        widths.append(high / low if low > 0 else np.inf)
    assert ratio == pytest.approx(2.0, rel=0.3)
    assert widths[-1] < 2.1 < widths[100]


def matrix(*rows: str) -> NDArray[np.bool_]:
    return np.array([[letter == "x" for letter in row] for row in rows])


def test_only_the_first_event_of_a_device_counts() -> None:
    hours, treated = np.ones((2, 3)), matrix("xxx", "...")
    found, used = first_events(hours, treated, matrix("xxx", "..."), np.zeros(2, dtype=bool), alone(2))
    assert (found.events.tolist(), found.treated_events.tolist()) == ([1], [1])
    assert used.tolist() == [True, False]


def test_a_device_that_had_its_event_is_no_longer_at_risk() -> None:
    found, _ = first_events(
        np.ones((3, 2)), matrix("xx", "xx", ".."), matrix("x.", ".x", ".."), np.zeros(3, dtype=bool), alone(3)
    )
    assert found.treated_at_risk.tolist() == [2, 1]
    assert found.control_at_risk.tolist() == [1, 1]


def test_an_event_during_burn_in_uses_the_device_up_without_counting() -> None:
    hours = np.array([[0.0, 1.0], [1.0, 1.0]])
    found, used = first_events(hours, matrix("xx", ".."), matrix("xx", ".."), np.zeros(2, dtype=bool), alone(2))
    assert found.events.size == 0
    assert used.tolist() == [True, False]


def test_a_device_counts_in_the_arm_it_is_in_when_it_happens() -> None:
    found, _ = first_events(
        np.ones((2, 3)), matrix("..x", "..."), matrix("..x", "..."), np.zeros(2, dtype=bool), alone(2)
    )
    assert found.treated_events.tolist() == [1]
    found, _ = first_events(
        np.ones((2, 3)), matrix("..x", "..."), matrix(".x.", "..."), np.zeros(2, dtype=bool), alone(2)
    )
    assert found.treated_events.tolist() == [0]


def test_devices_are_compared_only_within_their_stratum() -> None:
    strata = Strata.of(np.array([7, 7, 9, 9]))
    happened = matrix("x", ".", ".", "x")
    found, _ = first_events(np.ones((4, 1)), matrix("x", ".", "x", "."), happened, np.zeros(4, dtype=bool), strata)
    assert found.treated_at_risk.tolist() == [1, 1]
    assert sorted(found.treated_events.tolist()) == [0, 1]


@given(st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=30)
def test_hour_by_hour_gives_what_one_pass_gives(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    devices, slots = 20, 10
    hours = (rng.random((devices, slots)) < 0.8).astype(np.float64)
    treated = np.arange(slots) >= rng.integers(0, 15, devices)[:, None]
    happened = rng.random((devices, slots)) < 0.1
    strata = Strata.of(rng.integers(0, 3, devices))
    none = np.zeros(devices, dtype=bool)
    once, used_once = first_events(hours, treated, happened, none, strata)
    early, used = first_events(hours[:, :cut], treated[:, :cut], happened[:, :cut], none, strata)
    late, used = first_events(hours[:, cut:], treated[:, cut:], happened[:, cut:], used, strata)
    assert used.tolist() == used_once.tolist()
    split = LogrankEvidence.nothing().add(early).add(late)
    assert split.log_e == pytest.approx(LogrankEvidence.nothing().add(once).log_e, abs=1e-9)
