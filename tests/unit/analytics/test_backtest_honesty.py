"""Nothing that came later reaches back: not into what a row sees, and not into what the model learns from."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.backtest.case import FOLDS, Case, case_of
from analytics.backtest.rows import rows_of
from analytics.features import matrix
from analytics.history_panel import panel_of_history
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import read_history

START = datetime(2026, 1, 1, tzinfo=UTC)
DEVICES, DAYS, CUT, HORIZON = 24, 30, 16, 5
LAW = settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # a history is made from a seed, which does not shrink to a simpler one
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MAPPING = """
[source]
files = "readings.csv"
[columns]
device = "serial"
at = "date"
model = "model"
[metrics]
vibration = "vibration"
errors = { column = "errors", kind = "counter" }
hours = { column = "hours", kind = "counter" }
[failures]
column = "failed"
[service]
files = "service.csv"
device = "serial"
at = "date"
part = "part"
"""


def write(folder: Path, seed: int, until: int) -> Path:
    """The history as it was known at the end of a day: machines with gaps, some of which fail, come later, vanish or are repaired."""
    rng = np.random.default_rng(seed)
    fails = {device: 3 + device * 2 for device in range(10)}
    vanish = dict(zip(range(10, 14), rng.integers(4, DAYS, 4).tolist(), strict=True))
    begin = dict(zip(range(14, 18), rng.integers(1, DAYS - 1, 4).tolist(), strict=True))
    with (
        (folder / "readings.csv").open("w", newline="") as file,
        (folder / "service.csv").open("w", newline="") as other,
    ):
        rows, service = csv.writer(file), csv.writer(other)
        rows.writerow(["serial", "date", "model", "vibration", "errors", "hours", "failed"])
        service.writerow(["serial", "date", "part"])
        for day in range(DAYS):
            gap, vibration, errors = (
                rng.random(DEVICES) < 0.15,
                rng.normal(10, 2, DEVICES),
                rng.poisson(3, DEVICES).cumsum(),
            )
            date = (START + timedelta(days=day)).date().isoformat()
            for device in range(DEVICES):
                left = fails.get(device, 10**6) - day
                away = day >= vanish.get(device, DAYS) or day < begin.get(device, 0) or (left < 0 and device % 2 == 0)
                if day > until or away or (gap[device] and left != 0):
                    continue
                name = f"m{device:02d}"
                hours = 1000 + 37 * device + 24 * day
                rows.writerow(
                    [name, date, "AB"[device % 2], f"{vibration[device]:.3f}", errors[device], hours, int(left == 0)]
                )
                if left == -2:
                    service.writerow([name, date, "pump"])
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING)
    return mapping


def case(folder: Path, seed: int, until: int) -> Case:
    history = read_history(folder, read_mapping(write(folder, seed, until)))
    return case_of(history, panel_of_history(history), cut=START + timedelta(days=CUT), horizon=timedelta(days=HORIZON))


Seen = dict[tuple[str, int], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]


def learned(of: Case) -> Seen:
    """All that the model is given of each row to learn from, by device and day."""
    rows, _ = rows_of(of)
    told = np.column_stack([rows.features, rows.to_failure, rows.failed, rows.left, rows.age, rows.weight])
    names = [of.panel.devices[device] for device in rows.device]
    return dict(zip(zip(names, rows.day.tolist(), strict=True), told.astype(np.float64), strict=True))


@LAW
@given(st.integers(0, 10_000))
def test_what_is_learned_is_what_was_known_on_the_day_of_the_cut(tmp_path: Path, seed: int) -> None:
    then, now = learned(case(tmp_path, seed, CUT)), learned(case(tmp_path, seed, DAYS))
    assert then.keys() == now.keys()
    assert any(row[-4] for row in then.values()), "nothing to learn from"
    for key, row in then.items():
        np.testing.assert_array_equal(row, now[key])


@LAW
@given(st.integers(0, 10_000), st.integers(6, DAYS - 1))
def test_what_a_row_sees_had_arrived_by_its_day(tmp_path: Path, seed: int, day: int) -> None:
    then, now = case(tmp_path, seed, day), case(tmp_path, seed, DAYS)
    place = {name: index for index, name in enumerate(now.panel.devices)}
    here = np.arange(len(then.panel.devices))
    there = np.array([place[name] for name in then.panel.devices])
    seen, later = (
        matrix(of.panel, of.background, now.columns, who, np.full(len(who), day))
        for of, who in ((then, here), (now, there))
    )
    np.testing.assert_array_equal(seen, later)


def test_a_row_to_learn_from_never_has_its_window_beyond_the_cut_nor_a_test_row_before_it(tmp_path: Path) -> None:
    of = case(tmp_path, 1, DAYS)
    past, future = rows_of(of)
    assert past.day.max() + HORIZON <= CUT <= future.day.min()
    assert future.day.max() + HORIZON <= DAYS - 1
    assert past.failed.any()
    assert future.failed.any()


def test_a_machine_that_vanished_is_no_healthy_one(tmp_path: Path) -> None:
    of = case(tmp_path, 1, DAYS)
    _, rows = rows_of(of)
    for device in range(10, 14):
        place = of.panel.devices.index(f"m{device}")
        last = int(np.flatnonzero(of.panel.present[place]).max())
        assert not (rows.day[rows.device == place] > last - HORIZON).any()


def test_no_machine_is_judged_as_unseen_by_a_classifier_that_saw_it(tmp_path: Path) -> None:
    of = case(tmp_path, 1, DAYS)
    train, test = rows_of(of)
    for fold in range(FOLDS):
        taught = set(train.device[of.fold[train.device] != fold].tolist())
        judged = set(test.device[of.fold[test.device] == fold].tolist())
        assert not taught & judged
