"""The demo's story on a small fleet: same seed, same story, whatever carries the messages, and without a look at the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from device_sim.truth import write_truth
from hearthwatch.run.comparison import compare
from hearthwatch.run.demo import DemoOptions, run_demo
from tests.conftest import needed

SMALL = Path(__file__).resolve().parents[2] / "device_sim" / "scenarios" / "small.toml"


def play(capsys: pytest.CaptureFixture[str], transport: str, seed: int = 1) -> Mapping[str, Any]:
    options = DemoOptions(
        devices=None, days=None, seed=seed, once=True, transport=transport, scenario=SMALL, port=0, as_json=True
    )
    run_demo(options)
    answer: Mapping[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def story(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What must not depend on the machine."""
    return {name: value for name, value in answer.items() if name not in {"seconds", "job_seconds", "transport"}}


@pytest.mark.timeout(600)
def test_nothing_but_the_final_comparison_reads_the_truth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    openly = play(capsys, "local")

    # Now the truth is written only in the moment it is compared: whoever reads it earlier finds no file.
    withheld: list[Any] = []
    monkeypatch.setattr("hearthwatch.run.demo.write_truth", lambda fleet, path: withheld.append(fleet))

    def compare_at_last(given: Any, truth_file: Path, **options: Any) -> dict[str, Any]:
        assert not truth_file.exists()
        write_truth(withheld[0], truth_file)
        return compare(given, truth_file, **options)

    monkeypatch.setattr("hearthwatch.run.demo.compare", compare_at_last)
    assert story(play(capsys, "local")) == story(openly)


@pytest.mark.timeout(600)
def test_the_story_is_the_same_over_mosquitto_and_in_process(capsys: pytest.CaptureFixture[str]) -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    real, local = play(capsys, "mosquitto", seed=2), play(capsys, "local", seed=2)
    assert (real["transport"], local["transport"]) == ("mosquitto", "local")
    assert story(real) == story(local)


@pytest.mark.timeout(600)
def test_the_ledger_closes_and_what_was_sent_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = play(capsys, "local", seed=3)["ledger"]
    assert ledger["lost"] == 0
    assert ledger["quarantined"] > 0, "the fleet sends something unreadable on purpose"
    assert ledger["sent"] == ledger["stored"] + ledger["quarantined"]
