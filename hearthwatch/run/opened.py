"""The records, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hearthwatch.records.database import Database
from hearthwatch.settings import load_settings


@contextmanager
def opened_records() -> Iterator[Database]:
    """The records of the configured address."""
    from hearthwatch.run.assembly import open_records

    database = open_records(load_settings())
    try:
        yield database
    finally:
        database.close()
