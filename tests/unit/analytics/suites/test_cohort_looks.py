"""The suite looks at a simulated fleet by short cuts; they give what the product gives by going through every device and slot."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.cohorts.spec import REBOOTS
from analytics.cohorts.streams import Counts, Past, Stream
from analytics.cohorts.weighing import Assignment, weigh
from analytics.sequential import looks as product
from analytics.sequential.cluster import Block, PastSums
from analytics.sequential.strata import Strata
from analytics.suites.cohort_fleets import PRE_DAYS, Fleet, drains, parallel_arms, staged
from analytics.suites.cohort_looks import first_event_looks, rate_looks
from analytics.suites.cohort_trials import OwnPast, Watch, watch, winsorised_fleet

BURN_IN = 24.0


KINDS = ("parallel arms", "biased waves with outages", "waves with rare events", "amounts")


def simulated(kind: str) -> tuple[Fleet, float]:
    """A fleet, and the hours of its burn-in."""
    if kind == "parallel arms":
        return parallel_arms(np.random.default_rng(1), treated=60, control=200, ratio=1.5, per_day=0.5), 0.0
    if kind == "biased waves with outages":
        rng = np.random.default_rng(2)
        return staged(rng, devices=400, ratio=1.3, per_day=0.5, outages=True, bias=1.0), BURN_IN
    if kind == "waves with rare events":
        return staged(np.random.default_rng(3), devices=300, ratio=0.7, per_day=0.05), BURN_IN
    return drains(np.random.default_rng(4), treated=50, control=100, ratio=1.1), 0.0


def block(fleet: Fleet, burn_in_hours: float) -> Block:
    """The fleet as the product's tests take it."""
    slot, burn = np.arange(fleet.slots), round(burn_in_hours / fleet.slot_hours)
    treated = slot >= (fleet.update + burn)[:, None]
    counted = treated | (slot < fleet.update[:, None])
    return Block(np.where(counted, fleet.slot_hours, 0.0), treated, np.where(counted, fleet.dense(), 0.0))


@pytest.mark.parametrize("kind", KINDS)
def test_rates_are_the_products_at_every_look(kind: str) -> None:
    fleet, burn_in_hours = simulated(kind)
    past = OwnPast.of(fleet)
    pasts = [past.rates, past.late, past.early]
    expected = product.rate_looks(block(fleet, burn_in_hours), Strata.of(fleet.stratum), pasts)
    found = rate_looks([fleet], burn_in_hours, [pasts])[0]
    pairs = [(found.estimates(how), expected.estimates(how)) for how in ("none", "cuped", "differences")]
    pairs += [(found.past_differences(*which), expected.past_differences(*which)) for which in ((0,), (1, 2))]
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine.theta, theirs.theta, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(mine.information, theirs.information, rtol=1e-8, atol=1e-9)
    assert np.array_equal(found.devices_with_events, expected.devices_with_events)
    assert np.array_equal(found.devices_with_past, expected.devices_with_past)


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("margin", [1.0, 1.05])
def test_first_events_are_the_products_at_every_look(kind: str, margin: float) -> None:
    fleet, burn_in_hours = simulated(kind)
    seen = block(fleet, burn_in_hours)
    expected = product.first_event_looks(
        seen.hours, seen.treated, fleet.dense() > 0, Strata.of(fleet.stratum), margin=margin
    )
    np.testing.assert_allclose(first_event_looks(fleet, burn_in_hours, margin), expected, rtol=1e-9, atol=1e-11)


def test_fleets_looked_at_together_are_seen_as_they_are_alone() -> None:
    several = [
        staged(np.random.default_rng([5, number]), devices=200 + number, ratio=1.3, per_day=0.5) for number in range(3)
    ]
    pasts = [[OwnPast.of(fleet).rates] for fleet in several]
    together = rate_looks(several, BURN_IN, pasts)
    for fleet, past, found in zip(several, pasts, together, strict=True):
        alone = rate_looks([fleet], BURN_IN, [past])[0]
        assert found.estimates("cuped").theta.tolist() == alone.estimates("cuped").theta.tolist()


@pytest.mark.parametrize("assignment", ["randomised", "unknown"])
@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("until", [150, 250, 336])
def test_a_trial_says_what_the_watch_weighs(assignment: Assignment, bias: float, until: int) -> None:
    """Also where the arms are not what they are said to be, and the placebo speaks."""
    fleet = staged(np.random.default_rng(6), devices=600, ratio=1.4, per_day=0.5, bias=bias)
    margin = 1.0 if assignment == "randomised" else 1.05
    trial = watch(fleet, Watch(assignment=assignment, margin=margin, burn_in_hours=BURN_IN))
    weight = weigh(_stream(fleet, margin, until), assignment, margin=margin, guard=30)
    assert trial.combined[until - 1] == pytest.approx(weight.log_e, rel=1e-9, abs=1e-9)
    if weight.log_e_rate is not None:
        assert trial.rate[until - 1] == pytest.approx(weight.log_e_rate, rel=1e-9, abs=1e-9)
    if weight.log_e_first is not None:
        assert trial.first[until - 1] == pytest.approx(weight.log_e_first, rel=1e-9, abs=1e-9)


def _stream(fleet: Fleet, margin: float, until: int) -> Stream:
    """The product's running evidence after the fleet's first slots."""
    strata, kept = Strata.of(fleet.stratum), PRE_DAYS - 3
    halves = [
        PastSums.nothing(fleet.devices).add(np.full_like(part, 24.0), part, strata)
        for part in (fleet.before[:, : kept // 2], fleet.before[:, kept // 2 : kept])
    ]
    seen, part = block(fleet, BURN_IN), slice(0, until)
    counts = Counts(seen.hours[:, part], seen.treated[:, part], seen.events[:, part], fleet.dense()[:, part] > 0)
    return Stream.begin(REBOOTS, Past(halves[0], halves[1]), margin).add(counts, strata)


def test_a_release_said_to_be_randomised_is_not_believed_where_its_adopters_were_frail_before() -> None:
    fleet = staged(np.random.default_rng(7), devices=1500, ratio=1.0, per_day=0.5, bias=1.5)
    plan = Watch(assignment="randomised", burn_in_hours=BURN_IN)
    trial = watch(fleet, plan)
    assert np.isneginf(trial.first[-1])  # the first events no longer count
    assert trial.alarm(trial.combined, 0.05) != trial.alarm(trial.combined, 0.05)  # nan: no alarm


def test_glitches_of_amounts_are_cut_before_they_are_judged() -> None:
    fleet = drains(np.random.default_rng(8), treated=100, control=400, ratio=1.0)
    cut = winsorised_fleet(fleet)
    assert cut.count.max() < 0.5 * fleet.count.max()
    assert np.mean(cut.count < fleet.count) < 0.02


def test_nobody_looks_between_the_looks() -> None:
    fleet = parallel_arms(np.random.default_rng(9), treated=60, control=100, ratio=1.0, per_day=0.5)
    every, sixth = watch(fleet, Watch()), watch(fleet, Watch(slots_per_look=6))
    assert sixth.days.tolist() == every.days[5::6].tolist()
    assert sixth.combined.tolist() == every.combined[5::6].tolist()
