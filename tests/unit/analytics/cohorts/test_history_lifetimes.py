"""Comparing a history without readings, as docs/examples/lifetimes.toml has it: from the files to the command's answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from analytics.cohorts import day_cells
from analytics.cohorts.history import compare_history
from hearthwatch.errors import Invalid
from hearthwatch.run.cli import app

MAPPING = Path(__file__).parents[4] / "docs" / "examples" / "lifetimes.toml"
SOLD = datetime(2023, 1, 2, 9, tzinfo=UTC)
Form = Literal["csv", "parquet"]


def write(folder: Path, form: Form, *, hazard: float = 2.5, devices: int = 400, seed: int = 3) -> None:
    """Devices sold over a year and watched for two; those of lot L3 fail ``hazard`` times as often."""
    rng = np.random.default_rng(seed)
    lot = np.array(["L1", "L2", "L3"])[rng.integers(0, 3, devices)]
    sold = rng.integers(0, 365, devices)
    life = rng.exponential(900.0 / np.where(lot == "L3", hazard, 1.0))
    failed = sold + life < 730
    back = [(SOLD + timedelta(days=int(day))).isoformat() for day in sold + life]
    names = [f"s{number}" for number in range(devices)]
    table = pa.table(
        {
            "serial": names,
            "model": ["lock"] * devices,
            "hw_rev": np.array(["A", "B"])[rng.integers(0, 2, devices)],
            "country": ["DE"] * devices,
            "sold_on": [(SOLD + timedelta(days=int(day))).isoformat() for day in sold],
            "returned_on": [one if gone else None for one, gone in zip(back, failed, strict=True)],
            "lot": lot,
            "battery_supplier": np.array(["ACME", "Sol"])[rng.integers(0, 2, devices)],
        }
    )
    returns = pa.table(
        {
            "serial": [name for name, gone in zip(names, failed, strict=True) if gone],
            "returned_on": [one for one, gone in zip(back, failed, strict=True) if gone],
            "reason": ["battery"] * int(failed.sum()),
        }
    )
    for name, one in (("devices", table), ("returns", returns)):
        if form == "csv":
            pa.csv.write_csv(one, folder / f"{name}.csv")
        else:
            pa.parquet.write_table(one, folder / f"{name}.parquet")


def cohorts(folder: Path, *options: str) -> str:
    answer = CliRunner().invoke(app, ["cohorts", str(folder), "--mapping", str(MAPPING), *options])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_bad_lot_is_worse_from_sales_and_returns_alone(tmp_path: Path, form: Form) -> None:
    write(tmp_path, form)
    found = {one["treatment"]: one for one in json.loads(cohorts(tmp_path, "--by", "lot", "--json"))["comparisons"]}
    assert {name: one["verdict"] == "worse" for name, one in found.items()} == {"L1": False, "L2": False, "L3": True}
    assert found["L3"]["low"] > 1.0
    assert found["L3"]["basis"] == "exchangeable"
    assert "association" in found["L3"]["why"]
    assert {(one["hardware"], one["battery_supplier"]) for one in found["L3"]["strata"]} == {
        (hardware, supplier) for hardware in "AB" for supplier in ("ACME", "Sol")
    }
    assert all(one["device"].startswith("s") for one in found["L3"]["contributors"])


def test_the_command_prints_a_table_and_sentences_for_a_person(tmp_path: Path) -> None:
    write(tmp_path, "csv")
    told = cohorts(tmp_path, "--by", "lot")
    assert "By lot, each value against all others on the same days, within hardware, battery_supplier: 1 worse" in told
    row = next(line for line in told.splitlines() if line.startswith("worse"))
    assert row.split()[:4] == ["worse", "lock", "L3", "failures"]
    assert "This is an association" in told


def test_suppliers_that_do_not_matter_are_not_worse(tmp_path: Path) -> None:
    write(tmp_path, "csv")
    found = compare_history(tmp_path, MAPPING, "battery_supplier")["comparisons"]
    assert {one["treatment"] for one in found} == {"ACME", "Sol"}
    assert "worse" not in {one["verdict"] for one in found}


def test_years_before_the_first_return_are_not_counted_as_healthy(tmp_path: Path) -> None:
    """Who failed before anybody wrote returns down is not in the history."""
    write(tmp_path, "csv")
    text = (tmp_path / "devices.csv").read_text().replace("2023-01-0", "2003-01-0")
    (tmp_path / "devices.csv").write_text(text)
    found = compare_history(tmp_path, MAPPING, "lot")["comparisons"]
    total = found[0]["exposure_hours"] + found[0]["control_exposure_hours"]
    assert total < 400 * 730 * 24


def test_a_long_history_is_taken_in_coarser_steps_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "csv")

    def bad() -> Any:
        return next(one for one in compare_history(tmp_path, MAPPING, "lot")["comparisons"] if one["treatment"] == "L3")

    fine = bad()
    monkeypatch.setattr(day_cells, "MOST_CELLS", 40_000)
    coarse = bad()
    assert coarse["verdict"] == fine["verdict"] == "worse"
    assert coarse["ratio"] == pytest.approx(fine["ratio"], rel=0.05)
    assert coarse["events"] == fine["events"]
    assert coarse["exposure_hours"] == pytest.approx(fine["exposure_hours"], rel=0.05)


def test_a_history_without_any_end_says_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "csv")
    (tmp_path / "returns.csv").write_text("serial,returned_on,reason\n")
    text = "serial,model,hw_rev,country,sold_on,returned_on,lot,battery_supplier\n"
    (tmp_path / "devices.csv").write_text(text + "s1,lock,A,DE,2023-01-02,,L1,ACME\ns2,lock,A,DE,2023-01-02,,L2,ACME\n")
    with pytest.raises(Invalid, match="no readings, no removal, no failure"):
        compare_history(tmp_path, MAPPING, "lot")
