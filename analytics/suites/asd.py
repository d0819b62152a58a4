"""The suite `asd`: many metrics of one device at once, with labels and the metrics that were wrong.

`analytics.scorers.structure`, as it runs, learns each series' train and scores its test step by step; it sees neither labels nor what
comes later, and nothing is set for a series. Average precision is over steps, without point adjustment (which gives random scores an F1
of .7 here). `hit_at_3`: the share of labelled segments where one of the three metrics with the largest part at the segment's highest
score is among those labelled; where segments label most metrics, so does chance: see the rival `random`. Segments of which nobody says
which metrics were wrong have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analytics.panel import Floats
from analytics.scorers import structure
from analytics.suites.asd_files import Segment, Series, series_in
from analytics.suites.asd_rivals import RIVALS, SEED, Rival, Verdicts
from analytics.suites.goals import Goal, above
from analytics.suites.ranking import Ranking, drawn, interval
from hearthwatch.errors import Invalid

NAMED = 3
DRAWS = 1000
MEAN = "mean"
TO_BEAT = ("pca", "isolation_forest")

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Draws:
    """How often each series counts, (draws, series), and each segment of each series, (draws, segments): the same for all methods."""

    series: Floats
    segments: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One method: ``precision`` (series,), ``hits`` of each series' segments, 1, 0, or NaN where nobody says what was wrong, ``redrawn``
    (draws, series): precision by drawn segments."""

    precision: Floats
    hits: tuple[Floats, ...]
    redrawn: Floats

    @property
    def hit_share(self) -> float:
        """Share of all segments of which is said what was wrong; NaN without any."""
        return _share(np.concatenate(self.hits))


def evaluate(data: Path, told: Told = lambda _name, _done, _total: None, *, draws: int = DRAWS) -> dict[str, Any]:
    """`results` of ours and `baselines` of others: for each series and their `mean`, `average_precision` and `hit_at_3`.

    ``draws``: resamples behind the intervals. Raises `Missing` or `Invalid`, naming file and key.
    """
    fleet = series_in(data)
    if any(series.name == MEAN for series in fleet):
        raise Invalid(f"{data}: a series may not be called {MEAN}")
    methods: dict[str, Rival] = {"hearthwatch": hearthwatch, **RIVALS}
    redraws = _draws(fleet, draws)
    judged: dict[str, Judged] = {}
    for number, (name, method) in enumerate(methods.items()):
        told(name, number, len(methods))
        judged[name] = _judged(method, fleet, redraws)
    ours = judged.pop("hearthwatch")
    results = _answer(ours, fleet, redraws)
    results[MEAN]["ahead_of"] = {name: _ahead(ours, other, redraws) for name, other in judged.items()}
    baselines = {name: _answer(other, fleet, redraws) for name, other in judged.items()}
    return {"results": results, "baselines": baselines, "goals": _goals(results, baselines)}


def _goals(results: Mapping[str, Any], baselines: Mapping[str, Any]) -> dict[str, Goal]:
    """To be ahead of every one of `TO_BEAT`, on average over the series."""
    goals = {}
    for measure in ("average_precision", "hit_at_3"):
        for rival in TO_BEAT:
            theirs = baselines[rival][MEAN][measure] if rival in baselines else None
            if theirs is not None:
                goals[f"{measure}_ahead_of_{rival}"] = above(theirs, results[MEAN][measure])
    return goals


def hearthwatch(train: Floats, test: Floats) -> Verdicts:
    """The product's scorer on one device: learn its past, then go on step by step. A step at which nothing was measured scores 0."""
    model, memory = structure.learned(train[:, None, :])
    found, _memory = structure.scored(model, memory, test[:, None, :])
    return Verdicts(np.nan_to_num(found.score[:, 0]), np.nan_to_num(found.contribution[:, 0]))


def _draws(fleet: Sequence[Series], count: int) -> Draws:
    rng = np.random.default_rng(SEED)
    of_series = drawn(rng, len(fleet), count)
    return Draws(of_series, tuple(drawn(rng, len(series.segments), count) for series in fleet))


