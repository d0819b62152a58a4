"""Warranties: what was told counts, else the model's months after purchase, else after installation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.records import devices, models, warranties
from hearthwatch.records.database import Database
from hearthwatch.records.warranties import Told

AT = datetime(2026, 5, 1, tzinfo=UTC)
BOUGHT = datetime(2024, 8, 31, tzinfo=UTC)


def test_a_row_that_says_nothing_is_refused(database: Database) -> None:
    with pytest.raises(Invalid, match="until when"), database.transaction() as connection:
        warranties.tell(connection, [Told("d-1")], "test", AT)


def test_nobody_knows_the_warranty_of_a_device_without_model_or_date(database: Database) -> None:
    with database.transaction() as connection:
        models.put(connection, "LOCK", warranty_months=24)
        devices.register(connection, [{"id": "d-1", "model": "LOCK"}, {"id": "d-2", "installed_at": AT}])
        found = warranties.of_devices(connection, ["d-1", "d-2", "d-3"])
    assert {one.basis for one in found.values()} == {"unknown"}
    assert {one.covers(AT) for one in found.values()} == {None}


def test_a_purchase_told_later_keeps_the_end_that_was_told(database: Database) -> None:
    with database.transaction() as connection:
        models.put(connection, "LOCK", warranty_months=6)
        devices.register(connection, [{"id": "d-1", "model": "LOCK", "installed_at": AT}])
        warranties.tell(connection, [Told("d-1", purchased_at=BOUGHT)], "test", AT)
        assert warranties.of_device(connection, "d-1").until == datetime(2025, 2, 28, tzinfo=UTC)
        warranties.tell(connection, [Told("d-1", until=AT)], "test", AT)
        warranties.tell(connection, [Told("d-1", purchased_at=BOUGHT)], "test", AT)
        known = warranties.of_device(connection, "d-1")
    assert (known.until, known.basis, known.purchased_at) == (AT, "told", BOUGHT)
    assert known.covers(AT) is False


@given(st.integers(0, 4_000_000_000), st.integers(0, 1200))
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(second: int, months: int) -> None:
    day = datetime.fromtimestamp(second, UTC)
    later = warranties.months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later.replace(day=28).month) == later.month)
    assert later.time() == day.time()
