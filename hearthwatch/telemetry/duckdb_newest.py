"""The newest stored time of each device and stream: what is newer than that cannot be stored yet, and need not be searched for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from hearthwatch.telemetry.duckdb_file import Cursor

Numbers = np.ndarray[Any, np.dtype[np.int64]]
_NEVER = -1


class Newest:
    """What one opening of the database knows of each table, read on the table's first use. For the writer alone."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[int, Numbers]] = {}

    def doubtful(self, cursor: Cursor, table: str, rows: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows of a batch may be stored already, or stand in the batch twice: all others are new for certain."""
        devices, streams, stamps = _columns(rows)
        known = self._known(cursor, table)
        order = np.lexsort((stamps, streams, devices))
        again = np.ones(len(rows), bool)
        for column in (devices, streams, stamps):
            again[1:] &= column[order][1:] == column[order][:-1]
        again[:1] = False
        doubtful = np.zeros(len(rows), bool)
        doubtful[order] = again | np.append(again[1:], False)
        for stream in np.unique(streams):
            mine = streams == stream
            newest = known.get(int(stream))
            if newest is not None:
                inside = np.minimum(devices[mine], len(newest) - 1)
                doubtful[mine] |= (devices[mine] < len(newest)) & (stamps[mine] <= newest[inside])
        return doubtful

    def note(self, table: str, rows: pa.Table) -> None:
        """Take in rows that were stored."""
        known = self._tables.get(table)
        if known is not None:
            _raise(known, *_columns(rows))

    def _known(self, cursor: Cursor, table: str) -> dict[int, Numbers]:
        if table not in self._tables:
            found = cursor.execute(
                f"SELECT device, stream, epoch_us(max(stamp)) AS stamp FROM {table} GROUP BY device, stream"
            ).fetchnumpy()
            known: dict[int, Numbers] = {}
            _raise(known, *(np.asarray(found[name], np.int64) for name in ("device", "stream", "stamp")))
            self._tables[table] = known
        return self._tables[table]


def _columns(rows: pa.Table) -> tuple[Numbers, Numbers, Numbers]:
    devices, streams, stamps = (rows[name].cast(pa.int64()).to_numpy() for name in ("device", "stream", "stamp"))
    return devices, streams, stamps


def _raise(known: dict[int, Numbers], devices: Numbers, streams: Numbers, stamps: Numbers) -> None:
    for stream in np.unique(streams):
        mine = streams == stream
        newest = known.get(int(stream), np.empty(0, np.int64))
        size = int(devices[mine].max()) + 1
        if size > len(newest):
            newest = np.append(newest, np.full(max(size, 2 * len(newest)) - len(newest), _NEVER, np.int64))
        np.maximum.at(newest, devices[mine], stamps[mine])
        known[int(stream)] = newest
