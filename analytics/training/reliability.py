"""How well a model's probabilities kept their word on days it had not learned from, for its card."""

from __future__ import annotations

from typing import Any

import numpy as np

from analytics.panel import Flags, Floats, Ints

BINS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def reliability(probability: Floats, failed: Flags, device: Ints, weight: Floats) -> list[dict[str, Any]]:
    """By bands of the probability: device-days, failing devices, what was said in the mean and what came."""
    band = np.clip(np.searchsorted(BINS, probability, side="right") - 1, 0, len(BINS) - 2)
    table = []
    for place in range(len(BINS) - 1):
        mine = band == place
        if mine.any():
            table.append(
                {
                    "from": BINS[place],
                    "to": BINS[place + 1],
                    "rows": int(mine.sum()),
                    "failing_devices": len(np.unique(device[mine & failed])),
                    "said": round(float(np.average(probability[mine], weights=weight[mine])), 6),
                    "came": round(float(np.average(failed[mine], weights=weight[mine])), 6),
                }
            )
    return table


def observed_expected(probability: Floats, failed: Flags, weight: Floats, independent: float) -> dict[str, Any]:
    """Observed over expected with its 95 % interval, as if ``independent`` failures had come (Poisson; Garwood 1936)."""
    from scipy.special import gammaincinv

    expected = float((weight * probability).sum())
    ratio = float(weight[failed].sum()) / expected if expected > 0 else float("nan")
    n = max(independent, 1e-9)
    low, high = gammaincinv(n, 0.025) / n, gammaincinv(n + 1, 0.975) / n
    return {
        "ratio": _short(ratio),
        "low": _short(ratio * low),
        "high": _short(ratio * high),
        "independent_failures": round(independent, 1),
    }


def _short(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
