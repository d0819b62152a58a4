"""The world these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.records.database import Database, open_database
from tests.unit.alerts.world import NOON, World, copy_of


@pytest.fixture(scope="session")
def migrated() -> bytes:
    """A migrated database, as bytes: it is migrated once and copied for every test."""
    opened = open_database("sqlite://")
    opened.upgrade()
    connection = opened.engine.raw_connection()
    driver: Any = connection.driver_connection
    image: bytes = driver.serialize()
    connection.close()
    opened.close()
    return image


@pytest.fixture
def database(migrated: bytes) -> Iterator[Database]:
    """Records in memory, migrated."""
    opened = copy_of(migrated)
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Noon of 1 May 2026, UTC."""
    clock.advance(NOON - clock.now())
    return World(database, clock)
