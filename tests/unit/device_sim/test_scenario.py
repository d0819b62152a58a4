"""Scenario files name what is wrong with them, and scale."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from device_sim.scenario import Scenario, load_scenario
from hearthwatch.errors import Invalid
from tests.unit.device_sim.conftest import SMALL


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("days = 8", "days = 0", "days"),
        ("days = 8", "dais = 8\ndays = 8", "dais"),
        ("step_hours = 2", "step_hours = 0.7", "step_hours"),
        ("start = 2026-03-02T00:00:00Z", "start = 2026-03-02T00:00:00", "start"),
        ('timezone = "Europe/London"', 'timezone = "Europe/Lundon"', "regions.0.timezone"),
        ('mode = "battery_fade"', 'mode = "battery_fad"', "faults.0.mode"),
        ('mode = "battery_fade"\nkind = "lock"', 'mode = "battery_fade"\nkind = "plug"', "faults.0"),
        ("onset_days = [2, 3]", "onset_days = [3, 2]", "faults.0"),
        ("{ day = 1, share = 0.5 }", "{ day = 1, share = 0.05 }", "releases.0"),
        ("duplicate_share = 0.02", "duplicate_share = 2", "wire.duplicate_share"),
        ('kind = "lock"\nname', 'kind = "plug"\nname', "models"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        load_scenario(changed(tmp_path, old, new))
    assert named in str(caught.value)


def test_a_fault_of_a_kind_that_the_fleet_has_not_is_named(tmp_path: Path) -> None:
    text = SMALL.read_text(encoding="utf-8")
    begin, end = text.index('[[models]]\nkind = "lock"'), text.index("[[faults]]")
    path = tmp_path / "no_locks.toml"
    path.write_text(text[:begin] + text[end:], encoding="utf-8")
    with pytest.raises(Invalid, match=r"faults\.0\.kind: the fleet has no lock"):
        load_scenario(path)


@pytest.mark.parametrize("content", [b"days = = 1", b"\xff\xfe\x00"])
def test_what_is_no_scenario_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=r"bad\.toml"):
        load_scenario(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"none\.toml"):
        load_scenario(tmp_path / "none.toml")


def test_a_fleet_of_no_device_is_refused(small: Scenario) -> None:
    with pytest.raises(Invalid, match="devices"):
        small.scaled(devices=0)


def test_asking_for_a_kind_that_is_not_there_is_refused(small: Scenario) -> None:
    locks = small.model_copy(update={"models": small.models[-1:]})
    with pytest.raises(Invalid, match="no camera"):
        locks.model("camera")


def test_the_default_scenario_tells_the_story_the_platform_is_judged_by() -> None:
    scenario = load_scenario(None)
    bad = next(release for release in scenario.releases if release.reboot_ratio > 1)
    good = next(release for release in scenario.releases if release.reboot_ratio == 1)
    model = scenario.model(bad.kind)
    assert model.devices * bad.waves[-1].share >= 150
    assert model.devices * (1 - bad.waves[-1].share) >= 150
    assert model.reboots_per_day >= 0.2
    assert model.reboot_frailty <= 0.5
    assert bad.reboot_ratio == 2.5
    assert scenario.days - bad.day - bad.waves[-1].day >= 14
    assert scenario.model(good.kind).devices >= 100
    assert good.kind != bad.kind
    assert scenario.step == timedelta(hours=4)
    assert all(fault.onset_days[1] + fault.develops_days[1] <= scenario.days for fault in scenario.faults)


@pytest.mark.parametrize("devices", [1, 7, 60, 61, 1000])
def test_a_scaled_fleet_has_exactly_the_devices_asked_for(small: Scenario, devices: int) -> None:
    scaled = small.scaled(devices=devices)
    assert scaled.devices == devices
    for model in scaled.models:
        planted = sum(fault.count for fault in scaled.faults if fault.kind == model.kind)
        assert planted <= model.devices / 4


def test_fewer_days_move_everything_together(small: Scenario) -> None:
    half = small.scaled(days=4)
    assert half.days == 4
    assert half.faults[0].onset_days == (1.0, 1.5)
    assert half.releases[0].day == 1
    assert half.releases[0].waves[1].day == 0.5


def test_more_days_leave_the_story_where_it_is(small: Scenario) -> None:
    longer = small.scaled(days=30)
    assert longer.days == 30
    assert longer.faults == small.faults
    assert longer.releases == small.releases


def test_scaling_to_the_same_changes_nothing(small: Scenario) -> None:
    assert small.scaled(devices=small.devices, days=small.days) == small
