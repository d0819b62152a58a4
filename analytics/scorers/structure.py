"""How far a device's metrics together leave what they were: amplitude and structure, with each metric's part in it.

Three views of every metric, each in units of its own usual extreme (the 99 % quantile of its past):

- *structure*: what the principal components of the past do not explain of it. A relation between metrics that breaks shows here
  although no metric leaves its range.
- *season*: the distance from a running profile of the same time of earlier days, half an hour early or late forgiven (1/48 of a
  season). A quiet evening at noon shows here. Only where the past repeats itself.
- *change*: the distance from the average of the last few values.

A metric's contribution is the sum of log(1 + view), averaged over the last few steps; the score is the root mean square of the
contributions. Logarithms keep one wild metric from hiding ten that moved a little. That amplitude in robust units (median, MAD) adds
much to scores of representation alone: "PAI", arXiv 2606.08935.

A `Structure` is learned from the past of a device, or of several alike, and is fixed; a `Memory` is what changes with every step.
All is causal: a score depends on values up to its own step only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analytics.panel import Floats, Ints
from analytics.scorers.season import ENOUGH_SEASONS, season_of
from hearthwatch.errors import Invalid

LIMIT = 10.0
"""A value further off its level than this many deviations says no more than one that far off."""
EXPLAINED = 0.9
"""Share of the past's variance that the components explain; the rest is what is looked at."""
EXTREME = 0.99
"""Quantile of a view's past that counts as 1."""
SMALLEST_EXTREME = 0.2
"""In deviations of the metric: a metric that hardly ever left its prediction is not accused of every tremble."""
RECENT = 0.4
"""Share of the newest value in the average that *change* looks back to, and of the newest step in a contribution."""
PROFILE_SHARE = 0.15
"""Share of today in the running profile."""
FORGIVEN = 48
"""A season is divided by this: so much early or late is no deviation."""
LEVEL_SEASONS = 7
"""Seasons (a week of days) in which the level of a metric follows a lasting shift."""
LEVEL_STEPS = 2016
"""The same in steps where there is no season: a week of 5 minutes."""
FORGET_STEPS = 12
"""Steps without a value after which the last few values are no comparison any more."""
FEWEST_STEPS = 50
"""Steps the past must have."""
LARGEST = 1e150
"""Values beyond this are taken as this (differences must stay finite); infinite ones count as missing."""
VIEWS = ("structure", "season", "change")
_CUT = 3.0  # a value further off teaches no more than one that far off
_NOISE = 1e-9  # of the centre: what floating point makes of a constant


