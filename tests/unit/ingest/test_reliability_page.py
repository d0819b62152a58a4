"""docs/reliability.md names for each of the thirty faults the tests that hold it; they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "reliability.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_fault_has_a_row_and_a_result() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 31))
    for row in ROWS:
        assert row[3] in {"held", "in part", "not yet"}, row
        assert (row[3] == "in part") == bool(row[4]) or row[3] == "not yet", (
            f"row {row[0]} does not say what is missing"
        )
        assert (row[3] == "not yet") == (not row[2]), row


def test_every_test_that_is_named_is_there() -> None:
    named = [name for row in ROWS for name in re.findall(r"`([a-z0-9]+/[\w/*]+\.py)(?:::(\w+))?`", row[2])]
    assert len(named) > 40
    for place, test in named:
        path = ROOT / "tests" / place
        assert path.is_file(), place
        assert not test or f"def {test}(" in path.read_text(), f"{place} has no {test}"
