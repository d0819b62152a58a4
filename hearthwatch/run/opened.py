"""The records, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hearthwatch.settings import load_settings

if TYPE_CHECKING:
    from hearthwatch.records.database import Database


@contextmanager
def opened_records() -> Iterator[Database]:
    """The records of the configured address."""
    from hearthwatch.run.assembly import open_records

    database = open_records(load_settings())
    try:
        yield database
    finally:
        database.close()
