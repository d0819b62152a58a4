"""Replications kept on disk, so that a long run that was ended continues where it stood.

One file of JSON lines for each cell, one line for each replication: its number, what it found, and the fingerprint of what was run.
Lines of another fingerprint (another definition of the cell, seed or version of Hearthwatch) are left alone and not counted. Changed code
of the same version is not noticed: begin in an empty folder after changing a method.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analytics.suites.cohort_cells import Cell, DiscoveryCell
from analytics.suites.cohort_replications import Found
from hearthwatch import __version__
from hearthwatch.errors import Invalid

FOLDER = "cohorts"


class Kept:
    """The replications of a run, under ``folder``/cohorts; without a folder they are only remembered."""

    def __init__(self, folder: Path | None, seed: int) -> None:
        self._folder = folder / FOLDER if folder else None
        self._seed = seed
        self._found: dict[str, dict[int, Found]] = {}
        if self._folder:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Invalid(f"results cannot be kept in {self._folder}: {error}") from error

    def of(self, cell: Cell | DiscoveryCell) -> Mapping[int, Found]:
        """What is known of a cell, by the number of the replication."""
        if cell.name not in self._found:
            self._found[cell.name] = dict(self._read(cell))
        return self._found[cell.name]

    def add(self, cell: Cell | DiscoveryCell, found: Mapping[int, Found]) -> None:
        """Keep further replications."""
        self.of(cell)
        self._found[cell.name].update(found)
        if self._folder:
            mark = self._fingerprint(cell)
            lines = [json.dumps({"of": mark, "number": number, "found": one}) for number, one in found.items()]
            with self._path(cell).open("a", encoding="utf-8") as file:
                # A line that a kill cut short ends here instead of spoiling the next one.
                file.write("\n" + "\n".join(lines) + "\n")

    def _read(self, cell: Cell | DiscoveryCell) -> Iterable[tuple[int, Found]]:
        path = self._path(cell) if self._folder else None
        if path is None or not path.exists():
            return
        mark = self._fingerprint(cell)
        for line in path.read_text(encoding="utf-8").splitlines():
            kept = _parsed(line)
            if kept and kept.get("of") == mark:
                yield kept["number"], kept["found"]

    def _path(self, cell: Cell | DiscoveryCell) -> Path:
        assert self._folder is not None
        return self._folder / (re.sub(r"[^a-z0-9.]+", "-", cell.name.lower()).strip("-") + ".jsonl")

    def _fingerprint(self, cell: Cell | DiscoveryCell) -> str:
        defined = {name: value for name, value in asdict(cell).items() if name not in {"goal", "share"}}
        told = json.dumps([__version__, self._seed, defined], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def _parsed(line: str) -> dict[str, Any] | None:
    """A line's object; None for one that was cut short."""
    try:
        kept = json.loads(line)
    except json.JSONDecodeError:
        return None
    return kept if isinstance(kept, dict) and {"of", "number", "found"} <= kept.keys() else None
