"""The past of another fleet: files that import cleanly, with failures that were there to be seen, and honest gaps."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device_sim.history import Past, write_history
from device_sim.scenario import Scenario, load_scenario
from hearthwatch.failure_modes import MODES
from hearthwatch.history import read_history, read_mapping
from hearthwatch.metrics import BY_NAME

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def past(small: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mapping file of a small past."""
    return write_history(tmp_path_factory.mktemp("past"), small, 77)


def rows(past: Path, name: str) -> Rows:
    with (past.parent / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def readings(past: Path, kind: str) -> Rows:
    with gzip.open(past.parent / f"readings-{kind}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_mapping_reads_every_row(past: Path, small: Scenario) -> None:
    history = read_history(past.parent, read_mapping(past))
    taken = sum(table.num_rows for table in history.readings())
    assert taken == sum(len(readings(past, kind)) for kind in small.history.devices)
    assert not history.rejected
    assert history.quality.rejected_rows == 0
    assert {metric.name for metric in history.metrics} <= BY_NAME.keys()
    assert all(metric.kind == BY_NAME[metric.name].kind for metric in history.metrics)


def test_the_same_seed_gives_the_same_files(small: Scenario, tmp_path: Path) -> None:
    brief = small.history.model_copy(update={"days": 30, "failures": {"relay_wear": 3}})
    scenario = small.model_copy(update={"history": brief})
    one, two = (write_history(tmp_path / name, scenario, 3).parent for name in ("one", "two"))
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_it_ends_where_the_story_begins(past: Path, small: Scenario) -> None:
    last = max(instant(row["at"]) for row in readings(past, "plug"))
    assert small.start - timedelta(days=1) < last < small.start


def test_every_failure_is_of_a_known_part_and_of_a_device_that_was_there(past: Path) -> None:
    parts = {mode.part for mode in MODES.values()}
    there = {row["device"]: (instant(row["installed"]), instant(row["removed"])) for row in rows(past, "devices.csv")}
    failures = rows(past, "failures.csv")
    assert len(failures) > 20
    for row in failures:
        installed, removed = there[row["device"]]
        assert row["part"] in parts
        assert installed < instant(row["at"]) < removed


def test_a_failed_device_is_silent_until_it_is_repaired(past: Path, small: Scenario) -> None:
    seen: dict[str, list[datetime]] = defaultdict(list)
    for kind in small.history.devices:
        for row in readings(past, kind):
            seen[row["device"]].append(instant(row["at"]))
    repairs: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in rows(past, "service.csv"):
        repairs[row["device"], row["part"]].append(instant(row["at"]))
    for row in rows(past, "failures.csv"):
        failed = instant(row["at"])
        later = [at for at in repairs[row["device"], row["part"]] if at > failed]
        if later:
            gap = [at for at in seen[row["device"]] if failed < at < min(later)]
            assert not gap, (row, gap)


def test_no_device_reports_before_it_came_or_after_it_left(past: Path, small: Scenario) -> None:
    there = {row["device"]: (instant(row["installed"]), instant(row["removed"])) for row in rows(past, "devices.csv")}
    joined_late = 0
    for kind in small.history.devices:
        for row in readings(past, kind):
            installed, removed = there[row["device"]]
            assert installed <= instant(row["at"]) <= removed
    first_day = small.start - timedelta(days=small.history.days)
    joined_late = sum(installed > first_day for installed, _ in there.values())
    left_early = sum(removed < small.start for _, removed in there.values())
    assert joined_late > 0
    assert left_early > 0


def test_devices_are_made_before_they_are_installed(past: Path) -> None:
    for row in rows(past, "devices.csv"):
        made = datetime.fromisoformat(row["made"]).replace(tzinfo=UTC)
        assert made < instant(row["installed"]) < instant(row["removed"])


def test_counters_never_fall_in_the_daily_rows(past: Path) -> None:
    newest: dict[tuple[str, str], float] = {}
    for row in readings(past, "lock"):
        for metric in ("lock_cycles", "boot_count", "sync_failed"):
            value = float(row[metric])
            assert value >= newest.get((row["device"], metric), 0.0)
            newest[row["device"], metric] = value


def test_reboots_are_events_on_the_firmware_of_their_time(past: Path, small: Scenario) -> None:
    camera = small.model("camera")
    events = [row for row in rows(past, "events.csv") if row["device"].startswith("cam-")]
    assert {row["firmware"] for row in events} == {camera.firmware, camera.earlier_firmware}
    assert [row["at"] for row in events] == sorted(row["at"] for row in events)
    codes = Counter(row["code"] for row in events)
    assert codes["update"] > 0
    assert codes["watchdog"] > codes["brownout"]


def test_a_device_moves_to_the_present_firmware_once(past: Path, small: Scenario) -> None:
    plug = small.model("plug")
    seen: dict[str, list[str]] = defaultdict(list)
    for row in readings(past, "plug"):
        if not seen[row["device"]] or seen[row["device"]][-1] != row["firmware"]:
            seen[row["device"]].append(row["firmware"])
    assert all(
        history in ([plug.earlier_firmware, plug.firmware], [plug.firmware], [plug.earlier_firmware])
        for history in seen.values()
    )


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_default_past_has_enough_failures_of_every_part(seed: int) -> None:
    counts = Counter(part for _, _, part in Past(load_scenario(None), seed).failures)
    assert set(counts) == {"battery", "motor", "relay", "sensor", "radio", "controller"}
    assert min(counts.values()) >= 30
