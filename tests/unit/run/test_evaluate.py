"""`hearthwatch evaluate`, as its users call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from analytics.suites import cohorts as suite
from analytics.suites.cohort_replications import replicate
from hearthwatch.run.cli import run

ROOT = Path(__file__).parents[3]
QUICK = "power, rare events, 200 devices"
LONG = "false alarms, 200 devices, ratio 1, frailty 1.5"


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["evaluate", *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_suite_that_does_not_exist_is_answered_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "weather"]) == 2
    told = capsys.readouterr().err
    assert "there is no suite 'weather'; there are asd, asos, " in told
    assert "cohorts, nab" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["backblaze"], "the suite backblaze needs --data, the folder with Drive Stats' daily files"),
        (["backblaze", "--data", "nowhere"], "nowhere has no daily files like 2013-04-10.csv"),
        (["asd"], "the suite asd needs --data, the folder with npz/NAME.npz and interpretation_label/NAME.txt"),
        (["asd", "--data", "nowhere"], "nowhere has no npz/NAME.npz"),
        (["asd", "--data", ".", "--seed", "3"], "the suite asd has nothing to do with --seed"),
        (["asos"], "needs --data"),
        (["asos", "--data", "nowhere"], "nowhere has no asos_digital_experiments_dataset.parquet"),
        (["asos", "--data", ".", "--replications", "3"], "nothing to do with --replications"),
        (["nab"], "needs --data"),
        (["nab", "--data", "nowhere"], "there is no nowhere/labels/combined_windows.json"),
        (["nab", "--data", ".", "--only", "weather"], "--only perturbation"),
        (["nab", "--data", ".", "--seed", "3"], "nothing to do with --seed"),
        (["cmapss"], "the suite cmapss needs --data, the folder with train_FD001.txt"),
        (["cmapss", "--data", "nowhere"], "nowhere has no train_FD001.txt"),
        (["cmapss", "--data", ".", "--jobs", "3"], "nothing to do with --jobs"),
        (["cohorts", "--only", "no such cell"], "no cell matches"),
        (["cohorts", "--replications", "0"], "--replications"),
    ],
)
def test_wrong_usage_ends_with_exit_code_two_and_says_why(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_a_file_is_no_folder_to_keep_results_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["evaluate", "cohorts", "--data", str(tmp_path / "file"), "--only", QUICK]) == 2
    assert "is a file" in capsys.readouterr().err


def test_read_only_data_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o555)
    try:
        assert run(["evaluate", "cohorts", "--data", str(tmp_path), "--only", QUICK, "--replications", "1"]) == 0
    finally:
        tmp_path.chmod(0o755)
    assert "is read-only: nothing is kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_json_of_cohorts_is_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "not" / "there"
    answer = evaluated(capsys, "cohorts", "--data", str(absent), "--only", QUICK, "--replications", "2")
    assert answer["suite"] == "cohorts"
    assert answer["seconds"] >= 0.0
    (row,) = answer["results"]
    assert (row["method"], row["devices"], row["ratio"], row["frailty"]) == ("hearthwatch", 200, 2.0, 1.0)
    assert row["replications"] == 2
    assert row.keys() >= {"scenario", "detected", "detected_se", "mean_days", "goal", "met", "missed_by"}
    assert {rows[0]["method"] for rows in answer["baselines"].values()} == set(answer["baselines"])
    assert list((absent / "cohorts").iterdir())


def test_people_get_a_line_for_each_cell_with_the_rivals_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "cohorts", "--only", "drain, 1000 devices, ratio 1,", "--replications", "2"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split(" | ")[-3:] == ["clustered", "mann_whitney", "fixed_horizon"]
    assert line.startswith("battery drain | 1000 | 1 | 0.5 | 2 | 0.00 +- 0.00 % | met")


def test_the_json_of_asos_is_the_contract(third_party_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = evaluated(capsys, "asos", "--data", str(third_party_data / "asos"))
    assert answer["suite"] == "asos"
    for told in (answer["results"], *answer["baselines"].values()):
        assert told.keys() >= {"series", "flagged_any_look", "flagged_end"}
    assert run(["evaluate", "asos", "--data", str(third_party_data)]) == 0
    assert capsys.readouterr().out.startswith("hearthwatch      381 series, flagged at any look ")


def test_a_run_that_was_killed_continues_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["cohorts", "--only", LONG, "--data", str(tmp_path)]
    command = [sys.executable, "-m", "hearthwatch", "evaluate", *arguments, "--replications", "100000"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        _wait_for_results(tmp_path, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    ran: list[int] = []

    def counted(cell: Any, numbers: tuple[int, ...], seed: int) -> Any:
        ran.extend(numbers)
        return replicate(cell, numbers, seed)

    monkeypatch.setattr(suite, "replicate", counted)
    kept = _numbers(tmp_path)
    more = len(kept) + 2
    continued = evaluated(capsys, *arguments, "--replications", str(more))
    assert ran == [len(kept), len(kept) + 1]
    afresh = evaluated(capsys, "cohorts", "--only", LONG, "--replications", str(more))
    assert continued["results"] == afresh["results"]
    assert continued["baselines"] == afresh["baselines"]


def _wait_for_results(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until some replications are kept."""
    end = time.monotonic() + 60
    while not _numbers(folder):
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < end, "nothing was kept"
        time.sleep(0.05)


def _numbers(folder: Path) -> list[int]:
    """The replications that are kept whole."""
    lines = [line for path in folder.glob("cohorts/*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line)["number"] for line in lines if line.endswith("}}")]


def test_the_nab_suite_in_the_benchmarks_own_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stamp(point: int) -> str:
        return f"2024-03-{1 + point // 72:02d} {point % 72 // 3:02d}:{point % 3 * 20:02d}:00"

    for folder in ("labels", "data/realKnownCause"):
        (tmp_path / folder).mkdir(parents=True)
    labels = {"realKnownCause/one.csv": [[stamp(600), stamp(640)]], "realTweets/absent.csv": []}
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(labels))
    rows = [f"{stamp(point)},{90 if 604 <= point < 612 else point % 7}" for point in range(720)]
    (tmp_path / "data" / "realKnownCause" / "one.csv").write_text("timestamp,value\n" + "\n".join(rows) + "\n")
    answer = evaluated(capsys, "nab", "--data", str(tmp_path))
    assert answer["suite"] == "nab"
    for told in (answer["results"], answer["results"]["without_lengths"]):
        assert (told["found"], told["windows"]) == (1, 1)
        assert min(told["standard"], told["low_fp"], told["low_fn"]) > 80
    assert answer["results"]["missing"] == 1
    assert all(told.keys() >= {"standard", "low_fp", "low_fn"} for told in answer["baselines"].values())
    assert run(["evaluate", "nab", "--data", str(tmp_path)]) == 0
    assert "hearthwatch, no length known | " in capsys.readouterr().out
