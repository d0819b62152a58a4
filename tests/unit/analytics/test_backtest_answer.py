"""The answer of a backtest: in words, at every budget, with examples; and what it refuses to say, with what is missing."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.backtest import TooLittle, backtest
from analytics.evaluation import alerts_within
from tests.kept_sentences import left_in_english
from tests.unit.analytics.test_backtest import WEEK, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("machines")
    write(made)
    return made


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, Any]:
    return backtest(folder, folder / "mapping.toml", cut=None, horizon=WEEK)


def test_every_sentence_of_a_report_can_be_read_in_chinese(answer: dict[str, Any]) -> None:
    shown = [one for lot in answer["examples"].values() for one in lot]
    reasons = [reason["text"] for one in shown for reason in one["reasons"]]
    remarks = [one[name] for one in answer["quality"]["remarks"] for name in ("said", "done")]
    refused = [one[name] for one in answer["refused"] for name in ("why", "missing")]
    missed = [one["why"] for one in answer["examples"]["missed"]]
    assert reasons
    assert left_in_english([*answer["answer"]["words"], *reasons, *missed, *remarks, *refused]) == []


# -- what is refused -----------------------------------------------------------------------------------------------------


def test_where_both_sides_have_too_few_failures_both_are_named_and_the_data_are_told_all_the_same(
    tmp_path: Path,
) -> None:
    with pytest.raises(TooLittle) as little:
        backtest(tmp_path, write(tmp_path, failing=4), cut=None, horizon=WEEK)
    report = little.value.report
    assert report is not None
    assert [one["figure"] for one in report["refused"]] == ["test", "test"]
    assert left_in_english(one[name] for one in report["refused"] for name in ("why", "missing")) == []
    assert all("more device" in one["missing"] and "the cut" in one["missing"] for one in report["refused"])
    assert report["test"] is None
    assert report["answer"] is None
    assert report["examples"] == {"foretold": [], "missed": [], "false": []}
    assert report["quality"]["device_days"] > 8000
    assert report["failures"] == 4


def test_a_mapping_without_failures_says_which_part_is_missing(tmp_path: Path) -> None:
    mapping = write(tmp_path)
    mapping.write_text(mapping.read_text().replace('[failures]\ncolumn = "failed"\n', ""))
    with pytest.raises(TooLittle, match=r"\[failures\] in the mapping") as little:
        backtest(tmp_path, mapping, cut=None, horizon=WEEK)
    assert little.value.where == "failures"


def test_failures_of_machines_that_have_no_readings_are_counted(tmp_path: Path) -> None:
    mapping = write(tmp_path)
    (tmp_path / "failures.csv").write_text("serial,date\nx1,2026-01-20\nx2,2026-01-21\n")
    text = mapping.read_text().replace('column = "failed"', 'files = "failures.csv"\ndevice = "serial"\nat = "date"')
    mapping.write_text(text)
    with pytest.raises(TooLittle, match="the 2 named failures are of others"):
        backtest(tmp_path, mapping, cut=None, horizon=WEEK)


def test_a_history_too_short_for_a_horizon_says_how_many_days_are_missing(folder: Path) -> None:
    with pytest.raises(TooLittle) as little:
        backtest(folder, folder / "mapping.toml", cut=None, horizon=timedelta(days=30))
    (refused,) = little.value.refused
    assert refused.missing == "18 more days of history, or a shorter horizon"


def test_too_few_failing_machines_for_unseen_ones_leave_that_section_out_and_the_others_in(tmp_path: Path) -> None:
    mapping = write(tmp_path, failing=13)
    found = backtest(tmp_path, mapping, cut=datetime(2026, 1, 25, tzinfo=UTC), horizon=WEEK)
    refused = {one["figure"]: one for one in found["refused"]}
    assert found["test"]["auc"] is not None
    assert found["unseen_devices"] is None
    assert "more device" in refused["unseen_devices"]["missing"]
    assert found["calibration"] is None
    assert "more failures after the cut" in refused["calibration"]["missing"]


def test_a_fleet_too_small_for_the_budget_is_told_so_and_answered_at_a_larger_one(answer: dict[str, Any]) -> None:
    refused = {one["figure"]: one for one in answer["refused"]}
    assert "device-weeks after the cut allow" in refused["alerts"]["why"]
    assert answer["answer"]["budget"] > 5
    assert answer["alerts"]["per_1000_device_weeks"] <= 5


# -- what is said ---------------------------------------------------------------------------------------------------------


def test_the_answer_counts_what_its_words_say(answer: dict[str, Any]) -> None:
    said = answer["answer"]
    assert said["words"][0].startswith(
        f"{said['foretold']} of {said['of']} failures after 2026-02-06 would have been foretold"
    )
    assert f"{said['false_per_1000_device_weeks']:.1f} false alarms per 1,000 device-weeks" in said["words"][0]
    assert said["words"][1].startswith(f"By age alone, without telemetry, {said['by_age']} of {said['of']}")
    assert said["foretold"] > 2 * said["by_age"]
    assert said["lead_days"]["p10"] <= said["lead_days"]["median"] <= 10
    assert sum(one["failures"] for one in answer["lead_days"]) == said["foretold"]
    assert sum(one["foretold"] for one in answer["weeks"]) == said["foretold"]
    assert sum(one["missed"] for one in answer["weeks"]) == said["of"] - said["foretold"]


def test_a_larger_budget_never_foretells_less(answer: dict[str, Any]) -> None:
    budgets = answer["budgets"]
    assert [one["budget"] for one in budgets[:5]] == [1, 2, 5, 10, 20]
    for one in budgets:
        assert one["per_1000_device_weeks"] <= one["budget"]
        assert one["foretold"] <= one["of"] == answer["answer"]["of"]
    found = [one["foretold"] for one in budgets]
    assert found == sorted(found)


def test_bands_of_risk_hold_all_rows_and_rise(answer: dict[str, Any]) -> None:
    bands = answer["calibration"]
    assert sum(one["rows"] for one in bands) == answer["test"]["rows"]
    assert sum(one["positives"] for one in bands) == answer["test"]["positives"]
    said = [one["said"] for one in bands]
    assert said == sorted(said)


def test_foretold_failures_are_shown_with_dates_lead_and_reasons_in_words(answer: dict[str, Any]) -> None:
    for one in answer["examples"]["foretold"]:
        flagged, failed = (datetime.fromisoformat(one[name]) for name in ("flagged_on", "failed_on"))
        assert (failed - flagged).days == one["lead_days"] > 0
        assert one["model"] == "A"
        assert one["part"] == "device"
    first = answer["examples"]["foretold"][0]["reasons"][0]
    assert first["metric"] == "vibration"
    assert first["text"].startswith("vibration adds ")
    assert "in the last 7 days (usually " in first["text"]


def test_missed_failures_and_false_alarms_say_why(answer: dict[str, Any], folder: Path) -> None:
    early = backtest(folder, folder / "mapping.toml", cut=datetime(2026, 1, 25, tzinfo=UTC), horizon=WEEK)
    for found in (answer, early):
        missed = found["examples"]["missed"]
        assert len(missed) == min(6, found["answer"]["of"] - found["answer"]["foretold"])
        assert all(one["why"] and 0 <= one["higher_than"] <= 1 for one in missed)
    assert all(one["flagged_on"] <= one["until"] for one in answer["examples"]["false"])


def test_parquet_gives_the_same_answer_as_csv(folder: Path, answer: dict[str, Any], tmp_path: Path) -> None:
    with gzip.open(folder / "readings.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in ("serial", "model")}
    columns["serial"] = pa.array(columns["serial"]).dictionary_encode()
    columns["date"] = pa.array(
        [datetime.fromisoformat(row["date"]).replace(tzinfo=UTC) for row in rows], pa.timestamp("s", "UTC")
    )
    columns["failed"] = pa.array([row["failed"] == "1" for row in rows])
    for name, kind in (("vibration", pa.float64()), ("errors", pa.int32()), ("hours", pa.int64())):
        columns[name] = pa.array([float(row[name]) for row in rows]).cast(kind)
    pq.write_table(pa.table(columns), tmp_path / "readings.parquet", row_group_size=1000)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text((folder / "mapping.toml").read_text().replace("readings*.csv.gz", "readings.parquet"))
    found = backtest(tmp_path, mapping, cut=None, horizon=WEEK)
    for key in ("test", "unseen_devices", "alerts", "answer", "budgets", "examples", "reasons"):
        assert found[key] == answer[key], key


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 200))
def test_alerts_keep_to_the_budget_and_right_ones_are_those_that_have_a_lead(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    device, day = (one.ravel() for one in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    fails = np.where(rng.random(30) < 0.5, rng.integers(1, 30, 30), 10**6)
    ahead = (fails[device] - day).astype(float)
    kept = ahead > 0
    to_failure = np.where(ahead[kept] > 1000, np.inf, ahead[kept])
    probability = np.round(rng.random(int(kept.sum())), 2)
    found = alerts_within(probability, device[kept], day[kept], to_failure, horizon=7, per_1000_weeks=budget)
    assert len(found.spells.device) <= budget * kept.sum() / 7 / 1000
    assert bool(found.leads) == bool(found.right.any())
    assert all(0 < lead <= 30 for lead in found.leads.values())
    assert found.foretold <= found.foreseeable
