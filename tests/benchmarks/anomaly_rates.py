"""What the watch over days and hours says of healthy devices, and of planted faults: `python -m tests.benchmarks.anomaly_rates`.

Simulated fleets of 200 devices with six gauges by the hour (`tests.unit.analytics.hourly_fleets`). Asserts nothing.
"""

from __future__ import annotations

import numpy as np

from analytics.panel import Floats
from tests.unit.analytics.hourly_fleets import METRICS, late_rhythm, lively, reversed_relation, stuck
from tests.unit.analytics.hourly_story import Story, play

DEVICES, DAYS, CLEAN, FAULTY, BEGINS = 200, 60, 4, 6, 30
RATES = (0.5, 5.0)
WATCHED = ((True, True), (True, False), (False, True))
"""Days, hours."""


def independent(values: Floats, device: int, day: int) -> Floats:
    """From a day on the temperature inside is that of another device, about its own mean."""
    broken, column = values.copy(), METRICS.index("device_temperature_c")
    other = values[:, device + 1, column]
    broken[day * 24 :, device, column] = other[day * 24 :] - other.mean() + values[: day * 24, device, column].mean()
    return broken


def noisy(values: Floats, device: int, day: int) -> Floats:
    """From a day on the signal's strength has noise of 3 dB on top."""
    broken, column = values.copy(), METRICS.index("rssi_dbm")
    broken[day * 24 :, device, column] += np.random.default_rng(device).normal(0, 3, len(values) - day * 24)
    return broken


def leaking(values: Floats, device: int, day: int) -> Floats:
    """From a day on free memory falls by two per cent of what it was, every day."""
    broken, column = values.copy(), METRICS.index("free_heap_bytes")
    lost = 0.02 * np.arange(len(values) - day * 24) / 24
    broken[day * 24 :, device, column] *= np.maximum(1 - lost, 0.1)
    return broken


FAULTS = {
    "stuck at its mean": stuck,
    "moves the other way": reversed_relation,
    "twelve hours late": late_rhythm,
    "follows another device": independent,
    "trembles": noisy,
    "2 % less memory a day": leaking,
}


def clean() -> None:
    """Alarms about healthy devices."""
    print("declared | alarms per 1,000 device-days: days and hours | days alone | hours alone | device-days")
    fleets = [lively(seed, DEVICES, DAYS) for seed in range(CLEAN)]
    total = CLEAN * DEVICES * DAYS
    for rate in RATES:
        counts = [
            sum(len(play(values, rate=rate / 1000, daily=daily, hours=hours).raised) for values in fleets)
            for daily, hours in WATCHED
        ]
        print(rate, *(f"{1000 * count / total:.2f}" for count in counts), total, sep=" | ")


def delay(story: Story, device: int) -> float:
    """Days from the onset to the first alarm of a device, NaN if there is none."""
    return next((day - BEGINS for day, _ in story.of(device) if day >= BEGINS), np.nan)


def planted() -> None:
    """Found, and after how many days; one device of each fault in each fleet."""
    with_hours: dict[str, list[float]] = {name: [] for name in FAULTS}
    alone: dict[str, list[float]] = {name: [] for name in FAULTS}
    for seed in range(100, 100 + FAULTY):
        values = lively(seed, DEVICES, BEGINS + 20)
        for number, fault in enumerate(FAULTS.values()):
            values = fault(values, number * 20, BEGINS)
        hours, days = play(values), play(values, hours=False)
        for number, name in enumerate(FAULTS):
            with_hours[name].append(delay(hours, number * 20))
            alone[name].append(delay(days, number * 20))
    print("fault | found with the hours | median days | found by days alone | median days")
    for name in FAULTS:
        row = [name]
        for found in (np.array(with_hours[name]), np.array(alone[name])):
            known = found[~np.isnan(found)]
            row += [f"{len(known)} of {len(found)}", f"{np.median(known):.0f}" if len(known) else "-"]
        print(*row, sep=" | ")


if __name__ == "__main__":
    clean()
    planted()