@dataclass(frozen=True, slots=True)
class Structure:
    """What the past taught. All arrays are float64.

    ``centre``, ``scale`` (metrics,): of the values; scale 0 of a metric that never moved, NaN of one never seen. ``components``
    (components, metrics). ``extreme`` (views, metrics). ``season``: steps, 0 if there is none.
    """

    centre: Floats
    scale: Floats
    components: Floats
    extreme: Floats
    season: int

    @property
    def name(self) -> str:
        """The scorer's name in evidence."""
        return "structure"

    @property
    def moving(self) -> int:
        """Metrics that moved in the past."""
        return int((self.scale > 0).sum())


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered between steps; arrays of shape (devices, metrics) where nothing else is said.

    ``step``: number of the next one, counted from the beginning of the past. ``level``: lasting shift from the model's centre.
    ``recent``: average of the last few values, NaN where there is none; ``absent``: steps since the last value. ``profile``
    (season, devices, metrics): usual value by time of day, NaN where never seen. ``contribution``: as of the last step.
    """

    step: int
    level: Floats
    recent: Floats
    absent: Ints
    profile: Floats
    contribution: Floats

    @staticmethod
    def empty(model: Structure, devices: int) -> Memory:
        """Nothing seen yet."""
        shape = (devices, len(model.centre))
        blank = np.full(shape, np.nan)
        profile = np.full((model.season, *shape), np.nan)
        return Memory(0, np.zeros(shape), blank, np.zeros(shape, dtype=np.int64), profile, np.zeros(shape))


@dataclass(frozen=True, slots=True)
class Scored:
    """``score`` (steps, devices), NaN where a device reported nothing; ``contribution`` (steps, devices, metrics), at least 0."""

    score: Floats
    contribution: Floats


def learned(past: Floats, *, season: int | None = None) -> tuple[Structure, Memory]:
    """A model of ``past``, of shape (steps, devices, metrics), evenly spaced, NaN where unknown, and the memory at its end.

    ``season``: steps of a day where known (0: there is none); else it is found in the past. Raises `Invalid` if the past is too
    short or has another shape.
    """
    if past.ndim != 3:
        raise Invalid(f"the past must have the axes steps, devices and metrics; its shape is {past.shape}")
    if len(past) < FEWEST_STEPS:
        raise Invalid(f"the past has {len(past)} steps; {FEWEST_STEPS} are needed to learn from")
    centre, scale = _centre_and_scale(_finite(past).reshape(-1, past.shape[2]))
    standard = np.clip(_standardised(past, centre, scale), -LIMIT, LIMIT)
    if season is None:
        season = season_of(standard.reshape(len(past), -1))
    components = _components(standard.reshape(-1, past.shape[2]))
    model = Structure(centre, scale, components, np.ones((len(VIEWS), len(centre))), season)
    memory = Memory.empty(model, past.shape[1])
    views = np.empty((len(past), len(VIEWS), *past.shape[1:]))
    for step, values in enumerate(past):
        views[step], memory = _looked(model, memory, values)  # writes into the profile, which is ours
    settled = min(ENOUGH_SEASONS * season, len(past) // 2)
    return replace(model, extreme=_extremes(views[settled:])), memory


def stepped(model: Structure, memory: Memory, values: Floats) -> tuple[Floats, Memory]:
    """One step's scores, shape (devices,), and the memory after it; ``values`` (devices, metrics), NaN where unknown.

    The contributions to the scores are the new memory's.
    """
    _must_fit(memory, values.shape)
    return _stepped(model, replace(memory, profile=memory.profile.copy()), values)


def _stepped(model: Structure, memory: Memory, values: Floats) -> tuple[Floats, Memory]:
    views, after = _looked(model, memory, values)
    now = np.log1p(views / model.extreme[:, None, :]).sum(axis=0)
    contribution = memory.contribution + RECENT * (now - memory.contribution)
    score = np.sqrt((contribution**2).sum(axis=1) / max(model.moving, 1))
    silent = ~np.isfinite(values).any(axis=1)
    return np.where(silent, np.nan, score), replace(after, contribution=contribution)


def scored(model: Structure, memory: Memory, values: Floats) -> tuple[Scored, Memory]:
    """Many steps, shape (steps, devices, metrics), one after the other."""
    _must_fit(memory, values.shape[1:])
    score = np.empty(values.shape[:2])
    contribution = np.empty(values.shape)
    memory = replace(memory, profile=memory.profile.copy())
    for step, row in enumerate(values):
        score[step], memory = _stepped(model, memory, row)
        contribution[step] = memory.contribution
    return Scored(score, contribution), memory


def _must_fit(memory: Memory, shape: tuple[int, ...]) -> None:
    if shape != memory.level.shape:
        raise Invalid(f"values of shape {shape} do not fit the remembered devices and metrics, {memory.level.shape}")


def _centre_and_scale(values: Floats) -> tuple[Floats, Floats]:
    """Of each column: the median, and the first measure of spread that is not 0 (MAD, 90 % of the way out, the range, the size)."""
    centre = np.zeros(values.shape[1])
    scale = np.full(values.shape[1], np.nan)
    for metric in range(values.shape[1]):
        seen = values[~np.isnan(values[:, metric]), metric]
        if not len(seen):
            continue
        centre[metric] = np.median(seen)
        off = np.abs(seen - centre[metric])
        spread = max(1.4826 * float(np.median(off)), float(np.quantile(off, 0.9)) / 1.645)
        noise = _NOISE * abs(centre[metric])
        rare = 0.05 * float(off.max())  # constant but for rare excursions
        scale[metric] = next((size for size in (spread, rare) if size > noise), 0.0)
    return centre, scale


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)


def _standardised(values: Floats, centre: Floats, scale: Floats) -> Floats:
    """In deviations from the centre; NaN where unknown. A metric that never moved is at 0, or at a `LIMIT` once it does."""
    off = _finite(values) - centre
    still = scale == 0
    off = np.where(still & (np.abs(off) <= _NOISE * np.abs(centre)), 0.0, off)
    with np.errstate(over="ignore"):  # what overflows is beyond every limit all the same
        deviations = off / np.where(scale > 0, scale, 1.0)
    moved = np.where(still, np.sign(off) * LIMIT, deviations)
    return np.where(np.isnan(scale), np.nan, moved)


def _components(standard: Floats) -> Floats:
    """Principal components that explain `EXPLAINED` of the variance about the centre, largest first; unknown values count as usual."""
    known = np.nan_to_num(standard, nan=0.0)
    known = known - known.mean(axis=0)
    variances, vectors = np.linalg.eigh(known.T @ known / len(known))
    variances = np.maximum(variances[::-1], 0.0)
    total = variances.sum()
    if total <= 0:
        return np.zeros((0, standard.shape[1]))
    count = int(np.searchsorted(np.cumsum(variances) / total, EXPLAINED)) + 1
    components: Floats = np.ascontiguousarray(vectors[:, ::-1][:, :count].T)
    return components


def _extremes(views: Floats) -> Floats:
    """Of each view and metric, from (steps, views, devices, metrics)."""
    steps, count, devices, metrics = views.shape
    rows = views.transpose(0, 2, 1, 3).reshape(steps * devices, count, metrics)
    extreme: Floats = np.maximum(np.quantile(rows, EXTREME, axis=0), SMALLEST_EXTREME)
    return extreme


def _looked(model: Structure, memory: Memory, values: Floats) -> tuple[Floats, Memory]:
    """The views of one step, (views, devices, metrics), 0 where unknown, and the memory after it, its contributions untouched.

    The profile is written to in place: copying it with every step would cost more than all else.
    """
    from_level = np.clip(_standardised(values, model.centre, model.scale) - memory.level, -LIMIT, LIMIT)
    standard = memory.level + from_level
    known = ~np.isnan(standard)
    change = standard - memory.recent
    season = _from_profile(model, memory, standard)
    views = np.stack([_unexplained(model.components, from_level), season, np.abs(change)])
    share = 1.0 / min(memory.step + 1, LEVEL_SEASONS * model.season or LEVEL_STEPS)
    level = memory.level + np.where(known, share * np.clip(from_level, -_CUT, _CUT), 0.0)
    fresh = np.isnan(memory.recent)
    recent = np.where(known, np.where(fresh, standard, memory.recent + RECENT * change), memory.recent)
    absent = np.where(known, 0, memory.absent + 1)
    recent = np.where(absent > FORGET_STEPS, np.nan, recent)
    after = replace(memory, step=memory.step + 1, level=level, recent=recent, absent=absent)
    return np.where(np.isnan(views), 0.0, views), after


def _from_profile(model: Structure, memory: Memory, standard: Floats) -> Floats:
    """Distance from the profile's band around this time of day; the profile learns today's value."""
    if not model.season:
        return np.zeros(standard.shape)
    place = memory.step % model.season
    early = max(1, round(model.season / FORGIVEN))
    around = memory.profile[np.arange(place - early, place + early + 1) % model.season]
    low = np.where(np.isnan(around), np.inf, around).min(axis=0)
    high = np.where(np.isnan(around), -np.inf, around).max(axis=0)
    usual = memory.profile[place]
    away = np.where(np.isnan(usual), 0.0, np.maximum(np.maximum(low - standard, standard - high), 0.0))
    learning = usual + PROFILE_SHARE * np.clip(standard - usual, -_CUT, _CUT)
    today = np.where(np.isnan(usual), standard, learning)
    memory.profile[place] = np.where(np.isnan(standard), usual, today)
    return away


def _unexplained(components: Floats, values: Floats) -> Floats:
    """What the components leave of each value; where some are unknown, the components are fitted to the others. NaN where unknown."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    weights = filled @ components.T
    if not known.all() and len(components):
        masked = components[None, :, :] * known[:, None, :]
        # A pinch of ridge: with few known metrics the fit would not be unique.
        gram = masked @ components.T + 1e-3 * np.eye(len(components))
        partial = ~known.all(axis=1)
        weights[partial] = np.linalg.solve(gram[partial], weights[partial][..., None])[..., 0]
    left: Floats = np.abs(values - weights @ components)
    return left
