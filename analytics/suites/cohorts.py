"""The suite `cohorts`: false alarms, power and false discoveries of the release watch on simulated fleets, beside what people use today."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fnmatch import fnmatchcase
from multiprocessing import connection
from pathlib import Path
from typing import Any

from analytics.suites.cohort_cells import Cell, DiscoveryCell, cells
from analytics.suites.cohort_replications import OURS, Found, replicate, rows
from analytics.suites.cohort_results import Kept
from hearthwatch.errors import Invalid, Unavailable

_AT_ONCE = 10  # replications of a piece of work: some seconds, and as much is lost when the run is killed

Progress = Callable[[str, int, int], None]
"""Called with the cell's name, the replications done so far over all cells, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Options:
    """``kept`` is the folder in which replications are kept; ``only`` a pattern of cells' names; ``jobs`` how many processes."""

    replications: int
    jobs: int = 1
    seed: int = 1
    only: str | None = None
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    cell: Cell | DiscoveryCell
    numbers: tuple[int, ...]
    seed: int

    def run(self) -> dict[int, Found]:
        return replicate(self.cell, self.numbers, self.seed)


def evaluate(options: Options, progress: Progress) -> dict[str, Any]:
    """Run what is not known yet of the chosen cells; results are rows of ours, baselines rows of every rival."""
    chosen = chosen_cells(options.only)
    kept = Kept(options.kept, options.seed)
    wanted = {cell.name: wanted_of(cell, options.replications) for cell in chosen}
    pieces = [piece for cell in chosen for piece in _pieces(cell, kept, wanted[cell.name], options.seed)]
    total = sum(wanted.values())
    done = total - sum(len(piece.numbers) for piece in pieces)
    for piece, found in _outcomes(pieces, options.jobs):
        kept.add(piece.cell, found)
        done += len(found)
        progress(piece.cell.name, done, total)
    results: list[dict[str, Any]] = []
    baselines: dict[str, list[dict[str, Any]]] = {}
    for cell in chosen:
        known = kept.of(cell)
        for row in rows(cell, [known[number] for number in range(wanted[cell.name])]):
            (results if row["method"] == OURS else baselines.setdefault(row["method"], [])).append(row)
    return {"results": results, "baselines": baselines}


def chosen_cells(only: str | None) -> list[Cell | DiscoveryCell]:
    """The cells whose name has the pattern in it (``*`` and ``?`` as in file names, any case)."""
    everything = list(cells())
    pattern = f"*{(only or '').lower()}*"
    chosen = [cell for cell in everything if fnmatchcase(cell.name.lower(), pattern)]
    if not chosen:
        names = "\n  ".join(cell.name for cell in everything)
        raise Invalid(f"no cell matches {only!r}; there are\n  {names}")
    return chosen


def wanted_of(cell: Cell | DiscoveryCell, replications: int) -> int:
    """How many replications of a cell make its share of what is asked."""
    return max(1, round(cell.share * replications))


def _pieces(cell: Cell | DiscoveryCell, kept: Kept, wanted: int, seed: int) -> Iterator[_Piece]:
    lacking = [number for number in range(wanted) if number not in kept.of(cell)]
    at_once = max(1, round(cell.share * _AT_ONCE))
    for begin in range(0, len(lacking), at_once):
        yield _Piece(cell, tuple(lacking[begin : begin + at_once]), seed)


def _outcomes(pieces: Sequence[_Piece], jobs: int) -> Iterator[tuple[_Piece, dict[int, Found]]]:
    """Every piece with what it found, in any order."""
    if jobs == 1 or len(pieces) < 2:
        for piece in pieces:
            yield piece, piece.run()
        return
    workers = min(jobs, len(pieces))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent) as pool:
        running = {pool.submit(piece.run): piece for piece in pieces}
        try:
            for finished in as_completed(running):
                yield running.pop(finished), finished.result()
        except BrokenProcessPool as error:
            raise Unavailable(
                "a process was ended from outside; run again, what was kept in --data is not lost"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)  # after the pieces that have begun


def _end_with_parent() -> None:
    """End this process when the one that started it has gone, also when it was killed: nobody would take the results.

    Ctrl-C is for the one that started it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
