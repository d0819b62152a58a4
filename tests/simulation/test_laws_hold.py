"""A small set of seeds, whose laws all hold; ``make sim-ingest`` runs many more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.simulation import run, trace

ROOT = Path(__file__).parents[2]
AT_ONCE = 30
TRACE_LINES = 80

HAPPENS = (
    "acknowledges",
    "clock     is wrong by +3600",
    "clock     is wrong by -3600",
    "connected, with the session",
    "connected, without the session",
    "report",
    "disk      a sync fails",
    "disk      has",
    "disk      is full",
    "forgets the session",
    "is killed after prepare",
    "is killed after record",
    "is killed after store",
    "is killed after a sync",
    "is killed after it acknowledged",
    "is killed before it acknowledges",
    "is killed before store",
    "is killed in the transaction of record",
    "is killed when",
    "is killed while it writes to its spool",
    "is told to stop",
    "its answer is lost",
    "lost",
    "release",
    "the connection breaks",
    "the connection is half-open",
    "took",
    "unspool",
)


@pytest.mark.parametrize("first", range(0, 150, AT_ONCE))
def test_whatever_fails_nothing_is_lost_nothing_is_stored_twice_and_all_comes_to_rest(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        failure = run(seed)
        if failure is not None:
            print("\n".join(failure.trace[-TRACE_LINES:]))
            pytest.fail(f"seed {seed}: {failure.reason} (python -m tests.simulation --replay {seed})")


def test_everything_that_is_to_go_wrong_does_in_some_seed() -> None:
    missing = set(HAPPENS)
    for seed in range(150):
        lines = "\n".join(trace(seed)[0])
        missing = {one for one in missing if one not in lines}
        if not missing:
            break
    assert missing == set()


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    told = [_replayed(hashes) for hashes in ("1", "2")]
    assert told[0].count("\n") > 100
    assert told[0] == told[1]


def _replayed(hashes: str) -> str:
    """What a process tells of seed 3 in which sets have an order of their own."""
    command = [sys.executable, "-m", "tests.simulation", "--replay", "3"]
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
