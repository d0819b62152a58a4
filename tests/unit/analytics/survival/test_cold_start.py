from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.labels import Labels
from analytics.panel import day_number
from analytics.survival.cold_start import ColdStart, Said, cold_start, told
from hearthwatch.values import Device
from tests.builders import bare_device

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HORIZONS = (7, 30, 90)


UNKNOWN = bare_device("u", model="m0")


def device(name: str, model: str, age: float, watched: float = 400.0) -> Device:
    """A device that is so many days old and has been heard of for the last ``watched`` of them."""
    installed = NOW - timedelta(days=age)
    first_seen = max(installed, NOW - timedelta(days=watched))
    return replace(UNKNOWN, id=name, model=model, installed_at=installed, first_seen=first_seen, last_seen=NOW)


def fleet(models: int, size: int = 300, seed: int = 1, *, scale: float = 1500.0) -> Labels:
    """Motors with lives of shape 3; those that failed before anybody watched are not there, and a broken one is heard of no more."""
    rng = np.random.default_rng(seed)
    by_model: dict[str, list[Device]] = {}
    failures = {}
    for model in range(models):
        while len(by_model.setdefault(f"m{model}", [])) < size:
            age, life = rng.uniform(100, 1400), scale * rng.weibull(3.0)
            if life <= age - 400:
                continue
            name = f"m{model}-{len(by_model[f'm{model}'])}"
            by_model[f"m{model}"].append(device(name, f"m{model}", age))
            if life < age:
                failures[name, "motor"] = [day_number(NOW - timedelta(days=age - life))]
    return Labels(by_model, failures, {})


def numbers(said: Said) -> list[float]:
    """The probabilities of all horizons; fails where one is lacking."""
    assert said.probabilities is not None
    found = [p for p in said.probabilities if p is not None]
    assert len(found) == len(said.probabilities)
    return found


@pytest.fixture(scope="module")
def labels() -> Labels:
    return fleet(4)


@pytest.fixture(scope="module")
def learned(labels: Labels) -> ColdStart:
    found = cold_start(labels, "motor", NOW)
    assert isinstance(found, ColdStart)
    return found


def test_a_part_that_hardly_ever_failed_is_left_alone_with_the_reason(labels: Labels) -> None:
    assert cold_start(labels, "battery", NOW) == (
        "too few failures to learn from: no failures: too few for a distribution of lives, 5 are needed"
    )


def test_it_finds_how_motors_live_though_it_watched_the_survivors_only(learned: ColdStart) -> None:
    assert learned.lives.shape == pytest.approx(3.0, rel=0.15)
    assert learned.lives.scale(0) == pytest.approx(1500, rel=0.1)


def test_an_old_motor_is_likelier_to_fail_than_a_young_one_and_sooner_is_less_likely(
    labels: Labels, learned: ColdStart
) -> None:
    young, old = told(learned, [device("y", "m0", 300), device("o", "m0", 1200)], labels, NOW, HORIZONS)
    assert numbers(old)[1] > 5 * numbers(young)[1]
    assert numbers(old) == sorted(numbers(old))
    truth = 1 - np.exp(-((1230 / 1500) ** 3 - (1200 / 1500) ** 3))
    assert numbers(old)[1] == pytest.approx(truth, rel=0.25)


def test_a_model_that_came_yesterday_is_told_by_the_others(labels: Labels, learned: ColdStart) -> None:
    (said,) = told(learned, [device("n", "new", 900)], labels, NOW, HORIZONS)
    assert said.abstained is None


def test_two_models_do_not_speak_for_a_third() -> None:
    labels = fleet(2)
    learned = cold_start(labels, "motor", NOW)
    assert isinstance(learned, ColdStart)
    (said,) = told(learned, [device("n", "new", 900)], labels, NOW, HORIZONS)
    assert said.probabilities is None
    assert said.abstained == "of a kind that was never watched, and too few kinds have been"


def test_nothing_is_said_of_ages_that_nobody_has_watched_nor_of_an_unknown_age(
    labels: Labels, learned: ColdStart
) -> None:
    ancient, unknown = told(learned, [device("a", "m0", 4000), UNKNOWN], labels, NOW, HORIZONS)
    assert ancient.abstained == "of an age at which too few parts have been watched"
    assert unknown.abstained == "its age is not known"


def test_nothing_is_said_of_a_broken_part_until_it_is_renewed(labels: Labels, learned: ColdStart) -> None:
    one = device("b", "m0", 900)
    broken = Labels({}, {("b", "motor"): [day_number(NOW) - 20]}, {})
    renewed = Labels({}, broken.failures, {("b", "motor"): [day_number(NOW) - 10]})
    assert told(learned, [one], broken, NOW, HORIZONS)[0].probabilities is None
    (fresh,) = told(learned, [one], renewed, NOW, HORIZONS)
    (old,) = told(learned, [one], labels, NOW, HORIZONS)
    assert fresh.probabilities is None or numbers(fresh)[1] < numbers(old)[1] / 5


def test_a_device_that_is_installed_only_tomorrow_has_no_age(labels: Labels, learned: ColdStart) -> None:
    (early,) = told(learned, [device("e", "m0", -1)], labels, NOW, HORIZONS)
    assert early.abstained == "its age is not known"
