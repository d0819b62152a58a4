"""The lookout: what an ingestor's health says of whether it receives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.records import blindness
from hearthwatch.records.database import Database
from ingest.lookout import Lookout

WELL: Mapping[str, Any] = {"running": True, "connected": True, "store_away": False, "spool": None}


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        ({}, "no_ingestor"),
        ({**WELL, "running": False}, "no_ingestor"),
        ({**WELL, "connected": False}, "broker_away"),
        ({**WELL, "store_away": True}, "store_away"),
        ({**WELL, "spool": {"messages": 3}}, "store_away"),
        ({**WELL, "sessions": {"a": {"spool": None}, "b": {"spool": {"messages": 1}}}}, "store_away"),
    ],
)
def test_an_ingestor_whose_messages_reach_nobody_makes_us_blind(
    database: Database, clock: SteppedClock, health: Mapping[str, Any], reason: str
) -> None:
    told = dict(WELL)
    lookout = Lookout(database, clock, "one", lambda: told)
    lookout.look()
    told.clear()
    told.update(health)
    for _ in range(12):
        clock.advance(timedelta(seconds=5))
        lookout.look()
    with database.reading() as connection:
        blind = blindness.current(connection, clock.now())
    assert blind is not None
    assert blind.reason == reason
    told.update(WELL, sessions={})
    ended = lookout.look()
    assert ended is not None
    assert ended.until == clock.now()


def test_an_empty_spool_is_no_outage(database: Database, clock: SteppedClock) -> None:
    lookout = Lookout(database, clock, "one", lambda: {**WELL, "spool": {"messages": 0}})
    for _ in range(12):
        lookout.look()
        clock.advance(timedelta(seconds=5))
    with database.reading() as connection:
        assert blindness.current(connection, clock.now()) is None
