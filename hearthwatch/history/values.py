"""What reading a history gives beside its rows: where something could not be read, and how much was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """Something of a file that could not be read.

    ``row`` counts as a spreadsheet does: the header is row 1 (for Parquet too, so that the first record is always row 2); None
    stands for further rows with the same trouble, ``rows`` says how many. ``whole`` is False where only the value in ``column``
    was unreadable and the row was kept without it.
    """

    file: str
    row: int | None
    column: str
    value: str
    reason: str
    whole: bool = True
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Quality:
    """How much was read, and how much could not be.

    ``rows`` of readings in the files, ``readings`` taken from them; ``rejected_rows`` lost whole (of any table), ``rejected_values``
    single values left out; ``ignored_columns`` of the readings' files that nothing was read from.
    """

    files: int = 0
    rows: int = 0
    readings: int = 0
    rejected_rows: int = 0
    rejected_values: int = 0
    ignored_columns: tuple[str, ...] = field(default=())

    def as_json(self) -> Mapping[str, Any]:
        """The counts as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HistoryMetric:
    """A metric of a history: its name in the tables, the column of the files, and what the mapping says about it."""

    name: str
    column: str
    kind: Literal["gauge", "counter"] = "gauge"
    unit: str | None = None
    direction: Literal["high", "low", "both", "none"] | None = None
    measure: Literal["level", "fall"] = "level"
    largest_rise: float | None = None
