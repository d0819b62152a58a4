"""How far what a model looks at has moved since it was trained. Only shown: with many devices any test of this would always alarm.

For each column the population stability index, sum (q - p) log (q / p) over ten levels with equally many values in training, and the
Jensen-Shannon distance of the same shares (base 2, between 0 and 1). By custom an index above 0.1 is worth a look and one above 0.25 is
much (Siddiqi, "Credit risk scorecards", 2006). Values that are missing are a level of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analytics.artifacts import Artifact
from analytics.hazard import Matrix
from analytics.panel import Floats, Ints

LEVELS = 10
SHOWN = 12
FIRMWARES_SHOWN = 4
FEWEST = 30
_LEAST = 1e-3


def shifts(artifact: Artifact, features: Matrix, firmware: Ints, firmwares: Sequence[str]) -> dict[str, Any]:
    """The columns that have moved most, of all devices and of each of the most frequent firmwares."""
    detail: dict[str, Any] = {"devices": len(features), "columns": _moved(artifact, features)}
    counts = np.bincount(firmware, minlength=len(firmwares))
    by_firmware = {}
    for code in np.argsort(-counts, kind="stable")[:FIRMWARES_SHOWN].tolist():
        if len(firmwares) > 1 and counts[code] >= FEWEST:
            by_firmware[firmwares[code]] = {
                "devices": int(counts[code]),
                "columns": _moved(artifact, features[firmware == code])[:3],
            }
    return detail | {"by_firmware": by_firmware}


def _moved(artifact: Artifact, features: Matrix) -> list[dict[str, Any]]:
    if len(features) < FEWEST:
        return []
    told: list[dict[str, Any]] = []
    for place, column in enumerate(artifact.columns):
        before, now = _shares(artifact.hazard.levels.cuts[place], float(artifact.missing[place]), features[:, place])
        told.append({"column": column.name, "psi": _psi(before, now), "js": _js(before, now)})
    return sorted(told, key=lambda one: (-one["psi"], one["column"]))[:SHOWN]


def _shares(cuts: Matrix, missing: float, values: Matrix) -> tuple[Floats, Floats]:
    """Shares of each level in training and now; the last level is "missing"."""
    tenths = np.unique(cuts[np.linspace(0, len(cuts), LEVELS + 1)[1:-1].astype(np.int64)]) if len(cuts) else cuts
    of_cut = np.searchsorted(tenths, cuts, side="left") if len(cuts) else np.zeros(0, dtype=np.int64)
    before = np.bincount(of_cut, minlength=len(tenths) + 1).astype(np.float64)
    before[-1] += 1  # between n cuts lie n + 1 levels
    known = ~np.isnan(values)
    now = np.bincount(np.searchsorted(tenths, values[known], side="left"), minlength=len(tenths) + 1)
    share = known.mean()
    shares = (
        np.append(before / before.sum() * (1 - missing), missing),
        np.append(now / max(now.sum(), 1) * share, 1 - share),
    )
    floored = [np.maximum(one, _LEAST) for one in shares]
    return floored[0] / floored[0].sum(), floored[1] / floored[1].sum()


def _psi(before: Floats, now: Floats) -> float:
    return round(float(((now - before) * np.log(now / before)).sum()), 4)


def _js(before: Floats, now: Floats) -> float:
    middle = (before + now) / 2
    divergence = sum(float((one * np.log2(one / middle)).sum()) / 2 for one in (before, now))
    return round(float(np.sqrt(max(divergence, 0.0))), 4)
