"""Comparing a history by a column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.cohorts.history import compare_history
from hearthwatch.errors import Invalid

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
KEYS = (
    "model",
    "by",
    "treatment",
    "control",
    "metric",
    "verdict",
    "ratio",
    "low",
    "high",
    "e",
    "devices",
    "exposure_hours",
    "first_alarm_at",
    "why",
)


def stamp(day: int, minute: int = 0) -> str:
    return (FIRST + timedelta(days=day, hours=12, minutes=minute)).isoformat()


@dataclass(slots=True)
class Past:
    """A maker's tables: devices of one model that report daily; the first half gets 2.0 on days 20 to 24."""

    folder: Path
    ratio: float = 1.0
    rate: float = 0.3
    bias: bool = False
    devices: int = 160
    days: int = 45
    batch_ratio: float = 1.0

    def write(self) -> None:
        rng = np.random.default_rng(4)
        own = self.rate * rng.lognormal(0.0, 0.7, self.devices)
        if self.bias:
            own = np.sort(own)[::-1]
        update = np.full(self.devices, 10**6)
        half = self.devices // 2
        update[:half] = 20 + rng.integers(0, 5, half)
        readings, events, failures = ["device,at,fw,batch,t"], ["device,at,kind,code"], ["device,at,part"]
        for device in range(self.devices):
            batch = "b1" if device % 2 else "b2"
            for day in range(self.days):
                new = day >= update[device]
                readings.append(f"d{device},{stamp(day)},{'2.0' if new else '1.0'},{batch},20.0")
                expected = own[device] * (self.ratio if new else 1.0) * (self.batch_ratio if batch == "b2" else 1.0)
                events += [f"d{device},{stamp(day, minute)},reboot,panic" for minute in range(rng.poisson(expected))]
            if batch == "b2" and rng.random() < 0.5:
                failures.append(f"d{device},{stamp(int(rng.integers(1, self.days)))},relay")
        (self.folder / "readings.csv").write_text("\n".join(readings))
        (self.folder / "events.csv").write_text("\n".join(events))
        (self.folder / "failures.csv").write_text("\n".join(failures))


EVENTS = '[events]\nfiles = "events.csv"\ndevice = "device"\nat = "at"\nkind = "kind"\ncode = "code"\n'
FAILURES = '[failures]\nfiles = "failures.csv"\ndevice = "device"\nat = "at"\npart = "part"\n'
READINGS = (
    '[source]\nfiles = "readings.csv"\n[columns]\ndevice = "device"\nat = "at"\nfirmware = "fw"\nbatch = "batch"\n'
)


def compare(past: Past, by: str, mapping: str = READINGS + EVENTS) -> Sequence[Mapping[str, Any]]:
    past.write()
    file = past.folder / "mapping.toml"
    file.write_text(mapping)
    comparisons: Sequence[Mapping[str, Any]] = compare_history(past.folder, file, by)["comparisons"]
    return comparisons


def of(comparisons: Sequence[Mapping[str, Any]], treatment: str, metric: str) -> Mapping[str, Any]:
    (found,) = [one for one in comparisons if (one["treatment"], one["metric"]) == (treatment, metric)]
    return found


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"--by colour: .*batch, firmware"):
        compare(Past(tmp_path, devices=4), "colour")


def test_a_history_in_which_nothing_happened_says_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no failures and no events"):
        compare(Past(tmp_path, devices=4), "firmware", READINGS)


def test_too_few_devices_are_an_error_that_says_how_many_are_needed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="30 devices"):
        compare(Past(tmp_path, devices=40), "firmware")


def test_a_bad_release_is_worse_and_the_answer_is_json_with_the_promised_keys(tmp_path: Path) -> None:
    comparisons = compare(Past(tmp_path, ratio=2.5), "firmware")
    bad = of(comparisons, "2.0", "unexpected_reboots")
    assert set(KEYS) <= set(json.loads(json.dumps(bad, allow_nan=False)))
    assert bad["verdict"] == "worse"
    assert bad["low"] > 1.0
    assert bad["ratio"] == pytest.approx(2.5, rel=0.35)
    assert bad["devices"] == 80
    assert "2025-01-21" < bad["first_alarm_at"] < "2025-02-14"


