"""Operating regimes: groups of settings under which a unit reads differently though it is as worn, found from the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.remaining_life.histories import Floats, Ints

MOST = 10
SAMPLE = 3000
APART = 0.8
"""Mean silhouette from which on settings are said to lie in groups; noise around one point gives about 0.4."""
NEGLIGIBLE = 1e-9
FEW_ROWS = 50
SEED = 20240601


@dataclass(frozen=True, slots=True, eq=False)
class Regimes:
    """Centres of the groups in units of ``scale``, and what each signal usually reads there: ``mean``, ``spread`` (groups, signals)."""

    scale: Floats
    centres: Floats
    mean: Floats
    spread: Floats

    def of(self, settings: Floats) -> Ints:
        """The regime of each row."""
        if len(self.centres) == 1:
            return np.zeros(len(settings), dtype=np.int64)
        distance = ((settings / self.scale)[:, None, :] - self.centres[None, :, :]) ** 2
        return np.asarray(distance.sum(axis=2).argmin(axis=1), dtype=np.int64)

    def distance(self, settings: Floats) -> Floats:
        """How far each row lies from the nearest regime, in standard deviations of all settings."""
        distance = ((settings / self.scale)[:, None, :] - self.centres[None, :, :]) ** 2
        return np.asarray(np.sqrt(distance.sum(axis=2).min(axis=1)), dtype=np.float64)

    def normalised(self, settings: Floats, signals: Floats) -> Floats:
        """Signals as deviations from what is usual in their row's regime, in its standard deviations."""
        regime = self.of(settings)
        result: Floats = (signals - self.mean[regime]) / self.spread[regime]
        return result


def find_regimes(settings: Floats, signals: Floats) -> Regimes:
    """Regimes of these rows, the same in whatever order the rows come."""
    scale = settings.std(axis=0)
    scale = np.where(scale > NEGLIGIBLE * (1.0 + np.abs(settings).max(axis=0, initial=0.0)), scale, np.inf)
    centres = _centres(settings / scale)
    whole = Regimes(scale, centres, np.zeros((1, signals.shape[1])), np.ones((1, signals.shape[1])))
    regime = whole.of(settings)
    usual = _moments(signals)
    moments = [
        _moments(signals[regime == one]) if (regime == one).sum() >= FEW_ROWS else usual for one in range(len(centres))
    ]
    mean, spread = (np.stack([each[part] for each in moments]) for part in (0, 1))
    return Regimes(scale, centres, mean, spread)


def _centres(points: Floats) -> Floats:
    """Centres of the clearest grouping, or of all points where none is clear."""
    centre: Floats = points.mean(axis=0, keepdims=True)
    if not points.shape[1] or len(points) <= MOST:
        return centre
    from sklearn.cluster import KMeans  # heavy: not before there is something to group
    from sklearn.metrics import silhouette_score

    ordered = points[np.lexsort(points.T)]
    sample = ordered[np.unique(np.linspace(0, len(ordered) - 1, SAMPLE).astype(np.int64))]
    distinct = len(np.unique(sample, axis=0))
    best, clearest = centre, APART
    for groups in range(2, min(MOST, distinct - 1) + 1):
        found = KMeans(groups, n_init=4, random_state=SEED).fit(sample)
        clear = silhouette_score(sample, found.labels_)
        if clear > clearest:
            best, clearest = np.asarray(found.cluster_centers_, dtype=np.float64), float(clear)
    return best


def _moments(signals: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column without NaN; a constant or absent one gets an infinite spread: it says nothing."""
    known = ~np.isnan(signals)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, signals, 0.0)
    mean = filled.sum(axis=0) / count
    spread = np.sqrt((np.where(known, signals - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > NEGLIGIBLE * (1.0 + np.abs(mean)), spread, np.inf)
