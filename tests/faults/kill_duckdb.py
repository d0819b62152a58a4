"""``make kill-duckdb KILLS=50``: a writer of a DuckDB file is killed at random, also while it writes a checkpoint.

After each kill the file is opened, its log read: how long that takes is told, every batch that was called stored is there, and no
batch is there in part.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading

START = datetime(2026, 5, 1, tzinfo=UTC)
BATCH = 2000
CHECKPOINT_AT = "16KB"
"""Of log, a batch or two; at its usual 64 MB hardly any kill would meet a checkpoint."""
CHECKPOINT = "checkpoint"
ROOT = Path(__file__).parents[2]


def write(address: str, first: int) -> None:
    """What the writer does, in a process of its own: it stores batch after batch until it is killed."""
    store: Any = open_store(address)
    with store._file.writing() as cursor:
        cursor.commit()
        cursor.execute(f"SET checkpoint_threshold = '{CHECKPOINT_AT}'")
    log = Path(f"{address.removeprefix('duckdb:///')}.wal")
    size = 0
    for batch in range(first, sys.maxsize):
        at = START + timedelta(seconds=batch)
        store.write([Reading(f"d{place}", "native", at, {"x": float(batch), "y": place / 7}) for place in range(BATCH)])
        if batch % 20 == 19:
            store.rollup(at)
        before, size = size, log.stat().st_size if log.exists() else 0
        print(batch, CHECKPOINT if size <= before else "", flush=True)  # without one the log grows


class Writer:
    """The writer's process."""

    def __init__(self, address: str, first: int) -> None:
        command = [sys.executable, "-m", "tests.faults.kill_duckdb", "--write", address, "--first", str(first)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        self._lines = self._process.stdout

    def killed_after(self, batches: int, seconds: float) -> tuple[int, int]:
        """Kill it so many batches and seconds later; returns the last batch it called stored, and how many checkpoints it made."""
        said = [self._lines.readline() for _ in range(batches)]
        threading.Event().wait(seconds)
        self._process.kill()
        said += self._lines.readlines()
        self._process.wait()
        self._lines.close()
        whole = [line.split() for line in said if line.endswith("\n")]
        return max(int(line[0]) for line in whole), sum(CHECKPOINT in line for line in whole)


def run(kills: int, folder: Path, seed: int = 28) -> dict[str, Any]:
    """All kills; returns what was found."""
    chance = random.Random(seed)
    path = folder / "telemetry.duckdb"
    address = f"duckdb:///{path}"
    opened: list[float] = []
    first = torn = missing = checkpoints = 0
    for _ in range(kills):
        writer = Writer(address, first)
        last, made = writer.killed_after(chance.randrange(1, 12), chance.uniform(0.0, 0.15))
        checkpoints += made
        seconds, first, gaps, parts = _look(address, last)
        opened.append(seconds)
        missing, torn = missing + gaps, torn + parts
    return {
        "passed": missing == torn == 0,
        "kills": kills,
        "batches": first,
        "missing_batches": missing,
        "torn_batches": torn,
        "checkpoints": checkpoints,
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "open_s": {"median": round(statistics.median(opened), 3), "most": round(max(opened), 3)},
    }


def _look(address: str, last: int) -> tuple[float, int, int, int]:
    """Seconds to open, the next batch's number, how many are missing of those called stored, and how many are there in part."""
    began = time.perf_counter()
    store = open_store(address)
    seconds = time.perf_counter() - began
    until = START + timedelta(seconds=last + 100)
    seen = [
        {int(value) for value in store.window(f"d{place}", START, until, metrics=["x"])["value"].to_pylist()}
        for place in (0, 1, BATCH // 2, BATCH - 1)
    ]
    store.close()
    whole, some = set.intersection(*seen), set.union(*seen)
    return seconds, max(some) + 1, len(set(range(last + 1)) - whole), len(some - whole)


def main(given: Sequence[str] | None = None) -> int:
    """Run; 0 when every batch is whole and none is missing, else 1."""
    parser = argparse.ArgumentParser(
        prog="make kill-duckdb", description="Kill the writer of a DuckDB file again and again."
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    if arguments.write:
        write(arguments.write, arguments.first)
    with tempfile.TemporaryDirectory(prefix="hearthwatch-duckdb-") as folder:
        found = run(arguments.kills, Path(folder))
    print(json.dumps(found, indent=2))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
