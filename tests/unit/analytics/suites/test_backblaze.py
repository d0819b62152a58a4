"""The suite `backblaze`: finding the drives' files, scores with intervals, and silence where there is too little to judge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.suites import backblaze
from hearthwatch.errors import Invalid, Missing
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.reader import read_history
from hearthwatch.run.backblaze_table import lines

DAYS, DRIVES = 40, 200
HEADER = (
    "date,serial_number,model,capacity_bytes,failure,smart_1_raw,smart_5_raw,smart_9_raw,smart_194_raw,smart_197_raw\n"
)


def write(folder: Path, *, failing: int = 50, seed: int = 1, named: str = "{}.csv") -> Path:
    """Daily files like the originals: of drives that fail most have sectors waiting for reallocation in the week before."""
    rng = np.random.default_rng(seed)
    fails = dict(zip(rng.permutation(DRIVES)[:failing].tolist(), rng.integers(6, DAYS, failing).tolist(), strict=True))
    signs = rng.random(DRIVES) < 0.7
    for day in range(DAYS):
        rows = []
        for drive in range(DRIVES):
            left = fails.get(drive, 10**6) - day
            if left < 0:
                continue
            waiting = int(8 * (8 - left)) if left < 8 and signs[drive] else 0
            hours = 1000 + 100 * drive + 24 * day
            rows.append(
                f"Z{drive},ST{drive % 3},1000,{int(left == 0)},{rng.integers(10**6)},{waiting // 2},{hours},25,{waiting}"
            )
        when = date(2013, 4, 10) + timedelta(days=day)
        path = folder / named.format(when)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "".join(f"{when},{row}\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    folder = write(tmp_path_factory.mktemp("drives"), named="data_Q2_2013/{}.csv")
    (folder / "survival_by_model.csv").write_text("model,drives\nST1,2\n")
    return backblaze.evaluate(folder)


def test_a_folder_without_daily_files_is_told_where_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "survival.csv").write_text("model,drives\n")
    with pytest.raises(Missing, match=r"2013-04-10\.csv.*backblaze\.com"):
        backblaze.evaluate(tmp_path)


def test_a_packed_quarter_is_named_and_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "data_Q1_2024.zip").write_bytes(b"PK")
    with pytest.raises(Missing, match=r"data_Q1_2024\.zip must be unpacked first"):
        backblaze.evaluate(tmp_path)


def smart(folder: Path, header: str, *rows: str) -> dict[str, str]:
    """The kinds of the metrics that a quarter with one daily file would be read with."""
    (folder / "data_Q1_2024").mkdir()
    (folder / "data_Q1_2024" / "2024-01-01.csv").write_text("\n".join((header, *rows)) + "\n")
    where, mapping = backblaze.drives_in(folder)
    assert read_history(where, mapping).metrics
    return {name: column.kind for name, column in (mapping.metrics or {}).items()}


def test_attributes_of_later_years_are_read_where_they_are_filled_and_those_that_are_gone_are_not_missed(
    tmp_path: Path,
) -> None:
    header = (
        "date,serial_number,model,capacity_bytes,failure,datacenter,is_legacy_format,smart_197_raw,smart_187_raw,smart_198_raw,"
        "smart_199_raw,smart_5_raw"
    )
    rows = ("2024-01-01,Z1,ST1,1000,0,sac0,false,0,,2,,0", "2024-01-01,Z2,ST1,1000,0,,,0,3,,,")
    kinds = smart(tmp_path, header, *rows)
    assert kinds == {"smart_5": "counter", "smart_187": "counter", "smart_197": "gauge", "smart_198": "gauge"}


def test_drives_that_hardly_fail_are_not_judged(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"too little to judge"):
        backblaze.evaluate(write(tmp_path, failing=4))


def test_longer_horizons_abstain_and_say_how_long_a_history_they_need(found: Mapping[str, Any]) -> None:
    for days, least in (("30", 78), ("90", 228)):
        told = found["results"]["other_horizons"][days]
        assert told["abstained"] is True
        assert f"too short for a horizon of {days} days" in told["why"]
        assert f"It has 40 days; with the default cut at least {least} are needed" in told["why"]


def test_what_foretells_failures_beats_age_alone_and_goals_follow_from_the_figures(found: Mapping[str, Any]) -> None:
    results = found["results"]
    assert results["test"]["average_precision"] > 3 * found["baselines"]["age_only"]["average_precision"]
    assert found["baselines"]["logistic_5_smart"]["average_precision"] > 3 * results["test"]["base_rate"]
    assert found["baselines"]["smart_above_0"]["average_precision"] > 3 * results["test"]["base_rate"]
    assert found["baselines"]["model_rate"]["rows"] == results["test"]["rows"]
    assert found["baselines"]["zero"]["brier"] == pytest.approx(results["test"]["base_rate"])
    for part in ("test", "unseen_devices"):
        bounds, goals = results["intervals"][part], results["goals"][part]
        assert bounds["observed_expected"]["value"] == pytest.approx(results[part]["observed_expected"], abs=1e-5)
        for way in ("by_device", "by_day", "by_both"):
            low, high = bounds["average_precision"][way]
            assert low < results[part]["average_precision"] < high
        held = [low <= 1 <= high for low, high in (bounds["calibration_slope"][way] for way in ("by_device", "by_day"))]
        assert goals["calibration_slope_holds_1"] == all(held)
        assert goals["brier_skill_above_0"] == (bounds["brier_skill"]["value"] > 0)


def test_a_large_fleet_is_drawn_again_less_often_and_a_small_one_a_thousand_times(found: Mapping[str, Any]) -> None:
    assert found["results"]["replications"] == backblaze.replications(200_000) == 1000
    assert backblaze.replications(1_000_000) == 400
    assert backblaze.replications(50_000_000) == 200


def test_lines_for_people_name_every_goal_and_why_nothing_is_said(found: Mapping[str, Any]) -> None:
    text = "\n".join(lines({"suite": "backblaze", **found}))
    for name, goal in found["goals"].items():
        assert f"goal {name}: " in text
        assert goal["met"] == (goal["missed_by"] == 0)
    assert "90 days: the history is too short" in text


def test_the_mapping_is_the_one_in_the_documentation() -> None:
    documented = Path(__file__).parents[4] / "docs/examples/backblaze.toml"
    assert read_mapping(backblaze.MAPPING) == read_mapping(documented)
