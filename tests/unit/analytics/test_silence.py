"""A device in trouble that falls silent: days on which nobody could be heard are not its silence."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from analytics.panel import day_number
from analytics.silence import blind_days, still_standing
from hearthwatch.records import findings
from hearthwatch.records.database import Database
from hearthwatch.records.tables import blind_spans
from hearthwatch.values import Finding, Observation
from tests.unit.analytics.fleets import START

DAY = timedelta(days=1)


def finding(database: Database) -> Finding:
    seen = Observation("anomaly", "device", "d", "relay_wear", "warning", START, {"metrics": [], "reasons": ["worn"]})
    with database.transaction() as connection:
        return findings.observe(connection, seen, relapse=DAY)


def keys(observation: Observation) -> list[object]:
    return [reason if isinstance(reason, str) else reason["text_key"] for reason in observation.evidence["reasons"]]


def test_a_device_that_says_nothing_for_a_day_is_told_to_be_silent(database: Database) -> None:
    assert keys(still_standing(finding(database), START + DAY)) == ["worn", "silent"]


def test_it_is_not_while_nobody_could_be_heard(database: Database) -> None:
    known = finding(database)
    blind = frozenset({day_number(START)})
    assert keys(still_standing(known, START + DAY, blind)) == ["worn"]
    assert keys(still_standing(known, START + 2 * DAY, blind)) == ["worn", "silent"]


def test_a_day_is_blind_when_half_of_it_was(database: Database) -> None:
    spans = [(0, 11), (24, 37)]
    with database.transaction() as connection:
        for first, last in spans:
            row = {
                "since": START + timedelta(hours=first),
                "until": START + timedelta(hours=last),
                "reason": "broker_away",
            }
            connection.execute(sa.insert(blind_spans).values(row))
        assert blind_days(connection, START + 3 * DAY) == {day_number(START) + 1}