def _judged(method: Rival, fleet: Sequence[Series], draws: Draws) -> Judged:
    precision = np.empty(len(fleet))
    redrawn = np.empty((len(draws.series), len(fleet)))
    hits = []
    for place, series in enumerate(fleet):
        found = _found(method, series)
        ranking = Ranking.of(series.label, found.score)
        precision[place] = ranking.average_precision()
        redrawn[:, place] = [ranking.average_precision(_weight(series, counts)) for counts in draws.segments[place]]
        hits.append(np.array([_named(found, segment) for segment in series.segments]))
    return Judged(precision, tuple(hits), redrawn)


def _found(method: Rival, series: Series) -> Verdicts:
    try:
        return method(series.train, series.test)
    except Invalid as error:
        raise Invalid(f"{series.name}: train: {error}") from error


def _named(found: Verdicts, segment: Segment) -> float:
    """Was one of the metrics named at the segment's peak among the labelled? NaN where none is labelled."""
    if not segment.metrics:
        return np.nan
    peak = segment.first + int(np.argmax(found.score[segment.first : segment.last + 1]))
    return float(bool(segment.metrics & set(np.argsort(-found.part[peak], kind="stable")[:NAMED].tolist())))


def _share(hits: Floats) -> float:
    known = hits[~np.isnan(hits)]
    return float(known.mean()) if len(known) else np.nan


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _weight(series: Series, counts: Floats) -> Floats:
    """How often each step counts if the segments count so often; steps of no segment once."""
    weight = np.zeros(len(series.label))
    covered = np.zeros(len(series.label), dtype=bool)
    for segment, count in zip(series.segments, counts, strict=True):
        inside = slice(segment.first, segment.last + 1)
        covered[inside] = True
        weight[inside] += count
    return np.where(covered & series.label, weight, 1.0)


def _answer(judged: Judged, fleet: Sequence[Series], draws: Draws) -> dict[str, Any]:
    answer: dict[str, Any] = {
        series.name: {
            "average_precision": round(float(precision), 4),
            "hit_at_3": _rounded(_share(hits)),
            "segments": len(hits),
        }
        for series, precision, hits in zip(fleet, judged.precision, judged.hits, strict=True)
    }
    answer[MEAN] = {
        "average_precision": round(float(judged.precision.mean()), 4),
        "hit_at_3": _rounded(judged.hit_share),
        "segments": sum(len(hits) for hits in judged.hits),
        "by_series": {name: interval(values) for name, values in _by_series(judged, draws).items()},
        "by_segments": {name: interval(values) for name, values in _by_segments(judged, draws).items()},
    }
    return answer


def _by_series(judged: Judged, draws: Draws) -> dict[str, Floats]:
    """Both figures for every draw of series."""
    hits = np.array([np.nansum(hits) for hits in judged.hits])
    known = np.array([(~np.isnan(hits)).sum() for hits in judged.hits])
    return {
        "average_precision": draws.series @ judged.precision / len(judged.precision),
        "hit_at_3": _divided(draws.series @ hits, draws.series @ known),
    }


def _by_segments(judged: Judged, draws: Draws) -> dict[str, Floats]:
    """Both figures for every draw of segments within their series."""
    drawn_hits = list(zip(draws.segments, judged.hits, strict=True))
    hits = np.asarray(sum(counts @ np.nan_to_num(hits) for counts, hits in drawn_hits))
    known = np.asarray(sum(counts @ ~np.isnan(hits) for counts, hits in drawn_hits))
    return {"average_precision": judged.redrawn.mean(axis=1), "hit_at_3": _divided(hits, known)}


def _divided(hits: Floats, known: Floats) -> Floats:
    """Shares; NaN where there is nothing to share."""
    return np.where(known > 0, hits / np.maximum(known, 1), np.nan)


def _ahead(ours: Judged, other: Judged, draws: Draws) -> Mapping[str, Any]:
    """By how much ours is better, with intervals of the same draws for both."""
    difference = {
        "average_precision": float((ours.precision - other.precision).mean()),
        "hit_at_3": ours.hit_share - other.hit_share,
    }
    series = _by_series(ours, draws), _by_series(other, draws)
    segments = _by_segments(ours, draws), _by_segments(other, draws)
    return {
        name: {
            "difference": _rounded(value),
            "by_series": interval(series[0][name] - series[1][name]),
            "by_segments": interval(segments[0][name] - segments[1][name]),
        }
        for name, value in difference.items()
    }
