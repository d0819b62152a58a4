"""By which clock a part ages, its calendar age or how much it was used: whichever foretold better what it had not seen.

Time is split, never rows: each clock learns from what was known by a day before which `PAST_SHARE` of the failures had come, and foretells
for every part at work that day whether and when it would fail after it, its use ahead by the device's own rate up to that day. Use
is taken where it made what came likelier by more than chance (one standard error over lives). Both likelihoods are of calendar days, so
they can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.panel import Flags, Floats, Ints
from analytics.survival.spells import Life, Spells, Watched, spells_of, watched_lives
from analytics.survival.uses import Uses
from analytics.survival.weibull import FEWEST_FAILURES, Weibull, fit_weibull
from hearthwatch.errors import Invalid

AGE = "age"
PAST_SHARE = 0.6
FEWEST_JUDGED = 3
"""Failures after the split below which no clock is preferred to the calendar."""
MOSTLY = 0.8
"""The share of spells whose use must be known for the counter to be a clock at all."""
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Gain:
    """How much likelier use made what was left out than the calendar did (log-likelihood, natural logarithm), and its standard error over
    lives."""

    gain: float
    error: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The clock, and the gain of each counter over the calendar."""

    clock: str
    gains: Mapping[str, Gain]


def choose_clock(names: Sequence[str], parts: Sequence[Watched], uses: Mapping[str, Uses]) -> Choice:
    """The better clock of one part; ``names`` are the devices of ``parts``. The calendar where there is too little to tell."""
    failed = sorted(day for part in parts for day in part.failures)
    if not uses or len(failed) < FEWEST_FAILURES + FEWEST_JUDGED:
        return Choice(AGE, {})
    cut = failed[int(PAST_SHARE * len(failed)) - 1]
    ahead = _at_work(parts, cut)
    gains = {metric: gain for metric, one in uses.items() if (gain := _gain(names, parts, one, cut, ahead)) is not None}
    clear = {metric: one.gain for metric, one in gains.items() if one.gain > one.error}
    return Choice(max(clear, key=lambda metric: clear[metric], default=AGE), gains)


def used_spells(names: Sequence[str], parts: Sequence[Watched], use: Uses) -> tuple[Spells, Flags]:
    """The spells of `spells_of` by use, of the lives whose use is known, and which those are."""
    lives = watched_lives(parts)
    begin = np.array([_use(use, names, life, life.new + int(life.entry) - 1) for life in lives], dtype=np.float64)
    end = np.array([_use(use, names, life, life.new + int(life.exit) - 1) for life in lives], dtype=np.float64)
    known = np.isfinite(begin) & np.isfinite(end)
    least = max(float(np.nanmax(end, initial=0.0)), 1.0) * 1e-9
    days = spells_of(parts)
    spells = Spells(
        begin[known], np.maximum(end, begin + least)[known], days.failed[known], days.group[known]
    )  # a part that rested all the time was at risk of next to nothing
    return spells, known


def _use(use: Uses, names: Sequence[str], life: Life, day: int) -> float:
    return use.since_new(names[life.part], life.new, life.first, day)


@dataclass(frozen=True, slots=True, eq=False)
class _Ahead:
    """Lives at work at the end of the split's day: what came of them after it."""

    lives: Sequence[Life]
    group: Ints
    age: Floats
    followed: Floats
    failed: Flags

    def only(self, rows: Flags) -> _Ahead:
        kept = [life for life, keep in zip(self.lives, rows.tolist(), strict=True) if keep]
        return _Ahead(kept, self.group[rows], self.age[rows], self.followed[rows], self.failed[rows])


def _at_work(parts: Sequence[Watched], cut: int) -> _Ahead:
    lives = [life for life in watched_lives(parts) if life.new + life.entry <= cut and life.new + life.exit - 1 > cut]
    return _Ahead(
        lives,
        np.array([parts[life.part].group for life in lives], dtype=np.int64),
        np.array([cut + 1.0 - life.new for life in lives]),
        np.array([life.new + life.exit - cut - 1 for life in lives]),
        np.array([life.failed for life in lives], dtype=bool),
    )


def _gain(names: Sequence[str], parts: Sequence[Watched], use: Uses, cut: int, ahead: _Ahead) -> Gain | None:
    """How much likelier use made what came than age did, on the same lives; None where use is known too seldom."""
    past = [_known_by(part, cut) for part in parts]
    spells, known = used_spells(names, past, use)
    now = np.array([_use(use, names, life, cut) for life in ahead.lives])
    fleet = use.fleet_per_day(cut)
    rate = np.array([use.per_day(names[life.part], cut, fleet) for life in ahead.lives])
    usable = np.isfinite(now) & np.isfinite(rate)
    if not len(known) or known.mean() < MOSTLY or not len(usable) or usable.mean() < MOSTLY:
        return None
    judged = ahead.only(usable)
    if judged.failed.sum() < FEWEST_JUDGED:
        return None
    days = spells_of(past)
    calendar = Spells(days.entry[known], days.exit[known], days.failed[known], days.group[known])
    try:
        by_age, by_use = fit_weibull(calendar), fit_weibull(spells)
    except Invalid:
        return None
    more = _likelihoods(by_use, judged, now[usable], rate[usable])
    more -= _likelihoods(by_age, judged, judged.age, np.ones(len(judged.age)))
    return Gain(float(more.sum()), float(np.sqrt(len(more)) * more.std()))


def _known_by(part: Watched, cut: int) -> Watched:
    return replace(
        part,
        until=min(part.until, cut),
        failures=[day for day in part.failures if day <= cut],
        renewed=[day for day in part.renewed if day <= cut],
    )


def _likelihoods(lives: Weibull, ahead: _Ahead, age: Floats, rate: Floats) -> Floats:
    """Log-likelihood of each life: of failing on the very day, or of working for as long as it was followed."""
    group = lives.known_group(ahead.group)
    whole = lives.probabilities(group, age, rate * ahead.followed)
    before = lives.probabilities(group, age, rate * np.maximum(ahead.followed - 1, 0.0))
    failing, lasting = np.log(np.maximum(whole - before, _LEAST)), np.log1p(-np.minimum(whole, 1 - _LEAST))
    return np.where(ahead.failed, failing, lasting)
