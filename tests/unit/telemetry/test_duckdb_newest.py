"""Which rows need not be searched for: those newer than anything of their device and stream."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthwatch.telemetry.duckdb_newest import Newest

Row = tuple[int, int, int]  # device, stream, microseconds


@pytest.fixture(scope="module")
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with an empty table."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (device INTEGER, stream INTEGER, stamp TIMESTAMP)")
        yield connection


def table(rows: list[Row]) -> pa.Table:
    """Rows as the writer has them."""
    devices, streams, stamps = (np.array([row[place] for row in rows], np.int64) for place in range(3))
    return pa.table(
        {
            "device": pa.array(devices.astype(np.int32)),
            "stream": pa.array(streams.astype(np.int32)),
            "stamp": pa.array(stamps).cast(pa.timestamp("us")),
        }
    )


_rows = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(0, 5)), min_size=1, max_size=12)


def test_what_was_stored_before_the_opening_is_known(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("INSERT INTO t VALUES (7, 1, make_timestamp(100))")
    newest = Newest()
    assert newest.doubtful(cursor, "t", table([(7, 1, 100), (7, 1, 101), (7, 2, 50), (8, 1, 50)])).tolist() == [
        True,
        False,
        False,
        False,
    ]
    cursor.execute("DELETE FROM t")


@settings(max_examples=100, deadline=None)
@given(batches=st.lists(_rows, min_size=1, max_size=4))
def test_a_row_that_is_there_or_comes_twice_is_always_doubtful(
    cursor: duckdb.DuckDBPyConnection, batches: list[list[Row]]
) -> None:
    newest = Newest()
    stored: set[Row] = set()
    for batch in batches:
        doubtful = newest.doubtful(cursor, "t", table(batch)).tolist()
        for row, maybe in zip(batch, doubtful, strict=True):
            assert maybe or (row not in stored and batch.count(row) == 1)
            newer = all(row[2] > other[2] for other in stored if other[:2] == row[:2])
            assert maybe == (not newer or batch.count(row) > 1)
        newest.note("t", table(batch))
        stored.update(batch)