def test_the_release_that_was_left_is_not_praised_for_it(tmp_path: Path) -> None:
    old = of(compare(Past(tmp_path, ratio=2.5), "firmware"), "1.0", "unexpected_reboots")
    assert old["verdict"] in {"confounded", "too_early"}


def test_a_harmless_release_is_not_worse(tmp_path: Path) -> None:
    comparisons = compare(Past(tmp_path), "firmware")
    assert {one["verdict"] for one in comparisons} <= {"same", "too_early"}
    assert all(one["first_alarm_at"] is None for one in comparisons)


def test_a_harmless_release_that_frail_devices_took_first_is_not_worse(tmp_path: Path) -> None:
    found = of(compare(Past(tmp_path, bias=True), "firmware"), "2.0", "unexpected_reboots")
    assert found["verdict"] in {"confounded", "same"}
    assert "already before" in found["why"] or found["verdict"] == "same"


def test_a_bad_batch_is_worse_by_its_failures(tmp_path: Path) -> None:
    comparisons = compare(Past(tmp_path), "batch", READINGS + FAILURES)
    assert of(comparisons, "b2", "failures")["verdict"] == "worse"
    assert of(comparisons, "b1", "failures")["verdict"] != "worse"


def test_a_bad_batch_is_found_whatever_firmware_its_devices_run(tmp_path: Path) -> None:
    comparisons = compare(Past(tmp_path, ratio=3.0, batch_ratio=2.5), "batch")
    bad = of(comparisons, "b2", "unexpected_reboots")
    assert bad["verdict"] == "worse"
    assert bad["ratio"] == pytest.approx(2.5, rel=0.35)


def test_both_failures_and_events_are_compared(tmp_path: Path) -> None:
    metrics = {one["metric"] for one in compare(Past(tmp_path), "batch", READINGS + EVENTS + FAILURES)}
    assert metrics == {"failures", "unexpected_reboots"}


def test_without_readings_devices_were_observed_from_installation_to_removal(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows, failures = ["device,hw,installed,removed"], ["device,at,part"]
    for device in range(240):
        hardware = "A" if device % 2 else "B"
        life = rng.exponential(400.0 if hardware == "A" else 60.0)
        failed = life < 100.0
        rows.append(f"d{device},{hardware},{stamp(0)},{stamp(int(life)) if failed else ''}")
        if failed:
            failures.append(f"d{device},{stamp(int(life))},relay")
    failures.append(f"d1,{stamp(99)},relay")
    (tmp_path / "devices.csv").write_text("\n".join(rows))
    (tmp_path / "failures.csv").write_text("\n".join(failures))
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[devices]\nfiles = "devices.csv"\ndevice = "device"\nhardware = "hw"\ninstalled = "installed"\nremoved = "removed"\n'
        + FAILURES
    )
    comparisons = compare_history(tmp_path, mapping, "hardware")["comparisons"]
    bad = of(comparisons, "B", "failures")
    assert bad["verdict"] == "worse"
    assert bad["low"] > 2.0
    assert bad["devices"] == 120


def test_failures_of_devices_that_chose_when_to_update_are_confounded_not_worse(tmp_path: Path) -> None:
    """Each device fails once, so none has a past of failures to be compared with."""
    rng = np.random.default_rng(6)
    readings, failures = ["device,at,fw"], ["device,at,part"]
    for device in range(400):
        update = 20 + int(rng.integers(0, 5)) if device < 200 else 10**6
        for day in range(60):
            readings.append(f"d{device},{stamp(day)},{'2.0' if day >= update else '1.0'}")
            if rng.random() < (0.03 if day > update else 0.006):
                failures.append(f"d{device},{stamp(day)},relay")
                break
    (tmp_path / "readings.csv").write_text("\n".join(readings))
    (tmp_path / "failures.csv").write_text("\n".join(failures))
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[source]\nfiles = "readings.csv"\n[columns]\ndevice = "device"\nat = "at"\nfirmware = "fw"\n' + FAILURES
    )
    found = of(compare_history(tmp_path, mapping, "firmware")["comparisons"], "2.0", "failures")
    assert found["verdict"] == "confounded"
    assert found["ratio"] > 2.0
    assert "who changed first" in found["why"]
