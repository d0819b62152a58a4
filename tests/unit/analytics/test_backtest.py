from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.backtest import backtest
from hearthwatch.errors import Invalid

DAYS, DEVICES = 60, 150
WEEK = timedelta(days=7)
MAPPING = """
[source]
files = "readings*.csv.gz"
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
"""
KEYS = {
    "devices",
    "readings",
    "failures",
    "cut",
    "horizon_days",
    "test",
    "unseen_devices",
    "baseline",
    "alerts",
    "reasons",
    "quality",
    "seconds",
}
FURTHER = {
    "answer",
    "budgets",
    "lead_days",
    "calibration",
    "by_model",
    "by_part",
    "weeks",
    "examples",
    "refused",
}
SCORES = {"positives", "rows", "base_rate", "auc", "average_precision", "brier", "ece", "observed_expected"}


def write(folder: Path, *, failing: int = 40, seed: int = 3) -> Path:
    """Machines whose vibration rises for ten days before they fail; a failed one stays away. Gives the mapping file."""
    rng = np.random.default_rng(seed)
    fails = {device: int(day) for device, day in enumerate(rng.integers(8, DAYS, failing))}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    level, errors = rng.normal(10, 1, DEVICES), rng.integers(0, 50, DEVICES)
    with gzip.open(folder / "readings.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["serial", "date", "model", "vibration", "errors", "hours", "failed"])
        for day in range(DAYS):
            for device in range(DEVICES):
                left = fails.get(device, 10**6) - day
                if left < 0:
                    continue
                vibration = level[device] + rng.normal(0, 0.5) + max(0, 10 - left) * 0.6
                errors[device] += rng.poisson(0.1 + (left < 5))
                date = (start + timedelta(days=day)).date().isoformat()
                hours = 1000 + 37 * (device * 61 % DEVICES) + 24 * day
                rows.writerow([f"m{device:03d}", date, "A", f"{vibration:.3f}", errors[device], hours, int(left == 0)])
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING)
    return mapping


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("machines")
    return backtest(folder, write(folder), cut=None, horizon=WEEK)


def test_a_history_without_failures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no failure"):
        backtest(tmp_path, write(tmp_path, failing=0), cut=None, horizon=WEEK)


def test_a_cut_before_all_failures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="before the cut"):
        backtest(tmp_path, write(tmp_path), cut=datetime(2026, 1, 3, tzinfo=UTC), horizon=WEEK)


def test_a_cut_after_all_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="after the cut"):
        backtest(tmp_path, write(tmp_path), cut=datetime(2026, 3, 30, tzinfo=UTC), horizon=WEEK)


def test_its_keys_are_the_contract(answer: dict[str, Any]) -> None:
    assert set(answer) == KEYS | FURTHER
    assert set(answer["test"]) == set(answer["unseen_devices"]) == SCORES
    assert set(answer["baseline"]) == {"auc", "average_precision", "brier"}
    assert set(answer["alerts"]) == {"per_1000_device_weeks", "precision", "recall", "lead_days_median"}


def test_the_default_cut_is_at_three_fifths_of_the_span(answer: dict[str, Any]) -> None:
    assert answer["cut"] == datetime(2026, 1, 1 + 30, tzinfo=UTC).replace(month=2, day=6).isoformat()
    assert answer["horizon_days"] == 7


def test_what_foretells_failures_is_found_for_devices_seen_and_unseen(answer: dict[str, Any]) -> None:
    assert answer["test"]["auc"] > 0.85
    assert answer["unseen_devices"]["auc"] > 0.8
    assert answer["test"]["average_precision"] > 2 * answer["baseline"]["average_precision"]
    assert answer["test"]["brier"] < answer["baseline"]["brier"]
    assert answer["reasons"][0]["metric"] == "vibration"


def test_alerts_stay_within_the_budget(answer: dict[str, Any]) -> None:
    assert answer["alerts"]["per_1000_device_weeks"] <= 5


def test_windows_cut_by_the_end_are_left_out(answer: dict[str, Any]) -> None:
    last_labelled = DAYS - 1 - 7
    assert answer["test"]["rows"] <= DEVICES * (last_labelled - 36 + 1) + 7 * 40
    assert answer["quality"]["days"] == DAYS
    assert answer["quality"]["vanished"] == 0


def test_the_same_history_gives_the_same_answer(answer: dict[str, Any], tmp_path: Path) -> None:
    again = backtest(tmp_path, write(tmp_path), cut=None, horizon=WEEK)
    assert {**again, "seconds": 0} == {**answer, "seconds": 0}


def test_real_drives_are_foretold_better_than_by_their_age(third_party_data: Path) -> None:
    mapping = Path(__file__).parents[3] / "docs/examples/backblaze.toml"
    found = backtest(third_party_data / "backblaze-2013q2", mapping, cut=None, horizon=WEEK)
    assert (found["devices"], found["failures"], found["readings"]) == (22892, 120, 868524)
    assert found["quality"]["vanished"] == 138
    assert found["test"]["auc"] > 0.85
    assert found["test"]["average_precision"] > 20 * found["baseline"]["average_precision"]
    assert found["unseen_devices"]["average_precision"] > 15 * found["baseline"]["average_precision"]


def test_a_horizon_longer_than_the_history_is_refused_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(
        Invalid, match=r"too short for a horizon of 30 days: no day after the cut .* at least 78 are needed"
    ):
        backtest(tmp_path, write(tmp_path), cut=None, horizon=timedelta(days=30))


def test_fewer_failing_machines_than_can_be_judged_are_counted(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"too little to judge, 5 are needed"):
        backtest(tmp_path, write(tmp_path, failing=6), cut=None, horizon=WEEK)
