"""Records for these tests: the same tables, made at once instead of by migrations, which are tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hearthwatch.records.database import Database, open_database
from hearthwatch.records.tables.columns import metadata


@pytest.fixture
def database() -> Iterator[Database]:
    """Records in memory."""
    opened = open_database("sqlite://")
    metadata.create_all(opened.engine)
    yield opened
    opened.close()
