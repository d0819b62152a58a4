"""The simulator finds mistakes: every mutant breaks a law within a few seeds, and the seed is told with the way to replay it."""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation import __main__ as command
from tests.simulation.mutants import MUTANTS
from tests.simulation.simulation import Failure, run

SEEDS = 300


def caught(name: str) -> Failure | None:
    return next((failure for seed in range(SEEDS) if (failure := run(seed, MUTANTS[name]))), None)


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_mistake_is_found(name: str) -> None:
    failure = caught(name)
    assert failure is not None, f"{name} broke no law in {SEEDS} seeds"
    assert failure.reason.startswith("Violation: "), failure.reason


def test_a_seed_that_fails_fails_again_in_the_same_way() -> None:
    first = caught("AcknowledgesInAnotherOrder")
    assert first is not None
    assert run(first.seed, MUTANTS["AcknowledgesInAnotherOrder"]) == first


def test_a_seed_that_fails_is_told_with_what_led_to_it_and_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run", partial(run, make=MUTANTS["AcknowledgesBeforeItStores"]))
    monkeypatch.setattr("sys.argv", ["simulation", "--seeds", "2", "--jobs", "1", "--first", "5"])
    assert command.main() == 1
    told = capsys.readouterr().out
    assert "seed 5: Violation: " in told
    assert "acknowledge receipts=" in told
    assert "-m tests.simulation --replay 5" in told
    assert "2 seeds from 5 on, 2 failed" in told


def test_seeds_that_hold_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["simulation", "--seeds", "3", "--jobs", "1"])
    assert command.main() == 0
    assert "3 seeds from 0 on, 0 failed" in capsys.readouterr().out
