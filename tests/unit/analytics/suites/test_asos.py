"""The suite `asos`: reading the experiments, and what is flagged in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.suites import asos
from hearthwatch.errors import Invalid, Missing

COLUMNS = ("time_since_start", "count_c", "count_t", "mean_c", "mean_t", "variance_c", "variance_t")


def write(folder: Path, *series: tuple[str, list[tuple[float, ...]]], without: str = "") -> Path:
    """A file like the original: a name and rows of the seven numbers for each series."""
    rows = [
        {"experiment_id": name, "variant_id": 1, "metric_id": 1, **dict(zip(COLUMNS, values, strict=True))}
        for name, checkpoints in series
        for values in checkpoints
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.drop_columns([without]) if without else table, folder / asos.FILE)
    return folder


def checkpoint(day: float, mean_t: float, count: float = 10_000.0) -> tuple[float, ...]:
    return (day, count, count, 1.0, mean_t, 1.0, 1.0)


def test_a_folder_without_the_file_is_told_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"osf\.io"):
        asos.evaluate(tmp_path)


def test_a_file_that_is_no_parquet_or_lacks_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / asos.FILE).write_text("experiment_id,variant_id\n")
    with pytest.raises(Invalid, match="is no Parquet file"):
        asos.evaluate(tmp_path)
    write(tmp_path, ("a", [checkpoint(1.0, 1.0)]), without="variance_t")
    with pytest.raises(Invalid, match="has no column variance_t"):
        asos.evaluate(tmp_path)


def test_a_file_without_a_usable_checkpoint_is_an_error_not_a_share_of_nothing(tmp_path: Path) -> None:
    write(tmp_path, ("a", [(1.0, 0.0, 0.0, 0.0, 0.0, float("nan"), float("nan"))]))
    with pytest.raises(Invalid, match="no series"):
        asos.evaluate(tmp_path)


def test_the_last_checkpoint_of_a_day_is_the_look_of_that_day(tmp_path: Path) -> None:
    days = [0.5, 1.0, 1.5, 2.0, 2.5]
    write(tmp_path, ("a", [checkpoint(day, 1.0 + day / 100.0) for day in reversed(days)]))
    (series,) = asos.read_series(tmp_path)
    assert series.days.tolist() == days
    assert series.daily().days.tolist() == [1.0, 2.0, 2.5]


def test_a_difference_that_comes_and_goes_is_flagged_by_every_look_only(tmp_path: Path) -> None:
    passing = [checkpoint(1.0, 1.03), checkpoint(2.0, 1.0, 20_000.0)]  # z = 2.1, then 0
    lasting = [checkpoint(1.0, 1.2), checkpoint(2.0, 1.2, 20_000.0)]  # z = 14, then 20
    answer = asos.evaluate(write(tmp_path, ("passing", passing), ("lasting", lasting)))
    expected = {"series": 2, "flagged_any_look": 0.5, "flagged_end": 0.5}
    assert answer["results"].items() >= expected.items()
    assert answer["baselines"]["repeated_z"].items() >= {**expected, "flagged_any_look": 1.0}.items()


def test_our_interval_is_fooled_by_peeking_no_more_often_than_declared(tmp_path: Path) -> None:
    """A/A series: independent increments, so that the truth is known."""
    rng = np.random.default_rng(1)
    series = []
    for number in range(400):
        noise = np.cumsum(rng.standard_normal((2, 40)), axis=1)
        looks = np.arange(1, 41)
        counts = 1000.0 * looks
        means = 1.0 + noise * np.sqrt(1000.0) / counts
        rows = [(float(day), counts[day - 1], counts[day - 1], *means[:, day - 1], 1.0, 1.0) for day in looks]
        series.append((f"{number:03}", rows))
    answer = asos.evaluate(write(tmp_path, *series))
    error = np.sqrt(0.05 * 0.95 / 400)
    assert answer["results"]["flagged_any_look"] <= 0.05 + 3.0 * error
    assert answer["baselines"]["obrien_fleming"]["flagged_any_look"] <= 0.05 + 3.0 * error
    assert answer["baselines"]["bonferroni"]["flagged_any_look"] <= 0.05 + 3.0 * error
    assert answer["baselines"]["repeated_z"]["flagged_any_look"] > 0.2
    assert answer["baselines"]["repeated_z"]["flagged_end"] <= 0.05 + 3.0 * error


def test_the_real_experiments_are_read_as_their_users_read_them(third_party_data: Path) -> None:
    """59 % and 28 % are flagged by |z| > 1.96 at any checkpoint and at the end."""
    answer: dict[str, Any] = asos.evaluate(third_party_data / "asos")
    repeated = answer["baselines"]["repeated_z"]["at_every_checkpoint"]
    assert repeated["series"] == 381
    assert round(repeated["flagged_any_look"], 2) == 0.59
    assert round(repeated["flagged_end"], 2) == 0.28
    ours = answer["results"]
    assert ours["series"] == 381
    assert 0.0 < ours["flagged_end"] < ours["flagged_any_look"] < repeated["flagged_any_look"]
