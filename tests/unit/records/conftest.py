"""The records are one suite for both databases; without a PostgreSQL on this machine its half is skipped."""

from __future__ import annotations

import pytest

from hearthwatch.records.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Migrated records, in each database that Hearthwatch speaks."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found
