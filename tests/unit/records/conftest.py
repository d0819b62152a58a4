"""Records that are migrated once and copied for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hearthwatch.records.database import Database, open_database


@pytest.fixture(scope="session")
def migrated() -> bytes:
    """A migrated database, as bytes."""
    opened = open_database("sqlite://")
    opened.upgrade()
    connection = opened.engine.raw_connection()
    image: bytes = connection.driver_connection.serialize()  # type: ignore[union-attr]
    connection.close()
    opened.close()
    return image


@pytest.fixture
def database(migrated: bytes) -> Iterator[Database]:
    """Records in memory, migrated."""
    opened = open_database("sqlite://")
    connection = opened.engine.raw_connection()
    connection.driver_connection.deserialize(migrated)  # type: ignore[union-attr]
    connection.close()
    yield opened
    opened.close()
