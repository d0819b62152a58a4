"""Comparing a history by what its gauges and counters say; how devices came to a release; what is wrong with a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.cohorts.history import compare_history
from hearthwatch.errors import Invalid
from hearthwatch.values import Assignment

FIRST = datetime(2025, 1, 1, 12, tzinfo=UTC)
COLUMNS = '[source]\nfiles = "r*.csv"\n[columns]\ndevice = "device"\nat = "at"\nfirmware = "fw"\nlot = "lot"\n'


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices that report once a day: half of lot L2; half gets 2.0 on days 20 to 24, the first by number or by lot."""

    folder: Path
    devices: int = 120
    days: int = 45
    latency: float = 1.0
    drain: float = 1.0
    errors: float = 1.0
    by: str = "fw"

    def write(self) -> None:
        rng = np.random.default_rng(3)
        new, lot = np.arange(self.devices) < self.devices // 2, np.arange(self.devices) % 2 == 1
        update = np.where(new, 20 + rng.integers(0, 5, self.devices), 10**6)
        own = rng.lognormal(0.0, 0.3, self.devices)
        rows = ["device,at,fw,lot,latency,battery,errors"]
        battery, errors = np.full(self.devices, 100.0), np.zeros(self.devices)
        for day in range(self.days):
            bad = day >= update if self.by == "fw" else lot
            value = 0.3 * own * np.where(bad, self.latency, 1.0) * rng.lognormal(0.0, 0.2, self.devices)
            battery -= own * np.where(bad, self.drain, 1.0) * rng.lognormal(0.0, 0.2, self.devices)
            battery = np.where(battery < 60, 100.0, battery)  # new cells
            errors += rng.random(self.devices) < 0.2 * own * np.where(bad, self.errors, 1.0)
            for device in range(self.devices):
                version = "2.0" if day >= update[device] else "1.0"
                cells = (value[device], battery[device], errors[device])
                at = (FIRST + timedelta(days=day)).isoformat()
                rows.append(f"d{device},{at},{version},L{1 + lot[device]},{','.join(f'{cell:.4f}' for cell in cells)}")
        (self.folder / "readings.csv").write_text("\n".join(rows))


LATENCY = '[metrics]\nlatency_s = { column = "latency", unit = "s", direction = "high" }\n'
SPEED = '[metrics]\nspeed = { column = "latency", direction = "low" }\n'
DRAIN = (
    '[metrics]\ndrain = { column = "battery", unit = "%", direction = "high", measure = "fall", largest_rise = 20 }\n'
)
ERRORS = '[metrics]\nerrors = { column = "errors", kind = "counter", direction = "high" }\n'


def compare(
    fleet: Fleet, by: str, metrics: str, assignment: Assignment | None = None, columns: str = COLUMNS
) -> Mapping[str, Any]:
    fleet.write()
    file = fleet.folder / "mapping.toml"
    file.write_text(columns + metrics)
    return compare_history(fleet.folder, file, by, assignment)


def of(answer: Mapping[str, Any], treatment: str) -> Mapping[str, Any]:
    (found,) = [one for one in answer["comparisons"] if one["treatment"] == treatment]
    return dict(found)


def test_a_release_that_lags_is_worse_by_its_mean_against_each_devices_own_past(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path, latency=1.2), "firmware", LATENCY), "2.0")
    assert (found["verdict"], found["kind"], found["unit"], found["basis"]) == ("worse", "mean", "s", "own_past")
    assert found["ratio"] == pytest.approx(1.2, rel=0.05)
    assert found["low"] > 1.05
    assert "show latency_s" in found["why"]


def test_a_release_that_changes_nothing_is_the_same_within_the_narrower_bounds_of_means(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path), "firmware", LATENCY), "2.0")
    assert found["verdict"] == "same"
    assert 1 / 1.10 <= found["low"] < 1.0 < found["high"] <= 1.10


def test_where_less_is_worse_less_is_worse(tmp_path: Path) -> None:
    slower = of(compare(Fleet(tmp_path, latency=0.8), "firmware", SPEED), "2.0")
    assert slower["verdict"] == "worse"
    assert slower["high"] < 1.0
    assert of(compare(Fleet(tmp_path, latency=1.2), "firmware", SPEED), "2.0")["verdict"] == "better"


