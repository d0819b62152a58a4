"""What stands behind a ratio: which strata and which devices contribute most to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.cohorts.fleet import Place
from analytics.sequential.cluster import RateSums
from analytics.sequential.mixture import Floats

MOST_STRATA = 8
MOST_CONTRIBUTORS = 10


def influence(sums: RateSums) -> Floats:
    """Each device's influence on the log ratio, shape (devices,); while nothing has happened in an arm, that through the other."""
    by_treatment, by_control = _by_arm(sums)
    return by_treatment - by_control


def _by_arm(sums: RateSums) -> tuple[Floats, Floats]:
    nothing = np.zeros(sums.a.size)
    return (
        sums.a / sums.total_a if sums.total_a > 0 else nothing,
        sums.b / sums.total_b if sums.total_b > 0 else nothing,
    )


def strata_detail(sums: RateSums, of_device: NDArray[np.int64], places: Sequence[Place]) -> list[Mapping[str, Any]]:
    """Up to `MOST_STRATA` strata with both arms, the largest share of the squared influence first.

    ``ratio`` is the stratum's own (None while an arm has no events there), ``devices`` and ``events`` are [treatment, control].
    """
    squared = influence(sums) ** 2
    total = float(squared.sum())
    if total <= 0:
        return []
    count = len(places)

    def by_stratum(values: NDArray[Any]) -> Floats:
        return np.bincount(of_device, weights=values, minlength=count).astype(np.float64, copy=False)

    share = by_stratum(squared) / total
    devices = by_stratum(sums.hours_treated > 0), by_stratum(sums.hours_control > 0)
    events = by_stratum(sums.events_treated), by_stratum(sums.events_control)
    ratio = _ratios(sums, by_stratum)
    order = [index for index in np.argsort(-share, kind="stable").tolist() if devices[0][index] and devices[1][index]]
    return [
        {
            **asdict(places[index]),
            "ratio": ratio[index],
            "devices": [int(devices[0][index]), int(devices[1][index])],
            "events": [_short(events[0][index]), _short(events[1][index])],
            "share": _short(share[index]),
        }
        for index in order[:MOST_STRATA]
    ]


def _ratios(sums: RateSums, by_stratum: Any) -> list[float | None]:
    """The Mantel-Haenszel ratio of each stratum, from contributions over what an average device would have contributed.

    With R the ratio of all, a = events - R expected in the treated arm and b = events - expected in the control, both weighted alike.
    """
    overall = sums.total_a / sums.total_b if sums.total_b > 0 else 1.0
    treated = by_stratum(sums.a) + overall * by_stratum(sums.expected_treated)
    control = by_stratum(sums.b) + by_stratum(sums.expected_control)
    return [_short(one / other) if one > 0 and other > 0 else None for one, other in zip(treated, control, strict=True)]


def contributors(sums: RateSums, ids: Sequence[str], of_device: NDArray[np.int64]) -> list[Mapping[str, Any]]:
    """Up to `MOST_CONTRIBUTORS` devices with the largest share of the squared influence on the ratio.

    ``arm`` is the one through which it acts, ``events`` what happened there, ``expected`` what a control device of the same stratum would
    have had in as many hours.
    """
    squared = influence(sums) ** 2
    total = float(squared.sum())
    if total <= 0:
        return []
    hours = np.bincount(of_device, weights=sums.hours_control)
    events = np.bincount(of_device, weights=sums.events_control)
    rate = np.divide(events, hours, out=np.zeros_like(hours), where=hours > 0)[of_device]
    treatment, control = _by_arm(sums)
    by_treatment = np.abs(treatment) >= np.abs(control)
    found: list[Mapping[str, Any]] = []
    for index in np.argsort(-squared, kind="stable")[:MOST_CONTRIBUTORS].tolist():
        if squared[index] <= 0:
            break
        treated = bool(by_treatment[index])
        own = (sums.events_treated, sums.hours_treated) if treated else (sums.events_control, sums.hours_control)
        found.append(
            {
                "device": ids[index],
                "arm": "treatment" if treated else "control",
                "events": _short(own[0][index]),
                "expected": _short(rate[index] * own[1][index]),
                "share": _short(squared[index] / total),
            }
        )
    return found


def _short(value: float) -> float:
    """Four significant digits: a look is kept for good."""
    return float(f"{float(value):.4g}")
