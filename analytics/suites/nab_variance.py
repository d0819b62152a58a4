"""How much of a benchmark's score is the luck of its files: resampled files, and five parts of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.suites.nab_scoring import PROFILES, Judged, score

RESAMPLES = 2000
FOLDS = 5
_SEED = 1


def bootstrap(judged: Sequence[Judged]) -> dict[str, Any]:
    """Standard deviation and 95 % interval of each score over resampled files."""
    random = np.random.default_rng(_SEED)
    told: dict[str, Any] = {}
    drawn = [random.integers(len(judged), size=len(judged)) for _ in range(RESAMPLES)]
    for name, profile in PROFILES.items():
        # As in `score`, from each file's sum and number of windows.
        values = np.array([one.value(profile) for one in judged])
        windows = np.array([len(one.hits) for one in judged])
        sums = np.array([(values[rows].sum(), windows[rows].sum()) for rows in drawn])
        sums = sums[sums[:, 1] > 0]
        found = 100 * (sums[:, 0] + profile.miss * sums[:, 1]) / (sums[:, 1] * (profile.hit + profile.miss))
        low, high = np.quantile(found, [0.025, 0.975]) if found.size else (np.nan, np.nan)
        told[name] = {"sd": round(float(np.std(found)), 2), "low": round(float(low), 2), "high": round(float(high), 2)}
    return told


def by_fold(names: Sequence[str], ours: Sequence[Judged], others: Mapping[float, Sequence[Judged]]) -> dict[str, Any]:
    """The standard score of five parts of the files; and of all, had the threshold of each part been chosen on the other four."""
    fold = np.array([zlib.crc32(name.encode()) % FOLDS for name in names])
    profile = PROFILES["standard"]
    chosen: list[Judged] = []
    thresholds = []
    for part in range(FOLDS):
        elsewhere = {
            threshold: score([one for one, of in zip(judged, fold, strict=True) if of != part], profile)
            for threshold, judged in others.items()
        }
        best = max(elsewhere, key=lambda threshold: np.nan_to_num(elsewhere[threshold], nan=-np.inf))
        thresholds.append(best)
        chosen += [one for one, of in zip(others[best], fold, strict=True) if of == part]
    parts = [score([one for one, of in zip(ours, fold, strict=True) if of == part], profile) for part in range(FOLDS)]
    return {
        "standard": [round(part, 2) if part == part else None for part in parts],
        "thresholds_from_the_others": thresholds,
        "standard_with_those": round(score(chosen, profile), 2),
    }
