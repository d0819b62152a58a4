"""What was kept, counted; and how tickets stand in a list."""

from __future__ import annotations

import pytest

from alerts.service_levels import standing
from alerts.service_levels.compliance import Figure, compliance
from alerts.service_levels.standing import Standing
from hearthwatch.records.database import Database
from tests.unit.alerts.sla.desk import Desk
from tests.unit.alerts.sla.story import berlin


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def figures(desk: Desk, clock: str, since: str = "2026-01-01", until: str = "2027-01-01") -> list[Figure]:
    with desk.database.reading() as connection:
        return [one for one in compliance(connection, berlin(since), berlin(until)) if one.clock == clock]


def stands(desk: Desk, ticket: int, at: str) -> Standing:
    with desk.database.reading() as connection:
        return standing.of_tickets(connection, [ticket], berlin(at))[ticket]


def test_a_promise_counts_once_as_kept_or_broken_in_the_month_it_was_decided(desk: Desk) -> None:
    version = desk.policy("resolution_hours = 8")
    in_time, late, still_open = (desk.open("2026-05-29 09:00") for _ in range(3))
    desk.round("2026-05-29 09:01")
    desk.close(in_time, "2026-05-29 12:00")
    desk.round("2026-05-29 12:01")
    desk.round("2026-05-29 20:00")
    desk.close(late, "2026-06-01 11:00")
    desk.round("2026-06-01 11:01")
    (may,) = figures(desk, "resolution")
    assert (may.month, may.policy_version, may.term, may.priority) == ("2026-05", version, "everyone", 2)
    assert (may.kept, may.broken) == (1, 2), "the one that is open is broken already"
    assert may.share == pytest.approx(1 / 3)
    assert stands(desk, still_open, "2026-06-01 12:00").state == "breached"


def test_duplicates_and_what_was_never_promised_count_as_neither(desk: Desk) -> None:
    desk.policy("first_response_hours = 8")
    duplicate, plain = desk.open("2026-05-04 09:00"), desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    desk.close(duplicate, "2026-05-04 10:00", "duplicate")
    desk.close(plain, "2026-05-04 10:00")
    desk.round("2026-05-04 10:01")
    assert [(one.kept, one.broken) for one in figures(desk, "first_response")] == [(1, 0)]
    assert figures(desk, "resolution") == []


def test_a_breach_that_was_withdrawn_is_none(desk: Desk) -> None:
    desk.policy("first_response_hours = 2")
    ticket = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 11:30")
    desk.happens(ticket, "2026-05-04 10:30", "replied")
    desk.round("2026-05-04 11:31")
    (figure,) = figures(desk, "first_response")
    assert (figure.kept, figure.broken, figure.median_hours) == (1, 0, 1.5)


def test_each_policy_version_answers_for_its_own_promises(desk: Desk) -> None:
    first = desk.policy("resolution_hours = 2")
    early = desk.open("2026-05-04 09:00")
    desk.round("2026-05-04 09:01")
    desk.close(early, "2026-05-04 10:00")
    desk.round("2026-05-04 10:01")
    second = desk.policy("resolution_hours = 4", at="2026-05-05 08:00")
    desk.open("2026-05-05 09:00")
    desk.round("2026-05-05 15:00")
    assert [(one.policy_version, one.kept, one.broken) for one in figures(desk, "resolution")] == [
        (second, 0, 1),
        (first, 1, 0),
    ]


def test_a_list_shows_the_clock_that_presses_most(desk: Desk) -> None:
    desk.policy("first_response_hours = 2\nresolution_hours = 8")
    ticket = desk.open("2026-05-04 09:00")
    assert stands(desk, ticket, "2026-05-04 09:00").state == "none", "until the first round"
    desk.round("2026-05-04 09:01")
    first = stands(desk, ticket, "2026-05-04 10:00")
    assert (first.clock, first.state, first.due_at, first.zone) == (
        "first_response", "running", berlin("2026-05-04 11:00"), "Europe/Berlin",
    )  # fmt: skip
    assert stands(desk, ticket, "2026-05-04 11:01").state == "breached", "also before the round that writes it"
    desk.happens(ticket, "2026-05-04 10:30", "replied")
    desk.happens(
        ticket, "2026-05-04 10:30", "waiting", {"state": "waiting", "waiting_for": "customer"}, **{"for": "customer"}
    )
    desk.round("2026-05-04 10:31")
    waiting = stands(desk, ticket, "2026-05-04 10:40")
    assert (waiting.clock, waiting.state, waiting.paused_for) == ("resolution", "paused", "customer")
    assert first.sort < waiting.sort < standing.NONE.sort
