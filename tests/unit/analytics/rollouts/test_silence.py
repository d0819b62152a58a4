"""Silence of the open wave against those whose turn has not come."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rollouts.silence import Silence, Standing

STANDINGS = st.lists(
    st.builds(Standing, st.sampled_from(["A", "B"]), st.booleans(), st.booleans()), min_size=0, max_size=40
)


def standings(treated: int, silent: int, control: int, control_silent: int, stratum: str = "A") -> list[Standing]:
    return [
        *(Standing(stratum, True, number < silent) for number in range(treated)),
        *(Standing(stratum, False, number < control_silent) for number in range(control)),
    ]


def test_without_any_silence_there_is_no_evidence() -> None:
    assert Silence().add(standings(40, 0, 400, 0)) == Silence()
    assert Silence().e == pytest.approx(1.0)


def test_a_few_that_are_offline_as_elsewhere_are_no_evidence() -> None:
    evidence = Silence().add(standings(40, 3, 400, 30))
    assert evidence.e < 1.0
    assert evidence.share(37) == 0.0


def test_bricked_devices_are_evidence_and_their_share_is_told() -> None:
    evidence = Silence().add(standings(40, 5, 400, 2))
    assert evidence.e > 1000.0
    assert evidence.share(35) == pytest.approx(4.8 / 39.8)


def test_a_stratum_with_one_arm_alone_tells_nothing() -> None:
    alone = Silence().add([*standings(40, 20, 0, 0), *standings(0, 0, 30, 1, "B")])
    assert alone == Silence()


@given(STANDINGS, st.randoms(use_true_random=False))
def test_the_order_of_devices_does_not_matter(given_: list[Standing], random: np.random.Generator) -> None:
    other = list(given_)
    random.shuffle(other)
    assert Silence().add(given_).e == pytest.approx(Silence().add(other).e)


@given(STANDINGS, STANDINGS)
def test_what_was_kept_between_looks_goes_on_as_if_nothing_had_happened(
    first: Sequence[Standing], second: Sequence[Standing]
) -> None:
    kept = Silence.of_json(json.loads(json.dumps(Silence().add(first).as_json())))
    assert kept.add(second) == Silence().add(first).add(second)


def test_over_all_looks_together_a_harmless_release_is_accused_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(3)
    accused = 0
    for _ in range(150):
        treated, control, evidence, highest = 20, 60, Silence(), 1.0
        for _ in range(30):  # a common cause now and then takes many at once
            hazard = 0.05 if rng.random() < 0.1 else 0.005
            lost, lost_control = int(rng.binomial(treated, hazard)), int(rng.binomial(control, hazard))
            if lost + lost_control:
                evidence = evidence.add(standings(treated, lost, control, lost_control))
            treated, control = treated - lost, control - lost_control
            highest = max(highest, evidence.e)
        accused += highest >= 20.0
    assert accused <= 0.05 * 150 + 3 * (0.05 * 0.95 * 150) ** 0.5
