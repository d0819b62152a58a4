"""What a candidate is worth: trained on the past and most devices, tested on what came after, and on devices it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.calibration import Calibration, fit_calibration, independent_failures
from analytics.evaluation import scores
from analytics.hazard import fit_age_hazard, fit_hazard
from analytics.lives import Lives, labelled
from analytics.panel import Flags, Floats, Ints, day_start
from analytics.training.data import Data
from analytics.training.names import EDGES, HORIZONS, JUDGED_AT
from analytics.training.reliability import observed_expected, reliability
from analytics.training.rows import NEAR_DAYS, Rows, ages_of, chosen_rows, folds_of, held_out

TEST_SHARE = 0.3
MIN_TEST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a candidate was worth: its report, whether it beat age alone, the calibration that its test days gave with what it rests on
    (by horizon, for the card), and how crowded the failures are (1: independent)."""

    report: dict[str, Any]
    better: bool
    calibration: Mapping[int, Calibration]
    calibrated: Mapping[str, Any]
    dispersion: float


def first_test_day(lives: Lives) -> int:
    """The day from which on a candidate is tested: the last `TEST_SHARE` of the days that anything is known of."""
    days = np.flatnonzero(lives.usable.any(axis=0))
    return int(days[int(len(days) * (1 - TEST_SHARE))]) if len(days) else 0


def judge(data: Data, lives: Lives) -> Judgement | None:
    """Train on the past and most devices, test on the rest; None where either side has too few failures to say anything, or the
    history is so short that of the test's days only those before a failure have a known answer."""
    cut = first_test_day(lives)
    day = np.arange(data.panel.days)
    held = held_out(data.panel)
    past = chosen_rows(data, lives, (day < cut)[None, :] & ~held[:, None], until=cut)
    known, _ = labelled(lives, JUDGED_AT)
    test = chosen_rows(data, lives, (day >= cut)[None, :] & known, test=True)
    fails = test.snapshots.to_failure <= JUDGED_AT
    failing = len(np.unique(test.device[fails]))
    if (
        failing < MIN_TEST_FAILURES
        or fails.all()
        or len(np.unique(past.device[past.snapshots.to_failure <= JUDGED_AT])) < MIN_TEST_FAILURES
    ):
        return None
    model = fit_hazard(past.snapshots, EDGES, folds_of(data.panel)[past.device], near_days=NEAR_DAYS)
    raw = model.raw(test.snapshots.features, HORIZONS)
    calibration, calibrated = _calibrations(test, raw, lives)
    probability = _cross_calibrated(test, raw[:, HORIZONS.index(JUDGED_AT)])
    independent = _independent(test, fails)
    age = ages_of(data, past), ages_of(data, test)
    baseline = fit_age_hazard(age[0], past.snapshots.to_failure, past.snapshots.weight)
    by_age = baseline.probabilities(age[1], (JUDGED_AT,))[:, 0]
    ours, theirs = scores(probability, fails), scores(by_age, fails)
    gain, error = _gain(test.device, probability, _cross_calibrated(test, by_age), fails)
    unseen = held[test.device]
    report = {
        "horizon_days": JUDGED_AT,
        "cut": day_start(data.panel.first_day + cut).date().isoformat(),
        "failing_devices": failing,
        "test": ours,
        "unseen_devices": scores(probability[unseen], fails[unseen]),
        "baseline": {key: theirs[key] for key in ("auc", "average_precision", "brier")},
        "observed_expected": observed_expected(probability, fails, test.snapshots.weight, independent),
        "reliability": reliability(probability, fails, test.device, test.snapshots.weight),
        "gain_over_age": {"squared_error": round(gain, 3), "standard_error": round(error, 3)},
    }
    better = ours["average_precision"] > theirs["average_precision"] and ours["brier"] < theirs["brier"]
    better = better and gain > error
    return Judgement(report, bool(better), calibration, calibrated, round(max(1.0, failing / independent), 2))


def _gain(device: Ints, probability: Floats, by_age: Floats, fails: Flags) -> tuple[float, float]:
    """By how much the candidate's squared errors are less than those of age alone, summed over rows, and the standard error of that over
    devices: the rows of one device are one story, and with few failing devices luck alone can look like skill."""
    by_device = np.bincount(device, (by_age - fails) ** 2 - (probability - fails) ** 2)[np.unique(device)]
    number = len(by_device)
    return float(by_device.sum()), float(np.sqrt(number) * np.std(by_device, ddof=1)) if number > 1 else np.inf


def _calibrations(test: Rows, raw: Floats, lives: Lives) -> tuple[dict[int, Calibration], dict[str, Any]]:
    """A calibration for each horizon, on the test days whose answer at that horizon is known, and what it rests on.

    A horizon without a failure and a survivor among them takes that of the longest horizon that has both: how far off the model is at 30
    days says more about 90 than nothing does.
    """
    fitted: dict[int, Calibration] = {}
    told: dict[str, Any] = {}
    for column, horizon in enumerate(HORIZONS):
        known, fails = labelled(lives, horizon)
        rows = known[test.device, test.day]
        failed = fails[test.device, test.day] & rows
        if failed.any() and not failed[rows].all():
            positives = _independent(test, failed)
            fitted[horizon] = fit_calibration(raw[rows, column], failed[rows], positives, test.snapshots.weight[rows])
            told[str(horizon)] = {"kind": fitted[horizon].kind, "independent_failures": round(positives, 1)}
    longest = max(fitted, default=None)
    for horizon in HORIZONS:
        if horizon not in fitted:
            fitted[horizon] = Calibration() if longest is None else fitted[longest]
            told[str(horizon)] = {"kind": fitted[horizon].kind, "independent_failures": 0.0, "taken_from_days": longest}
    return fitted, told


def _independent(test: Rows, failed: Flags) -> float:
    """How many independent failures the failing rows are worth."""
    on = (test.day + test.snapshots.to_failure)[failed].astype(np.int64)
    days = int(test.day.max() - test.day.min()) + JUDGED_AT if len(test.day) else 0
    return independent_failures(test.device[failed], on, days)


def _cross_calibrated(test: Rows, raw: Floats) -> Floats:
    """Calibrated on one half of the devices, applied to the other: what the report says was not fitted to itself."""
    half = test.device % 2 == 0
    fails = test.snapshots.to_failure <= JUDGED_AT
    result = np.empty(len(raw))
    for side in (half, ~half):
        other = ~side
        positives = _independent(test, other & fails)
        fitted = fit_calibration(raw[other], fails[other], positives, test.snapshots.weight[other])
        result[side] = fitted.apply(raw[side])
    return result
