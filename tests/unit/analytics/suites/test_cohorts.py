"""The suite `cohorts`: what is kept, what a goal says, and that results depend on the seed alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.suites import cohorts
from analytics.suites.cohort_cells import Cell, DiscoveryCell, Goal, cells
from analytics.suites.cohort_replications import replicate, rows
from analytics.suites.cohort_results import Kept
from analytics.suites.cohorts import Options, chosen_cells, evaluate
from hearthwatch.errors import Invalid

QUICK = "rare events, 200 devices"
KEYS = {"scenario", "method", "devices", "ratio", "frailty", "replications", "detected", "mean_days"}


def silent(_name: str, _done: int, _total: int) -> None:
    """Nobody looks at the progress."""


def run(replications: int, only: str = QUICK, **options: Any) -> dict[str, Any]:
    return evaluate(Options(replications, only=only, **options), silent)


def quick_cell() -> Cell:
    cell = chosen_cells(QUICK)[0]
    assert isinstance(cell, Cell)
    return cell


def test_a_pattern_that_matches_nothing_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(Invalid, match="no cell matches 'nonsense'") as refused:
        run(1, only="nonsense")
    assert "randomised waves" in str(refused.value)


def test_names_are_unique_because_results_are_kept_by_them() -> None:
    names = [cell.name for cell in cells()]
    assert len(set(names)) == len(names)


def test_the_cells_cover_what_is_promised() -> None:
    everything = [cell for cell in cells() if isinstance(cell, Cell)]
    parallel = {(cell.devices, cell.frailty) for cell in everything if cell.scenario == "false alarms"}
    assert parallel == {(devices, frailty) for devices in (50, 200, 1000, 4000) for frailty in (0.5, 1.0, 1.5)}
    assert {cell.frailty for cell in everything if cell.scenario == "randomised waves"} == {0.5, 1.0, 1.5}
    biased = {cell.scenario: cell.plan.assignment for cell in everything if cell.goal.detected_at_most == 0.05}
    assert biased == {
        "waves with regional outages": "randomised",
        "waves, new hardware first": "staged",
        "waves, frail devices first": "unknown",
        "waves, after recent trouble": "unknown",
    }
    assert all(cell.plan.margin == 1.0 for cell in everything if cell.plan.assignment == "randomised")
    assert any(isinstance(cell, DiscoveryCell) for cell in cells())


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [
        (Goal(), None, {}),
        (Goal(detected_at_most=0.03), False, {"detected_at_most": 0.95}),
        (Goal(detected_at_least=0.98, mean_days_at_most=4.0), True, {}),
        (
            Goal(detected_at_least=0.99, mean_days_at_most=2.0),
            False,
            {"detected_at_least": 0.01, "mean_days_at_most": 1.5},
        ),
    ],
)
def test_a_goal_says_whether_it_is_met_and_by_how_much_not(
    goal: Goal, met: bool | None, missed: dict[str, float]
) -> None:
    told = goal.judged(detected=0.98, mean_days=3.5)
    assert (told["met"], told["missed_by"]) == (met, missed)


def test_a_row_counts_a_miss_as_fourteen_days() -> None:
    found = [{"hearthwatch": 1.0, "rate": 1.0, "first": None, "poisson": None}] * 3
    found.append({"hearthwatch": None, "rate": None, "first": None, "poisson": None})
    ours, poisson = rows(quick_cell(), found)
    assert (ours["method"], ours["detected"], ours["mean_days"]) == ("hearthwatch", 0.75, 4.25)
    assert ours["detected_se"] == pytest.approx(0.2165, abs=1e-4)
    assert ours["parts"]["first"]["detected"] == 0.0
    assert (poisson["method"], poisson["detected"], poisson["mean_days"]) == ("poisson", 0.0, 14.0)


def test_results_are_rows_of_ours_and_baselines_rows_of_every_rival_on_the_same_cells() -> None:
    answer = run(2)
    assert [row["method"] for row in answer["results"]] == ["hearthwatch"] * len(chosen_cells(QUICK))
    assert set(answer["baselines"]) == {"poisson", "clustered", "mann_whitney", "kayenta", "fixed_horizon"}
    places = [(row["scenario"], row["devices"], row["ratio"]) for row in answer["results"]]
    for name, baseline in answer["baselines"].items():
        assert [(row["scenario"], row["devices"], row["ratio"]) for row in baseline] == places
        assert {row["method"] for row in baseline} == {name}
    for row in [*answer["results"], *answer["baselines"]["poisson"]]:
        assert row.keys() >= KEYS
        assert row["replications"] == 2
        assert 0.0 <= row["detected"] <= 1.0


def test_results_depend_on_the_seed_alone_not_on_processes_or_on_what_ran_together() -> None:
    few = "drain, 1000 devices, ratio 1.05"
    assert run(12, only=few, jobs=2) == run(12, only=few)
    cell = quick_cell()
    assert replicate(cell, (3, 7), seed=1)[7] == replicate(cell, (7,), seed=1)[7]
    powerful = chosen_cells("power, 50 devices")[0]
    assert replicate(powerful, (0,), seed=1) != replicate(powerful, (0,), seed=2)


def test_what_is_kept_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(3, kept=tmp_path)
    ran = _counting(monkeypatch)
    assert run(3, kept=tmp_path) == first
    assert ran == []
    run(5, kept=tmp_path)
    assert sorted(set(ran)) == [3, 4]
    assert run(3, kept=tmp_path) == first  # fewer are asked for than are there


def test_a_line_that_a_kill_cut_short_is_run_again_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(3, only="power, rare events, 200", kept=tmp_path)
    path = next((tmp_path / "cohorts").iterdir())
    path.write_text(path.read_text().rstrip()[:-25])
    ran = _counting(monkeypatch)
    assert run(3, only="power, rare events, 200", kept=tmp_path) == whole
    assert ran == [2]
    ran.clear()
    assert run(3, only="power, rare events, 200", kept=tmp_path) == whole
    assert ran == []


def test_what_was_kept_of_another_seed_or_another_definition_does_not_count(tmp_path: Path) -> None:
    cell = quick_cell()
    Kept(tmp_path, 1).add(cell, {0: {"hearthwatch": 1.0}})
    assert Kept(tmp_path, 1).of(cell) == {0: {"hearthwatch": 1.0}}
    assert Kept(tmp_path, 2).of(cell) == {}
    path = next((tmp_path / "cohorts").iterdir())
    path.write_text(json.dumps({"of": "something else", "number": 0, "found": {}}) + "\n[]\n")
    assert Kept(tmp_path, 1).of(cell) == {}


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid, match="results cannot be kept"):
        run(1, kept=tmp_path / "file")


def test_progress_counts_up_to_all_replications() -> None:
    told: list[tuple[int, int]] = []
    evaluate(Options(12, only="power, rare events, 200"), lambda _name, done, total: told.append((done, total)))
    assert told == [(10, 12), (12, 12)]


def test_false_discoveries_are_judged_over_all_streams_at_once() -> None:
    """Five releases with four metrics each, of which two are bad in two metrics each."""
    cell = DiscoveryCell(cohorts=5, bad=2, goal=Goal(detected_at_least=0.5, false_discovery_rate_at_most=0.5))
    found = replicate(cell, (0, 1), seed=1)
    rules = {row["method"]: row for row in rows(cell, [found[0], found[1]])}
    assert list(rules) == ["hearthwatch", "hearthwatch_strict", "each_e_alone", "clustered", "bh_on_repeated_p"]
    assert rules["hearthwatch"]["met"] is True
    assert rules["clustered"]["false_discovery_rate"] > rules["hearthwatch"]["false_discovery_rate"]
    assert rules["hearthwatch"]["detected"] <= rules["each_e_alone"]["detected"]


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the replications that are run from now on."""
    ran: list[int] = []

    def counted(cell: Cell, numbers: tuple[int, ...], seed: int) -> Any:
        ran.extend(numbers)
        return replicate(cell, numbers, seed)

    monkeypatch.setattr(cohorts, "replicate", counted)
    return ran
