"""The long fault runs of the Makefile, made short: that they work, and that they would say so when something was lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hearthwatch.ports import TelemetryStore
from hearthwatch.values import Reading
from tests.faults import kill_duckdb, soak
from tests.faults.numbered import METRIC, Load, check, device_name
from tests.faults.soak import Sample
from tests.faults.trend import trend


def test_a_number_that_is_missing_and_one_that_is_there_twice_are_found(mosquitto: str, store: TelemetryStore) -> None:
    load = Load(mosquitto, devices=3)
    try:
        load.send(30)
        load.flush()
    finally:
        load.close()
    at = datetime.now(UTC)
    for number in range(30):
        if number not in {7, 8}:
            store.write([_reading(number, at)])
    store.write([_reading(3, at + timedelta(seconds=1)), _reading(4, at + timedelta(seconds=1))])
    found = check(store, load)
    assert (found.sent, found.stored, found.missing, found.twice) == (30, 30, 2, 2)


def _reading(number: int, at: datetime) -> Reading:
    return Reading(device_name(number % 3), "native", at + timedelta(milliseconds=number), {METRIC: float(number)})


def test_growth_is_told_from_noise_that_comes_back() -> None:
    hours = [number / 360 for number in range(720)]
    sawtooth = [200 + number % 17 for number in range(720)]
    leak = [level + 3 * hour for level, hour in zip(sawtooth, hours, strict=True)]
    steady, growing = trend(hours, sawtooth), trend(hours, leak)
    assert steady is not None
    assert growing is not None
    assert steady.low < 0 < steady.high
    assert growing.low > 1
    assert trend(hours[:5], leak[:5]) is None


@pytest.mark.parametrize(
    ("what", "leaky"),
    [
        ("memory", [Sample(n / 360, 300 + n * 0.1, 100.0, 13, 0, n, 0.1, 0.2) for n in range(360)]),
        ("files", [Sample(n / 360, 200 + n, float(n), 13 + n // 100, 0, n, 0.1, 0.2) for n in range(360)]),
        ("limit", [Sample(n / 360, 900, 800.0, 13, 0, n, 0.1, 0.2) for n in range(360)]),
        ("lag", [Sample(n / 360, 200, None, 13, 0, n, n / 300, n / 300) for n in range(360)]),
    ],
)
def test_a_soak_fails_when_something_grows(what: str, leaky: list[Sample]) -> None:
    failed = [one.name for one in soak.nothing_grows(leaky) if not one.holds]
    assert len(failed) == 1
    assert what in failed[0]


def test_a_soak_of_a_few_seconds_loses_nothing_and_writes_down_what_it_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "EVERY_S", 0.2)
    out = tmp_path / "soak.json"
    assert soak.main(["--minutes", "0.05", "--rate", "500", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["sent"] > 300
    assert (found["missing"], found["twice"]) == (0, 0)
    assert found["samples"]["stored"] == found["sent"] == found["stored"]
    assert len(out.with_suffix(".samples.jsonl").read_text().splitlines()) == 15


def test_a_duckdb_writer_that_is_killed_between_checkpoints_leaves_whole_batches(tmp_path: Path) -> None:
    found = kill_duckdb.run(3, tmp_path)
    assert found["passed"], found
    assert found["batches"] >= 3
