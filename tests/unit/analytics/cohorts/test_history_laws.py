"""Laws of comparing a history: neither the order of rows nor of devices nor how the files are cut matters, and no day knows the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.cohorts.history import compare_history
from hearthwatch.errors import Invalid

DEVICES, DAYS = 80, 32
MAPPING = """
[source]
files = "readings*.csv"
[columns]
device = "device"
at = "at"
firmware = "fw"
lot = "lot"
[metrics]
latency = { column = "latency", direction = "high" }
[events]
files = "events*.csv"
device = "device"
at = "at"
"""
Tables = tuple[list[str], list[str]]


def history(seed: int, ratio: float) -> Tables:
    """Rows of readings and events; half of the devices get 2.0 within a week, which faults and lags ``ratio`` times as much."""
    rng = np.random.default_rng(seed)
    own = rng.lognormal(0.0, 0.5, DEVICES)
    update = np.where(np.arange(DEVICES) < DEVICES // 2, rng.integers(14, 21, DEVICES), DAYS)
    readings, events = [], []
    for day in range(DAYS):
        for device in range(DEVICES):
            new = day >= update[device]
            if rng.random() < 0.05:
                continue
            value = own[device] * (ratio if new else 1.0) * rng.lognormal(0.0, 0.2)
            at = f"2025-01-{day + 1:02d}" if day < 31 else f"2025-02-{day - 30:02d}"
            version, lot = "2.0" if new else "1.0", f"L{device % 2}"
            readings.append(f"d{device:03d},{at}T{6 + device % 12:02d}:00:00Z,{version},{lot},{value:.4f}")
            faults = rng.poisson(0.6 * own[device] * (ratio if new else 1.0))
            events += [f"d{device:03d},{at}T12:{minute:02d}:00Z" for minute in range(faults)]
    return readings, events


def answer(tables: Tables, by: str, pieces: int = 1, mapping: str = MAPPING) -> Mapping[str, Any]:
    with TemporaryDirectory() as made:
        folder = Path(made)
        for name, head, rows in (
            ("readings", "device,at,fw,lot,latency", tables[0]),
            ("events", "device,at", tables[1]),
        ):
            for piece in range(pieces):
                text = "\n".join([head, *rows[piece::pieces]])
                (folder / f"{name}{piece}.csv").write_text(text)
        (folder / "mapping.toml").write_text(mapping)
        return compare_history(folder, folder / "mapping.toml", by)


def told(found: Mapping[str, Any]) -> Mapping[tuple[str, str], Sequence[Any]]:
    """What is said of each comparison, but for the rounding of sums in another order."""
    return {
        (one["treatment"], one["metric"]): [
            one["verdict"],
            one["first_alarm_at"],
            one["devices"],
            one["control_devices"],
            pytest.approx(one["e"], rel=1e-6),
            pytest.approx(one["low"], rel=1e-6),
            pytest.approx(one["exposure_hours"]),
            pytest.approx(one["events"], rel=1e-9),
        ]
        for one in found["comparisons"]
    }


@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 1000),
    order=st.integers(0, 1000),
    ratio=st.sampled_from([1.0, 2.0]),
    by=st.sampled_from(["firmware", "lot"]),
)
def test_neither_the_order_of_rows_nor_how_files_are_cut_changes_what_is_said(
    seed: int, order: int, ratio: float, by: str
) -> None:
    readings, events = history(seed, ratio)
    rng = np.random.default_rng(order)
    mixed = [[rows[place] for place in rng.permutation(len(rows)).tolist()] for rows in (readings, events)]
    pieces = int(rng.integers(2, 5))
    assert told(answer((mixed[0], mixed[1]), by, pieces)) == told(answer((readings, events), by))


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000), order=st.integers(0, 1000), by=st.sampled_from(["firmware", "lot"]))
def test_the_names_of_devices_change_nothing_but_names(seed: int, order: int, by: str) -> None:
    tables = history(seed, 1.5)
    renamed = np.random.default_rng(order).permutation(DEVICES)
    names = {f"d{device:03d}": f"x{renamed[device]:03d}" for device in range(DEVICES)}
    other = tuple([f"{names[row[:4]]}{row[4:]}" for row in rows] for rows in tables)
    assert told(answer((other[0], other[1]), by)) == told(answer(tables, by))


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_no_day_knows_what_comes_after_it(seed: int) -> None:
    """The day a release is first called worse is the same when the history ends on it, and it is not called so the day before."""
    readings, events = history(seed, 2.5)
    whole = {(one["treatment"], one["metric"]): one for one in answer((readings, events), "firmware")["comparisons"]}
    alarms = sorted({one["first_alarm_at"] for one in whole.values() if one["first_alarm_at"]})
    assert alarms
    ends = alarms[0][:10]
    cut = [[row for row in rows if row.split(",")[1][:10] < ends] for rows in (readings, events)]
    then = {(one["treatment"], one["metric"]): one for one in answer((cut[0], cut[1]), "firmware")["comparisons"]}
    if len(then) != len(whole):
        return  # with fewer comparisons less evidence is needed
    said = {key for key, one in then.items() if one["verdict"] == "worse"}
    assert said == {key for key, one in whole.items() if one["first_alarm_at"] == alarms[0]}
    assert all(then[key]["first_alarm_at"] == alarms[0] for key in said)
    day_before = f"{ends[:8]}{int(ends[8:]) - 1:02d}"
    cut = [[row for row in rows if row.split(",")[1][:10] < day_before] for rows in (readings, events)]
    try:
        earlier = answer((cut[0], cut[1]), "firmware")["comparisons"]
    except Invalid:
        return  # not even thirty devices yet
    assert len(earlier) < len(whole) or all(one["verdict"] != "worse" for one in earlier)
