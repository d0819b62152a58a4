"""Service levels over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.policy import versions
from alerts.service_levels import keeping
from api.context import ApiContext
from hearthwatch.records import tickets
from hearthwatch.records.tickets import NewTicket
from tests.unit.api.conftest import Client

POLICY = """
name = "desk"
[sla]
team = ["mailbox://team"]
[sla.calendars.office]
timezone = "Asia/Shanghai"
workdays = ["09:00-12:00", "13:00-18:00"]
country = "CN"
[[sla.terms]]
name = "=1+1"
calendar = "office"
first_response_hours = 2
[[rules]]
name = "all"
"""


@pytest.fixture
def ticket(context: ApiContext) -> int:
    """A ticket of a customer, with its first round."""
    now = context.clock.now()
    with context.database.transaction() as connection:
        added = versions.add_policy(connection, POLICY, "ann", now)
        versions.set_mode(connection, added.version, "live", "ann", now)
        new = NewTicket(
            cause="request:lock-1/1", kind="request", title="lock-1", priority=2, due_at=None, source="page"
        )
        opened, _ = tickets.open_once(connection, new, actor="customer:c-1", now=now, detail={})
    keeping.keep(context.database, now, public_url="http://hw.test")
    return opened.id


def test_a_ticket_that_does_not_exist_has_no_clocks(client: Client) -> None:
    assert client("viewer").get("/api/v1/tickets/7/sla").status_code == 404
    assert client().get("/api/v1/tickets/7/sla").status_code == 401


def test_a_technician_sees_the_clocks_of_their_own_tickets_alone(client: Client, ticket: int) -> None:
    assert client("technician").get(f"/api/v1/tickets/{ticket}/sla").status_code == 403


def test_the_clocks_of_a_ticket_stand_with_their_ledger_and_can_be_counted_anew(
    context: ApiContext, client: Client, ticket: int
) -> None:
    plain = client("viewer").get(f"/api/v1/tickets/{ticket}/sla").json()
    first = next(one for one in plain["clocks"] if one["clock"] == "first_response")
    assert (plain["calendar"], plain["timezone"], first["state"], first["target_s"]) == (
        "office",
        "Asia/Shanghai",
        "running",
        7200.0,
    )
    assert plain["recount"] is None
    assert plain["ledger"][0]["what"] == "apply_sla"
    context.clock.advance(timedelta(days=30))  # type: ignore[attr-defined]
    late = client("viewer").get(f"/api/v1/tickets/{ticket}/sla", params={"recompute": True}).json()
    assert {one["what"] for one in late["recount"]["missing"]} == {"breach", "update_status"}, (
        "the next round writes it"
    )
    keeping.keep(context.database, context.clock.now(), public_url="http://hw.test")
    written = client("viewer").get(f"/api/v1/tickets/{ticket}/sla", params={"recompute": True}).json()
    assert written["recount"] == {"agrees": True, "missing": [], "unfounded": []}


def test_what_was_kept_is_listed_and_goes_into_a_spreadsheet_that_runs_nothing(
    context: ApiContext, client: Client, ticket: int
) -> None:
    context.clock.advance(timedelta(days=30))  # type: ignore[attr-defined]
    keeping.keep(context.database, context.clock.now(), public_url="http://hw.test")
    (figure,) = client("viewer").get("/api/v1/sla/compliance").json()
    assert (figure["clock"], figure["kept"], figure["broken"], figure["share"]) == ("first_response", 0, 1, 0.0)
    text = client("viewer").get("/api/v1/sla/compliance.csv").text
    assert "'=1+1" in text
    assert client("viewer").get("/api/v1/sla/compliance", params={"since": "2020-01-01T00:00:00Z"}).status_code == 422


def test_what_is_promised_is_told_with_its_calendars_and_without_anybody_s_address(client: Client, ticket: int) -> None:
    told = client("viewer").get("/api/v1/sla").json()
    (office,) = told["calendars"]
    assert (office["name"], office["timezone"]) == ("office", "Asia/Shanghai")
    assert told["terms"]["terms"][0]["first_response_hours"] == [2, 2, 2, 2]
    assert "mailbox" not in str(told)
