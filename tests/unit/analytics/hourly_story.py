"""A fleet of `tests.unit.analytics.hourly_fleets` lived through day by day, as the anomaly job does it, without its stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.anomaly.engine import SUSPECT_EVIDENCE, Day, Seen, Watch
from analytics.anomaly.hourly import HOURS, Hours, Peaks, lived
from analytics.anomaly.hourly_learning import LOOK_BACK_DAYS, drawn, is_due, learn
from analytics.anomaly.unusual import blamed, named
from analytics.panel import Floats, Ints
from analytics.signals import DAY_PEAKS, signals_for
from tests.unit.analytics.hourly_fleets import METRICS

RATE = 0.5 / 1000


@dataclass
class Story:
    """A fleet lived through day by day, with hours, daily signals and alarms."""

    seen: list[Seen] = field(default_factory=list)
    peaks: list[Peaks] = field(default_factory=list)
    raised: list[tuple[int, int, str]] = field(default_factory=list)
    blame: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    state: Hours | None = None

    def of(self, device: int) -> list[tuple[int, str]]:
        """Alarms of one device: day and mode."""
        return [(day, mode) for day, one, mode in self.raised if one == device]


def play(
    values: Floats,
    *,
    rate: float = RATE,
    firmware: Sequence[Sequence[str]] | None = None,
    region: Ints | None = None,
    daily: bool = True,
    hours: bool = True,
) -> Story:
    """Live through hourly values (hours, devices, metrics): daily means as the job has them, and the hours beside them, or one alone."""
    story, count, days = Story(), values.shape[1], len(values) // HOURS
    by_day = values.reshape(days, HOURS, count, -1).mean(axis=1)
    means = {name: by_day[:, :, place].T for place, name in enumerate(METRICS)}
    signals = signals_for(means) if daily else ()
    watch = Watch((*signals, *(DAY_PEAKS if hours else ())), rate)
    engine, state = watch.begin(count), Hours.empty([f"d{row:04d}" for row in range(count)], METRICS)
    every = np.stack([*(signal.over(means) for signal in signals), by_day[:, :, 0].T], axis=2)[:, :, : len(signals)]
    nowhere = np.full(count, -1) if region is None else region
    for day in range(days):
        told = ["1.0"] * count if firmware is None else firmware[day]
        codes = np.array([sorted(set(told)).index(one) for one in told], dtype=np.int64)
        own = beside = every[:, day]
        if hours:
            peaks = lived(state, values[day * HOURS : (day + 1) * HOURS], day, told, (codes, nowhere))
            story.peaks.append(peaks)
            own, beside = (np.concatenate([own, one], axis=1) for one in (peaks.score, peaks.relative))
        today = Day(own, codes, np.zeros((count, len(watch.modes)), dtype=bool), nowhere, beside)
        before = engine
        engine, seen = watch.step(before, today)
        story.seen.append(seen)
        if hours:
            state.blame = blamed(watch, before, engine, seen, peaks, state.blame)
        for row, mode in zip(*np.nonzero(seen.raised), strict=True):
            story.raised.append((day, int(row), watch.modes[mode]))
            story.blame[day, int(row)] = named(state.blame[row], METRICS).metrics
        if hours and is_due(state, day):
            suspect = (engine.evidence >= SUSPECT_EVIDENCE).any(axis=1)
            rows = drawn(state, {state.devices[row] for row in np.flatnonzero(suspect)}, day)
            learn(state, rows, values[max(0, day + 1 - LOOK_BACK_DAYS) * HOURS : (day + 1) * HOURS][:, rows], day)
    story.state = state
    return story
