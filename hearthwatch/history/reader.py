"""Reads a maker's history file by file: readings as Arrow tables, and the small tables beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from hearthwatch.history.mapping import HistoryMapping
from hearthwatch.history.values import HistoryMetric, Quality, RejectedRow


class History:
    """A history that can be read through, more than once.

    All times are ``timestamp[us, UTC]``, all texts ``string``. ``devices``, ``failures``, ``rejected`` and ``quality`` are complete only
    after a pass over `readings`; asking earlier makes that pass (so: take the readings first, then ask).
    """

    mapping: HistoryMapping
    metrics: Sequence[HistoryMetric]
    attributes: Sequence[str]

    def readings(self) -> Iterator[pa.Table]:
        """Tables of at most about a million rows, in the order of the files' names.

        Columns: device, at, firmware (null where unknown), one string column for each of ``attributes`` (model, hardware,
        region, further columns of the mapping: their values at the time of the reading), one float64 column for each of
        ``metrics`` (null where absent). Every table has all columns. Rows are as they stand in the files: not sorted, and a
        device's rows may be spread over tables. Without ``[columns]`` there are none.
        """
        raise NotImplementedError

    @property
    def devices(self) -> pa.Table:
        """One row for each device of readings and master data, sorted by device.

        Columns: device, model, hardware, firmware, region (strings), made, installed, removed (times), first_at, last_at (of its
        readings, null without), then one string column for each further attribute. Master data win over the readings, whose
        newest value counts.
        """
        raise NotImplementedError

    @property
    def failures(self) -> pa.Table:
        """Columns device, at, part (``device`` where the history does not say), without repetitions, in order of time."""
        raise NotImplementedError

    @property
    def events(self) -> pa.Table:
        """Columns device, at, firmware (null where unknown), kind, code (may be empty), in order of time."""
        raise NotImplementedError

    @property
    def service(self) -> pa.Table:
        """Columns device, at, part (may be empty), in order of time."""
        raise NotImplementedError

    @property
    def rejected(self) -> Sequence[RejectedRow]:
        """What could not be read; at most 100 of a kind for each file and column, then one entry that counts the rest."""
        raise NotImplementedError

    @property
    def quality(self) -> Quality:
        """How much was read."""
        raise NotImplementedError


def read_history(path: Path, mapping: HistoryMapping) -> History:
    """Open a file or a folder. Raises `Invalid` naming file and column where files or columns of the mapping are not there."""
    raise NotImplementedError
