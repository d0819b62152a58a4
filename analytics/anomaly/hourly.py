"""A model's hours: both scorers that look at hours live through a day, and what is left of it is one number of each for every device.

Hourly scores hang together from hour to hour, so they are no evidence one by one; a day's number is. Novelty leaves its greatest hour,
for what is new is new once: taken as it is for the device's own past, and less the median of the peers of that very hour for the
comparison with them (a storm that a whole region lives through in the same hour is nobody's fault). Structure leaves the day's mean of
each metric's contribution, for a relation that broke stays broken: the greatest of them, each in units of what is usual for its metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.panel import Flags, Floats, Ints
from analytics.scorers import novelty
from analytics.scorers.peers import residuals
from analytics.scorers.same_hour import NEVER
from analytics.scorers.structure import Memory, Structure, scored

HOURS = 24
FEWEST_HOURS = 8
"""Hours with a value that a metric needs on a day: a row a day is no rhythm."""
WARM_UP_HOURS = 72
"""Hours a metric must have been known, in a device, before what it does is news, and before its place is known to the structure."""
SETTLING_DAYS = 3
"""After a change of firmware a device is new to itself for so long."""
GAP_HOURS = HOURS - FEWEST_HOURS
"""Hours a device may be away at a time: whoever tells enough hours of every day never is for longer."""
RETURN_DAYS = 2
"""After a longer gap (an outage of ours, of a provider, of the home) a device is new to itself on that day and the next: what moved
meanwhile, as a battery does, moved in one step."""
STEADY = 0.9
_LEAST_NEWS = 0.05
_LEAST_STRAIN = 0.05
_LEAST_LOG = 0.1  # of a score: below it all are alike
_USUAL_SHARE = 0.95
LARGEST, SMALLEST = 1e30, 1e-20
"""Values are kept in single precision: what is larger is taken for this, what is smaller for 0."""


@dataclass(slots=True)
class Hours:
    """What is remembered of a model's devices; changed in place by `lived`.

    ``known`` (devices, metrics): hours with a value; ``origin``: the mean of the first `WARM_UP_HOURS` of them, what the structure
    calls 0. ``followed`` (devices,): hours the structure has followed. ``firmware`` (devices,): version, "" where unknown;
    ``settling``: days that still pass without a word. ``heard``: the last day with hours. ``blame`` (devices, metrics): what made the
    evidence, in bets. ``usual`` (2, metrics): what of a day's novelty and of its contribution 19 of 20 devices stay below. The
    first columns of ``metrics`` are the structure's; ``days``: how many days the model had hours; ``learned_on``: when the
    structure was learned.
    """

    devices: tuple[str, ...]
    metrics: tuple[str, ...]
    novelty: novelty.State
    known: Ints
    origin: Floats
    followed: Ints
    firmware: tuple[str, ...]
    settling: Ints
    heard: Ints
    blame: Floats
    usual: Floats
    days: int
    learned_on: int
    structure: Structure | None
    memory: Memory | None

    @staticmethod
    def empty(devices: Sequence[str], metrics: Sequence[str]) -> Hours:
        """Nothing known yet."""
        count, width = len(devices), len(metrics)
        return Hours(
            tuple(devices),
            tuple(metrics),
            novelty.State.empty(count * width),
            np.zeros((count, width), dtype=np.int64),
            np.zeros((count, width)),
            np.zeros(count, dtype=np.int64),
            ("",) * count,
            np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=np.int64),
            np.zeros((count, width)),
            np.zeros((2, width)),
            0,
            0,
            None,
            None,
        )


@dataclass(frozen=True, slots=True)
class Peaks:
    """A day's numbers, of novelty and of structure in this order; NaN where a device cannot be judged.

    ``score``, ``relative`` (devices, 2): logarithms, as they are and beside the peers of the hour; ``hour`` (devices,): of the
    greatest novelty; ``parts`` (2, devices, metrics): each metric's share in it, sum 1 or 0.
    """

    score: Floats
    relative: Floats
    hour: Ints
    parts: Floats


def lived(state: Hours, values: Floats, day: int, firmware: Sequence[str], groups: tuple[Ints, Ints]) -> Peaks:
    """One more day of hourly values (24, devices, metrics), NaN where there is none. ``groups``: firmware and region codes."""
    values = _fit(values)
    ready = state.known >= WARM_UP_HOURS
    back = _back_from_a_gap(state, values, day)
    news = _news(state, values, day, ready)
    strain = _strain(state, values, ready)
    _note(state, values, day, firmware)
    state.settling = np.where(back, np.maximum(state.settling, RETURN_DAYS), state.settling)
    newest = _log(_nanmax(np.moveaxis(news, 2, 0)))  # (24, devices)
    beside = residuals(newest.T, *groups).T
    hour = np.argmax(np.where(np.isnan(beside), -np.inf, beside), axis=0)
    strained = _log(_nanmax(strain.T))
    score = np.stack([_nanmax(newest), strained], axis=1)
    relative = np.stack([_nanmax(beside), strained], axis=1)
    off = (state.settling > 0)[:, None] | np.isnan(score) | np.isnan(relative)
    at_peak = news[hour, np.arange(len(hour))]
    parts = np.stack([_shares(at_peak), _shares(strain)])
    return Peaks(np.where(off, np.nan, score), np.where(off, np.nan, relative), hour, parts)


def _fit(values: Floats) -> Floats:
    """What single precision can hold, of metrics that have enough hours that day."""
    fit = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)
    fit = np.where(np.abs(fit) < SMALLEST, 0.0, fit)
    few = (~np.isnan(fit)).sum(axis=0) < FEWEST_HOURS
    fit[:, few] = np.nan
    return single(fit)


def single(array: Floats) -> Floats:
    """Rounded to single precision: what is kept is the same whether it was stored in between or not."""
    rounded: Floats = array.astype(np.float32).astype(np.float64)
    return rounded


def _back_from_a_gap(state: Hours, values: Floats, day: int) -> Flags:
    """Who is heard again on this day after more than `GAP_HOURS` (devices,); to be asked before the day is lived through."""
    last = state.novelty.same_hour.hour.reshape(values.shape[1:]).max(axis=1, initial=NEVER)
    back = np.zeros(values.shape[1], dtype=bool)
    heard: Flags = np.asarray((~np.isnan(values)).any(axis=2))
    for hour, told in enumerate(heard, start=day * HOURS):
        back |= told & (last > NEVER) & (hour - last > GAP_HOURS)
        last = np.where(told, hour, last)
    return back


def _news(state: Hours, values: Floats, day: int, ready: Flags) -> Floats:
    """Novelty of every hour, device and metric in units of what is usual for the metric; NaN where it is not known."""
    news = np.empty(values.shape)
    for hour, now in enumerate(values):
        at = np.full(now.size, (day * HOURS + hour) * 3600)
        news[hour] = novelty.scores(novelty.step(state.novelty, now.reshape(-1), at)).reshape(now.shape)
    for greatest in state.novelty.distances:
        greatest.kept[...] = single(greatest.kept)
    news = np.where(~np.isnan(values) & ready, news, np.nan)
    scaled: Floats = news / _usual(state.usual[0], _nanmax(news), _LEAST_NEWS)
    return scaled


def _usual(usual: Floats, of_day: Floats, least: float) -> Floats:
    """What 19 of 20 devices stay below, by metric, drawn towards today (devices, metrics), in place."""
    for metric in range(len(usual)):
        known = of_day[~np.isnan(of_day[:, metric]), metric]
        if len(known):
            today = float(np.quantile(known, _USUAL_SHARE))
            usual[metric] = today if usual[metric] == 0 else STEADY * usual[metric] + (1 - STEADY) * today
    usual[...] = single(usual)
    return np.maximum(usual, least)


def _strain(state: Hours, values: Floats, ready: Flags) -> Floats:
    """The day's mean contribution to the structure's score in units of what is usual, (devices, metrics); NaN where it is not known."""
    devices, width = values.shape[1:]
    result = np.full((devices, width), np.nan)
    if state.structure is None or state.memory is None:
        return result
    width = len(state.structure.centre)
    placed = np.where(ready, values - state.origin, np.nan)[:, :, :width]
    found, memory = scored(state.structure, state.memory, placed)
    state.memory = in_single(memory)
    settled = state.followed >= WARM_UP_HOURS
    there = ~np.isnan(placed)
    hours = there.sum(axis=0)
    state.followed += there.any(axis=2).sum(axis=0)
    mean = np.where(there, found.contribution, 0.0).sum(axis=0) / np.maximum(hours, 1)
    mean = np.where((hours >= FEWEST_HOURS) & settled[:, None], mean, np.nan)
    result[:, :width] = mean / _usual(state.usual[1, :width], mean, _LEAST_STRAIN)
    return result


def in_single(memory: Memory) -> Memory:
    """The memory as it is stored."""
    level, recent, profile, contribution = (
        single(array) for array in (memory.level, memory.recent, memory.profile, memory.contribution)
    )
    return Memory(memory.step, level, recent, memory.absent, profile, contribution)


def _note(state: Hours, values: Floats, day: int, firmware: Sequence[str]) -> None:
    """Hours known, origins, and whose firmware changed."""
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    young = state.known < WARM_UP_HOURS
    total = state.origin * state.known + np.where(there, values, 0.0).sum(axis=0)
    fresh = total / np.maximum(state.known + count, 1)
    state.origin = single(np.where(young, fresh, state.origin))
    state.known += count
    alive = there.any(axis=(0, 2))
    state.heard[alive] = day
    state.days += bool(alive.any())
    changed = np.array(
        [bool(now and before and now != before) for now, before in zip(firmware, state.firmware, strict=True)],
        dtype=bool,
    )
    state.settling = np.where(changed, SETTLING_DAYS, np.maximum(state.settling - 1, 0))
    _begin_again(state, changed)
    state.firmware = tuple(now or before for now, before in zip(firmware, state.firmware, strict=True))


def _begin_again(state: Hours, which: Flags) -> None:
    """Devices (devices,) whose firmware changed find their place anew: another firmware may measure, and use memory, in another way."""
    state.known[which] = 0
    state.followed[which] = 0
    state.origin[which] = 0.0
    if state.memory is not None:
        state.memory.level[which] = 0.0
        state.memory.recent[which] = np.nan


def _shares(amounts: Floats) -> Floats:
    """What each metric (devices, metrics) has beyond the middle of all devices, squared, as a share of the device's."""
    known = np.where(np.isnan(amounts), 0.0, amounts)
    square = np.maximum(known - np.median(known, axis=0), 0.0) ** 2
    total = square.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(square, total, out=np.zeros_like(square), where=total > 0)
    return shares


def _log(amounts: Floats) -> Floats:
    logarithm: Floats = np.log(_LEAST_LOG + amounts)
    return logarithm


def _nanmax(array: Floats) -> Floats:
    """Over the first axis; NaN where nothing is known."""
    greatest: Floats = np.where(np.isnan(array), -np.inf, array).max(axis=0)
    return np.where(np.isinf(greatest), np.nan, greatest)