def test_a_battery_that_drains_faster_is_worse_and_new_cells_are_no_charge_gained(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path, drain=1.5), "firmware", DRAIN), "2.0")
    assert found["verdict"] == "worse"
    assert found["ratio"] == pytest.approx(1.5, rel=0.1)


def test_days_on_which_a_counter_grew_are_counted_once_each(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path, errors=2.5, by="lot"), "lot", ERRORS), "L2")
    assert found["verdict"] == "worse"
    assert found["unit"] == "days"
    assert found["events"] <= found["exposure_hours"] / 24


def test_a_counter_of_good_things_is_left_out_and_said_so(tmp_path: Path) -> None:
    answer = compare(Fleet(tmp_path), "lot", LATENCY + ERRORS.replace("[metrics]\n", "").replace('"high"', '"low"'))
    assert {one["metric"] for one in answer["comparisons"]} == {"latency_s"}
    assert [(one["metric"], "only more can be worse" in one["why"]) for one in answer["left_out"]] == [("errors", True)]


def test_a_lot_never_changes_so_its_mean_is_an_association(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path, latency=1.6, by="lot"), "lot", LATENCY), "L2")
    assert (found["verdict"], found["basis"]) == ("worse", "exchangeable")
    assert "association" in found["why"]


def test_a_glitch_of_one_device_does_not_speak_for_the_fleet(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.write()
    file, mapping = tmp_path / "readings.csv", tmp_path / "mapping.toml"
    mapping.write_text(COLUMNS + LATENCY)
    before = of(compare_history(tmp_path, mapping, "firmware"), "2.0")
    lines = file.read_text().splitlines()
    place = next(row for row, line in enumerate(lines) if line.startswith("d3,2025-02-01"))
    cells = lines[place].split(",")
    lines[place] = ",".join([*cells[:4], "1e9", *cells[5:]])
    file.write_text("\n".join(lines))
    after = of(compare_history(tmp_path, mapping, "firmware"), "2.0")
    assert after["ratio"] == pytest.approx(before["ratio"], rel=0.02)
    assert after["verdict"] == before["verdict"]


@pytest.mark.parametrize(("unit", "said"), [("°C", "no zero"), ("dBm", "no zero")])
def test_a_gauge_without_a_zero_is_left_out_and_said_so(tmp_path: Path, unit: str, said: str) -> None:
    answer = compare(
        Fleet(tmp_path), "firmware", LATENCY + f'heat = {{ column = "battery", unit = "{unit}", direction = "high" }}\n'
    )
    assert {one["metric"] for one in answer["comparisons"]} == {"latency_s"}
    (left,) = answer["left_out"]
    assert left["metric"] == "heat"
    assert said in left["why"]


def test_a_maker_who_drew_the_waves_by_lot_may_say_so_in_the_mapping_or_as_an_option(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, latency=1.2)
    assert of(compare(fleet, "firmware", LATENCY), "2.0")["basis"] == "own_past"
    said = compare(fleet, "firmware", LATENCY + '[cohorts]\nassignment = "randomised"\n')
    assert (said["assignment"], of(said, "2.0")["basis"]) == ("randomised", "randomised")
    assert "association" not in of(said, "2.0")["why"]
    assert of(compare(fleet, "firmware", LATENCY, "randomised"), "2.0")["basis"] == "randomised"
    overruled = compare(fleet, "firmware", LATENCY + '[cohorts]\nassignment = "randomised"\n', "unknown")
    assert of(overruled, "2.0")["basis"] == "own_past"


@pytest.mark.parametrize(
    ("mapping", "by", "where"),
    [
        (COLUMNS + LATENCY, "colour", "--by colour: there is no such column"),
        (COLUMNS.replace('"lot"', '"lott"') + LATENCY, "lot", r"(?s)lott"),
        (COLUMNS + '[metrics]\nx = { column = "nope", direction = "high" }\n', "lot", "nope"),
        (COLUMNS + '[cohorts]\nassignment = "guessed"\n', "lot", "cohorts.assignment"),
        (COLUMNS + '[metrics]\nx = { column = "errors", kind = "counter", measure = "fall" }\n', "lot", "metrics.x"),
        (COLUMNS + '[metrics]\nx = { column = "latency", largest_rise = 2 }\n', "lot", "largest_rise"),
        (COLUMNS + '[metrics]\nx = { column = "latency" }\n', "lot", "no metric has a direction"),
        (COLUMNS.replace('lot = "lot"', 'lot = "lot"\nsame = "constant"') + LATENCY, "same", "one value only"),
        (COLUMNS.replace('lot = "lot"', 'lot = "lot"\nnone = "empty"') + LATENCY, "none", "is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, mapping: str, by: str, where: str) -> None:
    Fleet(tmp_path, devices=4, days=3).write()
    lines = (tmp_path / "readings.csv").read_text().splitlines()
    more = [lines[0] + ",constant,empty", *(f"{line},x," for line in lines[1:])]
    (tmp_path / "readings.csv").write_text("\n".join(more))
    file = tmp_path / "mapping.toml"
    file.write_text(mapping)
    with pytest.raises(Invalid, match=where):
        compare_history(tmp_path, file, by)


def test_days_are_utc_days_whatever_offset_the_times_are_written_with(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, latency=1.2)
    plain = of(compare(fleet, "firmware", LATENCY), "2.0")
    rows = (tmp_path / "readings.csv").read_text().splitlines()
    offsets = (
        ("12:00:00+00:00", "12:00:00+00:00"),
        ("12:00:00+00:00", "21:00:00+09:00"),
        ("12:00:00+00:00", "04:00:00-08:00"),
    )
    mixed = [row.replace(*offsets[place % 3]) for place, row in enumerate(rows)]
    (tmp_path / "readings.csv").write_text("\n".join(mixed))
    assert of(compare_history(tmp_path, tmp_path / "mapping.toml", "firmware"), "2.0") == plain


def test_several_releases_at_once_and_a_device_that_changes_twice(tmp_path: Path) -> None:
    """A third stays on 1.0, a third gets 2.0 and later 3.0, a third 3.0 at once; 2.0 is slow; days are missing here and there."""
    rng = np.random.default_rng(11)
    rows = ["device,at,fw,latency"]
    own = rng.lognormal(0.0, 0.2, 180)
    for device in range(180):
        first, second = 20 + int(rng.integers(0, 4)), 34 + int(rng.integers(0, 4))
        for day in range(50):
            if rng.random() < 0.1 or 27 <= day < 29:
                continue
            version = "1.0"
            if device >= 120:
                version = "3.0" if day >= first else "1.0"
            elif device >= 60:
                version = "3.0" if day >= second else "2.0" if day >= first else "1.0"
            value = own[device] * (1.3 if version == "2.0" else 1.0) * rng.lognormal(0.0, 0.2)
            rows.append(f"d{device},{(FIRST + timedelta(days=day)).isoformat()},{version},{value:.4f}")
    (tmp_path / "readings.csv").write_text("\n".join(rows))
    file = tmp_path / "mapping.toml"
    file.write_text(COLUMNS.replace('lot = "lot"\n', "") + LATENCY)
    answer = compare_history(tmp_path, file, "firmware")
    assert of(answer, "2.0")["verdict"] == "worse"
    assert of(answer, "2.0")["ratio"] == pytest.approx(1.3, rel=0.1)
    assert of(answer, "3.0")["verdict"] != "worse"


def test_strata_and_devices_are_told_that_make_the_difference(tmp_path: Path) -> None:
    found = of(compare(Fleet(tmp_path, latency=1.2), "firmware", LATENCY), "2.0")
    assert {one["lot"] for one in found["strata"]} == {"L1", "L2"}
    shares: Sequence[float] = [one["share"] for one in found["contributors"]]
    assert list(shares) == sorted(shares, reverse=True)
    assert found["decision"] is None or found["decision"]["says"]
