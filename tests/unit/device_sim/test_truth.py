"""The truth file says what was planted."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from device_sim.fleet import Fleet
from device_sim.scenario import Scenario
from device_sim.truth import write_truth
from hearthwatch.failure_modes import MODES
from hearthwatch.values import Event
from tests.unit.device_sim.conftest import Heard


def truth_of(fleet: Fleet, tmp_path: Path) -> dict[str, Any]:
    write_truth(fleet, tmp_path / "truth.json")
    truth: dict[str, Any] = json.loads((tmp_path / "truth.json").read_text())
    return truth


def test_it_names_every_planted_fault_with_its_part_and_times(small: Scenario, tmp_path: Path) -> None:
    truth = truth_of(Fleet(small, 5), tmp_path)
    assert sorted(fault["fault"] for fault in truth["planted"]) == ["battery_fade", "relay_wear"]
    for fault in truth["planted"]:
        assert fault["part"] == MODES[fault["fault"]].part
        assert small.start < datetime.fromisoformat(fault["at"]) < datetime.fromisoformat(fault["fails_at"])


def test_it_names_the_releases_and_everybody_who_ran_the_bad_one(
    lived: tuple[Fleet, Heard], small: Scenario, tmp_path: Path
) -> None:
    fleet, heard = lived
    truth = truth_of(fleet, tmp_path)
    assert truth["bad_release"]["version"] == "4.2.0"
    assert truth["bad_release"]["model"] == small.model("camera").name
    assert truth["good_release"]["version"] == "2.4.0"
    ran = {value.device for value in heard.values if isinstance(value, Event) and value.detail.get("to") == "4.2.0"}
    assert ran
    assert ran <= set(truth["bad_release"]["devices"])
    assert not {fault["device"] for fault in truth["planted"]} & set(truth["bad_release"]["devices"])


def test_it_is_the_same_before_and_after_the_story(lived: tuple[Fleet, Heard], small: Scenario, tmp_path: Path) -> None:
    fleet, _ = lived
    assert truth_of(fleet, tmp_path) == truth_of(Fleet(small, fleet.seed), tmp_path)


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_has_another_truth(small: Scenario, tmp_path: Path, seed: int) -> None:
    assert truth_of(Fleet(small, seed), tmp_path) != truth_of(Fleet(small, seed + 2), tmp_path)
