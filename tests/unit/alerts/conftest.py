"""The world these tests share."""

from __future__ import annotations

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.records.database import Database
from tests.unit.alerts.world import NOON, World


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Noon of 1 May 2026, UTC."""
    clock.advance(NOON - clock.now())
    return World(database, clock)
