"""The world these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.records.database import Database, open_database
from tests.unit.alerts.world import World


@pytest.fixture(scope="session")
def migrated() -> bytes:
    """A migrated database, as bytes: it is migrated once and copied for every test."""
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


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Noon of 1 May 2026, UTC."""
    clock.advance(timedelta(hours=12))
    return World(database, clock)
