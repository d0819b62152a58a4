"""The demo's command while the truth is withheld: it is written in the moment it is compared, so whoever reads it earlier finds no file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

from device_sim.fleet import Fleet
from device_sim.truth import write_truth
from hearthwatch.run.cli import run
from hearthwatch.run.comparison import compare

withheld: list[Fleet] = []


def withhold(fleet: Fleet, _path: Path) -> None:
    """Keep the truth back."""
    withheld.append(fleet)


def compare_at_last(given: Any, truth_file: Path, **options: Any) -> dict[str, Any]:
    """Write the truth and compare."""
    if truth_file.exists():
        raise SystemExit("the truth was written too early")
    write_truth(withheld[0], truth_file)
    return compare(given, truth_file, **options)


if __name__ == "__main__":
    with (
        mock.patch("hearthwatch.run.demo.write_truth", withhold),
        mock.patch("hearthwatch.run.demo.compare", compare_at_last),
    ):
        sys.exit(run(sys.argv[1:]))
