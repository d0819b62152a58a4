"""Findings that are held out, over HTTP: who may let one go, and what was learned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.context import ApiContext
from hearthwatch.clock import SteppedClock
from hearthwatch.records import audit, findings, hold_outs, outcomes
from hearthwatch.records.outcomes import Outcome
from hearthwatch.values import Finding, Observation
from tests.unit.api.conftest import Client

DAY = timedelta(days=1)


@pytest.fixture
def quiet(context: ApiContext) -> Finding:
    """A finding of which nobody outside is told."""
    return held_out(context, "lamp-1")


def held_out(context: ApiContext, device: str) -> Finding:
    now = context.clock.now()
    with context.database.transaction() as connection:
        seen = Observation("prognosis", "device", device, "battery_fade", "warning", now, {}, 0.4, "battery")
        finding = findings.observe(connection, seen, relapse=7 * DAY)
        hold_outs.begin(connection, finding, "battery", share=0.05, policy_version=1, now=now)
    return finding


@pytest.mark.parametrize("role", ["viewer", "technician"])
def test_who_neither_engineers_nor_answers_customers_does_not_let_one_go(
    context: ApiContext, client: Client, quiet: Finding, role: str
) -> None:
    assert client(role).post(f"/api/v1/findings/{quiet.id}/end-hold-out").status_code == 403
    with context.database.reading() as connection:
        assert hold_outs.any_standing(connection)


def test_what_is_not_held_out_can_not_be_let_go(client: Client, quiet: Finding) -> None:
    agent = client("agent")
    assert agent.post(f"/api/v1/findings/{quiet.id + 1}/end-hold-out").status_code == 404
    assert agent.post(f"/api/v1/findings/{quiet.id}/end-hold-out").status_code == 200
    again = agent.post(f"/api/v1/findings/{quiet.id}/end-hold-out")
    assert (again.status_code, "token:agent" in again.text) == (409, True)


def test_a_viewer_reads_what_is_held_out_and_why_in_both_languages(client: Client, quiet: Finding) -> None:
    (one,) = client("viewer").get("/api/v1/hold-outs", params={"standing": True}).json()["items"]
    assert (one["finding_id"], one["device_id"], one["why_ended"]) == (quiet.id, "lamp-1", None)
    assert "one in twenty" in one["explained"]["en"]
    assert "每 20 项中有 1 项" in one["explained"]["zh"]
    assert client("viewer").get("/api/v1/hold-outs", params={"device": "lamp-2"}).json()["items"] == []


def test_letting_one_go_stands_in_the_audit_trail_and_in_its_words(
    context: ApiContext, client: Client, quiet: Finding
) -> None:
    told = client("engineer", name="eve").post(f"/api/v1/findings/{quiet.id}/end-hold-out").json()
    assert (told["why_ended"], told["ended_by"]) == ("sent_now", "token:eve")
    assert "token:eve had the notice sent" in told["explained"]["en"]
    assert "token:eve 已决定发出通知" in told["explained"]["zh"]
    with context.database.reading() as connection:
        (entry,) = audit.list_entries(connection)
    assert (entry.actor, entry.action, entry.object) == ("token:eve", "hold_out.end", f"finding:{quiet.id}")


def test_what_was_learned_is_told_with_its_interval_once_something_is_known(
    context: ApiContext, client: Client, clock: SteppedClock
) -> None:
    viewer = client("viewer")
    for number in range(10):
        held_out(context, f"lamp-{number}")
    early = viewer.get("/api/v1/hold-outs/result").json()
    assert (early["standing"], early["known"], early["share_failed"]) == (10, 0, None)
    assert "None has come to its end yet" in early["explained"]["en"]
    clock.advance(10 * DAY)
    with context.database.transaction() as connection:
        failed = [Outcome(f"lamp-{number}", "battery", clock.now(), "failure", "ticket:1") for number in range(8)]
        outcomes.add(connection, failed)
    clock.advance(21 * DAY)
    late = viewer.get("/api/v1/hold-outs/result").json()
    assert (late["known"], late["failed"], late["share_failed"]) == (10, 8, 0.8)
    assert (round(late["low"], 3), round(late["high"], 3)) == (0.49, 0.943)  # Wilson's interval for 8 of 10
    assert "8 failed within 30 days without a notice: 80%" in late["explained"]["en"]
    assert "10 项中，8 项" in late["explained"]["zh"]
