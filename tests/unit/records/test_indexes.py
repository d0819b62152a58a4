"""What is looked for in every round is found by an index: its cost must not grow with all that ever happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import notices, reports, surveys, tickets
from hearthwatch.records.database import open_database
from tests.conftest import migrated_image, restore

NOW = datetime(2026, 5, 1, tzinfo=UTC)
GROWING = ("ticket_events", "notice_events", "tickets", "notices", "ticket_reports")
OF_OPEN_WORK = "USING COVERING INDEX ix_tickets_open_technician_id"
"""It holds open tickets alone: read from end to end it does not grow with what is over."""
LOOKS: dict[str, Callable[[Connection], Any]] = {
    "news of tickets": lambda c: tickets.news(c, NOW - timedelta(days=2), ["closed", "replied"]),
    "reminders that are due": lambda c: notices.postponed(c, NOW),
    "reports that somebody follows": lambda c: reports.to_tell(c, ["closed"], NOW - timedelta(days=3), NOW),
    "what each technician has to do": tickets.load_by_technician,
    "cases to ask about": lambda c: surveys.closed_between(c, NOW - timedelta(days=14), NOW),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_of_every_round_reads_no_table_that_grows_from_end_to_end(look: str) -> None:
    database = open_database("sqlite://")
    restore(database, migrated_image())
    asked: list[tuple[str, Any]] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with database.reading() as connection:
        LOOKS[look](connection)
        steps = [
            str(row[3])
            for statement, parameters in [one for one in asked if one[0].startswith("SELECT")]
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    database.close()
    assert steps
    whole = [one for one in steps if re.match(rf"SCAN ({'|'.join(GROWING)})\b", one) and OF_OPEN_WORK not in one]
    by_state = [one for one in steps if re.search(r"ix_(?:tickets|notices)_state \(state=\?\)", one)]
    assert (whole, by_state) == ([], []), steps
