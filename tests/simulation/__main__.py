"""Run many seeds, or replay one: ``python -m tests.simulation --seeds 10000`` and ``python -m tests.simulation --replay 17``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from tests.simulation.simulation import Failure, run, trace

TRACE_LINES = 60


def main() -> int:
    """Returns 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one seed and print all that happens")
    chosen = parser.parse_args()
    if chosen.replay is not None:
        return _replay(chosen.replay)
    began, failed = time.monotonic(), 0
    for failure in _failures(range(chosen.first, chosen.first + chosen.seeds), chosen.jobs):
        failed += 1
        _tell(failure)
    seconds = time.monotonic() - began
    speed = f"{chosen.seeds / seconds:.0f} seeds/s, {seconds:.0f} s, {chosen.jobs} processes"
    print(f"{chosen.seeds} seeds from {chosen.first} on, {failed} failed ({speed})")
    return 1 if failed else 0


def _failures(seeds: range, jobs: int) -> Iterator[Failure]:
    """The seeds that fail, as soon as they do."""
    if jobs == 1:
        yield from (failure for failure in map(run, seeds) if failure is not None)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from (failure for failure in pool.imap_unordered(run, seeds, chunksize=25) if failure is not None)


def _tell(failure: Failure) -> None:
    print(f"seed {failure.seed}: {failure.reason}")
    print("\n".join(failure.trace[-TRACE_LINES:]))
    print(f"all of it: {sys.executable} -m tests.simulation --replay {failure.seed}\n", flush=True)


def _replay(seed: int) -> int:
    lines, failure = trace(seed)
    print("\n".join(lines))
    print(f"seed {seed}: {'all laws hold' if failure is None else failure.reason}")
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
