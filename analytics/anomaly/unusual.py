"""What the hourly scorers add to a day of the engine: two numbers of each device, and which metrics are behind its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.anomaly.cusum import bet
from analytics.anomaly.engine import Seen, State, Watch
from analytics.anomaly.hourly import Hours, Peaks
from analytics.panel import Flags, Floats, Ints
from analytics.signals import NOVELTY, STRUCTURE
from hearthwatch.failure_modes import UNUSUAL, mode_of_metric

MOST_NAMED = 3
LEAST_SHARE = 0.1
"""Share in the evidence from which on a metric is named."""
_EXPLAINED = 0.5


@dataclass(frozen=True, slots=True)
class Named:
    """The metrics behind a device's evidence, most first, with their shares; ``part`` if all speak for one, else empty."""

    metrics: tuple[str, ...]
    shares: tuple[float, ...]
    part: str


def columns_of(watch: Watch) -> list[int]:
    """Where the watch has novelty and structure among its signals; empty if it has not."""
    place = {signal.id: column for column, signal in enumerate(watch.signals)}
    return [place[name] for name in (NOVELTY, STRUCTURE) if name in place]


def explained(watch: Watch, alarmed: Flags, parts: Floats, metrics: Sequence[str]) -> Flags:
    """Devices (devices,) of which at least half of some ``parts`` (devices, metrics) are metrics of modes they are in alarm about.

    Such a day tells nothing new: the fault has a name already.
    """
    known = np.zeros(parts.shape, dtype=bool)
    for place, mode in enumerate(watch.modes):
        if mode != UNUSUAL.id:
            own = np.array([mode_of_metric(metric).id == mode for metric in metrics], dtype=bool)
            known |= alarmed[:, [place]] & own[None, :]
    total = parts.sum(axis=1)
    result: Flags = (total > 0) & (np.where(known, parts, 0.0).sum(axis=1) >= _EXPLAINED * total)
    return result


def blamed(watch: Watch, before: State, after: State, seen: Seen, peaks: Peaks, blame: Floats) -> Floats:
    """The blame (devices, metrics) after a day: what the evidence lost is taken off in proportion, what it won is laid on the metrics."""
    streams = [place for column in columns_of(watch) for place, one in enumerate(watch.streams) if one.signal == column]
    was, now = before.evidence[:, streams[0]], after.evidence[:, streams[0]]
    kept = np.minimum(np.divide(now, was, out=np.zeros_like(now), where=was > 0), 1.0)
    single = np.exp(bet(seen.p[:, streams]))
    single = np.where(np.isnan(single), 0.0, single)
    weight = np.divide(single, single.sum(axis=1, keepdims=True), out=np.zeros_like(single), where=single > 0)
    won = np.maximum(np.nan_to_num(seen.bets[:, streams[0]]), 0.0)
    fresh = won[:, None] * np.einsum("dk,kdm->dm", weight, peaks.parts)
    result: Floats = np.where(now[:, None] > 0, blame * kept[:, None] + fresh, 0.0)
    return result


def named(blame: Floats, metrics: Sequence[str]) -> Named:
    """Whom to name for some blame (metrics,)."""
    total = float(blame.sum())
    order: Ints = np.argsort(-blame, kind="stable")[:MOST_NAMED]
    chosen = [int(place) for place in order if blame[place] > 0 and blame[place] >= LEAST_SHARE * total]
    names = tuple(metrics[place] for place in chosen)
    parts = {mode_of_metric(name).part for name in names}
    shares = tuple(float(blame[place]) / total for place in chosen)
    return Named(names, shares, parts.pop() if len(parts) == 1 else "")


def merged(state: Hours, panel_rows: Ints, blame: Floats) -> None:
    """Write the blame of some devices back; -1: not among them."""
    there = np.flatnonzero(panel_rows >= 0)
    state.blame[panel_rows[there]] = blame[there].astype(np.float32)
