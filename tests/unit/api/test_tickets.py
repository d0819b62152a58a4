"""Tickets over HTTP: who may work which, what was changed meanwhile, and how one is closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.tickets import requests
from hearthwatch.clock import SteppedClock
from hearthwatch.records import outcomes, tickets, warranties
from hearthwatch.records.database import Database
from hearthwatch.records.warranties import Told
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client

TICKETS = "/api/v1/tickets"


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Two homes with a failing lock each: ticket 1 and 2, neither assigned; two technicians of another region."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    for number in (1, 2):
        world.home(number, devices_=(f"lock-{number}",))
        world.technician(f"t-{number}", regions=["south"])
        world.stand(f"lock-{number}", part="battery")
    world.run()
    assert [ticket.technician_id for ticket in world.tickets()] == [None, None]
    return world


def test_a_ticket_that_does_not_exist_is_missing(client: Client, world: World) -> None:
    caller = client("agent")
    assert caller.get(f"{TICKETS}/99").status_code == 404
    assert caller.post(f"{TICKETS}/99/note", json={"text": "x"}).status_code == 404
    assert caller.post(f"{TICKETS}/1/assign", json={"technician_id": "t-9"}).status_code == 404


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("assign", {}),
        ("schedule", {"at": "2026-05-02T10:00:00"}),
        ("schedule", {"at": "2020-05-02T10:00:00Z"}),
        ("note", {"text": ""}),
        ("note", {"text": "x" * 4001}),
        ("close", {"code": "done"}),
        ("close", {"code": "different_fault"}),
    ],
)
def test_a_malformed_act_on_a_ticket_changes_nothing(
    client: Client, world: World, act: str, body: dict[str, str]
) -> None:
    caller = client("agent")
    caller.post(f"{TICKETS}/1/assign", json={"technician_id": "t-1"})
    before = caller.get(f"{TICKETS}/1").json()
    assert caller.post(f"{TICKETS}/1/{act}", json=body).status_code == 422
    assert caller.get(f"{TICKETS}/1").json() == before


def test_a_technician_works_only_what_is_assigned_to_them(client: Client, world: World) -> None:
    agent, first = client("agent"), client("technician", name="t-1")
    assert first.get(TICKETS).json()["items"] == []
    assert first.get(f"{TICKETS}/1").status_code == 403
    agent.post(f"{TICKETS}/1/assign", json={"technician_id": "t-1"})
    agent.post(f"{TICKETS}/2/assign", json={"technician_id": "t-2"})
    assert [one["id"] for one in first.get(TICKETS).json()["items"]] == [1]
    assert first.get(f"{TICKETS}?technician=t-2").status_code == 403
    assert first.post(f"{TICKETS}/1/note", json={"text": "on my way"}).status_code == 200
    for act, body in (
        ("note", {"text": "x"}),
        ("close", {"code": "duplicate"}),
        ("schedule", {"at": "2026-05-09T10:00:00Z"}),
    ):
        assert first.post(f"{TICKETS}/2/{act}", json=body).status_code == 403
    assert first.get(f"{TICKETS}/2/events").status_code == 403
    assert first.post(f"{TICKETS}/1/assign", json={"technician_id": "t-2"}).status_code == 403


def test_a_field_services_shared_token_works_whatever_is_assigned(client: Client, world: World) -> None:
    agent, service = client("agent"), client("technician", name="field service")
    assert service.post(f"{TICKETS}/1/note", json={"text": "x"}).status_code == 403
    agent.post(f"{TICKETS}/1/assign", json={"technician_id": "t-1"})
    assert service.post(f"{TICKETS}/1/note", json={"text": "x"}).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_who_only_reads_can_not_work_a_ticket(client: Client, world: World, role: str) -> None:
    caller = client(role)
    assert len(caller.get(TICKETS).json()["items"]) == 2
    for act in ("assign", "schedule", "note", "close"):
        assert caller.post(f"{TICKETS}/1/{act}", json={}).status_code == 403


def test_a_ticket_changed_meanwhile_is_not_overwritten(client: Client, world: World) -> None:
    caller = client("agent")
    tag = caller.get(f"{TICKETS}/1").headers["etag"]
    assert (
        caller.post(f"{TICKETS}/1/assign", json={"technician_id": "t-1"}, headers={"If-Match": tag}).status_code == 200
    )
    assert caller.post(f"{TICKETS}/1/close", json={"code": "recovered"}, headers={"If-Match": tag}).status_code == 412
    assert caller.get(f"{TICKETS}/1").json()["state"] == "assigned"


def test_a_closed_ticket_is_a_label_and_can_not_be_closed_again(client: Client, world: World) -> None:
    agent, technician = client("agent"), client("technician", name="t-1")
    agent.post(f"{TICKETS}/1/assign", json={"technician_id": "t-1"})
    at = (world.now + timedelta(days=1)).isoformat()
    assert technician.post(f"{TICKETS}/1/schedule", json={"at": at}).json()["state"] == "scheduled"
    body = {"code": "confirmed", "part": "battery", "note": "1.9 V under load"}
    closed = technician.post(f"{TICKETS}/1/close", json=body)
    assert (closed.status_code, closed.json()["closed_by"]) == (200, "token:t-1")
    assert technician.post(f"{TICKETS}/1/close", json=body).status_code == 409
    assert [one["id"] for one in agent.get(f"{TICKETS}?open=true").json()["items"]] == [2]
    assert [one["id"] for one in agent.get(f"{TICKETS}?device=lock-1&state=closed").json()["items"]] == [1]
    events = agent.get(f"{TICKETS}/1/events").json()["items"]
    assert [one["what"] for one in events] == ["opened", "assigned", "scheduled", "closed"]
    with world.database.reading() as connection:
        assert [one.source for one in outcomes.list_outcomes(connection)] == ["ticket:1"]
    trail = client("admin").get("/api/v1/audit?about=ticket:1").json()["items"]
    assert [one["action"] for one in trail] == ["ticket.close", "ticket.schedule", "ticket.assign"]


def test_a_closing_sent_twice_with_one_key_is_one_closing(client: Client, world: World) -> None:
    caller = client("agent")
    key, body = {"Idempotency-Key": "visit-1"}, {"code": "no_fault_found"}
    first = caller.post(f"{TICKETS}/1/close", json=body, headers=key)
    again = caller.post(f"{TICKETS}/1/close", json=body, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())


def test_notices_and_letters_are_listed(client: Client, world: World) -> None:
    reader = client("agent")
    (second, first) = reader.get("/api/v1/notices?state=sent").json()["items"]
    assert (first["customer_id"], second["customer_id"]) == ("c-1", "c-2")
    assert reader.get("/api/v1/notices?customer=c-1&device=lock-2").json()["items"] == []
    assert world.token() not in reader.get(f"/api/v1/notices/{first['id']}/html").json()["html"]
    assert world.token() not in reader.get(f"/api/v1/notices/{first['id']}").text
    events = reader.get(f"/api/v1/notices/{first['id']}/events").json()["items"]
    assert "sent" in [one["what"] for one in events]
    assert reader.get("/api/v1/notices/99").status_code == 404
    letters = client("agent").get("/api/v1/mailbox?address=mailbox://c-1").json()["items"]
    assert [letter["address"] for letter in letters] == ["mailbox://c-1"]
    assert world.token() in letters[0]["text"]


def test_the_outbox_shows_no_customers_link(client: Client, world: World) -> None:
    world.home(3, devices_=("lock-3",))
    world.stand("lock-3", part="battery")
    world.apply()
    (waiting,) = [item for item in world.outbox(state="pending") if item.kind == "notice"]
    shown = client("viewer").get("/api/v1/outbox?state=pending")
    assert waiting.id in [item["id"] for item in shown.json()["items"]]
    assert "/c/" not in shown.text


def test_a_preview_shows_what_would_be_sent_and_sends_nothing(client: Client, world: World) -> None:
    world.home(3, devices_=("lock-3",))
    finding = world.stand("lock-3", part="battery")
    before = len(world.outbox())
    shown = client("engineer").get(f"/api/v1/findings/{finding.id}/preview")
    assert (shown.status_code, shown.json()["ticket"], shown.json()["count"]) == (200, "open", 1)
    assert "battery" in shown.json()["notices"][0]["letter"]["text"]
    assert len(world.outbox()) == before
    assert client("viewer").get(f"/api/v1/findings/{finding.id}/preview").status_code == 403
    assert client("engineer").get("/api/v1/findings/99/preview").status_code == 404


def test_a_test_letter_goes_to_a_colleague_and_its_link_opens_nothing(client: Client, world: World) -> None:
    agent, path = client("agent"), f"/api/v1/findings/{world.tickets()[0].finding_id}/test-notice"
    assert agent.post(path, json={"address": "pigeon://x"}).status_code == 422
    assert agent.post(path, json={"address": "mailbox://bea", "language": "zh-CN", "kind": "gift"}).status_code == 422
    assert agent.post(path, json={"address": "mailbox://bea", "language": "zh-CN"}).status_code == 202
    world.deliver()
    (letter,) = world.letters("mailbox://bea")
    assert letter.subject.startswith("[TEST]")
    assert client().get("/c/test").status_code == 404
    assert client("engineer").post(path, json={"address": "mailbox://bea"}).status_code == 403


# -- work --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "body", "status"),
    [
        ("wait", {"waiting_for": "godot"}, 422),
        ("wait", {"waiting_for": "part"}, 422),
        ("resume", None, 409),
        ("reply", {"text": ""}, 422),
        ("diagnose", {"mode": "haunted"}, 422),
        ("merge", {"other_id": 1}, 409),
        ("merge", {"other_id": 99}, 404),
        ("merge", {"other_id": 2}, 409),
        ("reopen", {"why": "x"}, 409),
        ("correct", {"code": "user_error", "why": "x"}, 409),
        ("correct", {"code": "user_error"}, 422),
        ("remedy", {"remedy": "prayer"}, 422),
        ("remedy", {"remedy": "swap", "price": 49.5}, 422),
        ("remedy", {"remedy": "swap", "price": 4900}, 422),
        ("approvals", None, 409),
        ("approvals/1/answer", {"agreed": True, "via": "phone"}, 404),
        ("approvals/1/answer", {"agreed": True, "via": "link"}, 422),
        ("close", {"code": "no_fault_found", "failed_at": "2026-05-01T00:00:00Z"}, 422),
        ("close", {"code": "confirmed", "children": True}, 422),
    ],
)
def test_what_can_not_be_done_is_said_and_changes_nothing(
    client: Client, world: World, act: str, body: dict[str, object] | None, status: int
) -> None:
    caller = client("agent")
    before = caller.get(f"{TICKETS}/1").json()
    answer = caller.post(f"{TICKETS}/1/{act}", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert caller.get(f"{TICKETS}/1").json() == before


@pytest.mark.parametrize(
    "act", ["take", "start", "wait", "resume", "diagnose", "reply", "merge", "reopen", "correct", "remedy", "approvals"]
)
@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_who_only_reads_does_none_of_it(client: Client, world: World, role: str, act: str) -> None:
    assert client(role).post(f"{TICKETS}/1/{act}", json={}).status_code == 403


def test_what_customers_wrote_is_not_for_everybody(client: Client, world: World) -> None:
    agent = client("agent")
    agent.post(f"{TICKETS}/1/note", json={"text": "shouts"})
    agent.post(
        f"{TICKETS}/1/reply", json={"text": "We are on it.", "wait_until": (world.now + timedelta(days=2)).isoformat()}
    )
    assert agent.get(f"{TICKETS}/1").json()["waiting_for"] == "customer"
    said = agent.get(f"{TICKETS}/1/messages").json()["items"]
    assert [(one["direction"], one["text"]) for one in said] == [("internal", "shouts"), ("out", "We are on it.")]
    assert client("viewer").get(f"{TICKETS}/1/messages").status_code == 403
    assert "shouts" not in agent.get(f"{TICKETS}/1/events").text


def test_a_ticket_is_worked_from_the_beginning_to_its_outcome(client: Client, world: World) -> None:
    agent = client("agent")
    tag = agent.get(f"{TICKETS}/1").headers["etag"]
    taken = agent.post(f"{TICKETS}/1/take", headers={"If-Match": tag})
    assert (taken.json()["state"], taken.json()["technician_id"]) == ("assigned", "agent")
    assert agent.post(f"{TICKETS}/1/start", headers={"If-Match": tag}).status_code == 412
    assert (
        agent.post(f"{TICKETS}/1/start", headers={"If-Match": taken.headers["etag"]}).json()["state"] == "in_progress"
    )
    until = (world.now + timedelta(days=2)).isoformat()
    assert agent.post(f"{TICKETS}/1/wait", json={"waiting_for": "part", "until": until}).json()["waiting_for"] == "part"
    assert agent.post(f"{TICKETS}/1/resume").json()["state"] == "in_progress"
    told = agent.post(f"{TICKETS}/1/diagnose", json={"part": "motor", "mode": "motor_wear"}).json()
    assert (told["part"], told["mode"]) == ("motor", "motor_wear")
    body = {"code": "confirmed", "failed_at": (world.now - timedelta(hours=2)).isoformat()}
    assert agent.post(f"{TICKETS}/1/close", json=body).json()["closing_part"] == "motor"
    assert agent.post(f"{TICKETS}/1/reopen", json={"why": "it was the battery"}).json()["state"] == "assigned"
    trail = client("admin").get("/api/v1/audit?about=ticket:1").json()["items"]
    assert [one["action"].removeprefix("ticket.") for one in trail][::-1] == [
        "take", "start", "wait", "resume", "diagnose", "close", "reopen",
    ]  # fmt: skip


def test_a_wrong_outcome_is_corrected_by_an_agent_and_by_no_technician(client: Client, world: World) -> None:
    agent, body = client("agent"), {"code": "no_fault_found", "why": "the workshop found nothing"}
    agent.post(f"{TICKETS}/1/close", json={"code": "confirmed"})
    assert client("technician").post(f"{TICKETS}/1/correct", json=body).status_code == 403
    told = agent.post(f"{TICKETS}/1/correct", json=body).json()
    assert (told["state"], told["closing_code"], told["closing_part"]) == ("closed", "no_fault_found", None)
    events = agent.get(f"{TICKETS}/1/events").json()
    entries = events["items"] if isinstance(events, dict) else events
    assert (entries[-1]["what"], entries[-1]["detail"]["was"]) == ("corrected", "confirmed")
    with world.database.reading() as connection:
        assert [one.outcome for one in outcomes.list_outcomes(connection)] == ["no_fault_found"]


def test_remedies_are_told_with_cost_and_reason_and_a_paid_one_waits_for_the_customer(
    client: Client, world: World
) -> None:
    agent = client("agent")
    with world.database.transaction() as connection:
        warranties.tell(connection, [Told("lock-1", until=world.now - timedelta(days=1))], "test", world.now)
    told = agent.get(f"{TICKETS}/1/remedies").json()
    assert (told["proposed"], told["covered"], told["currency"]) == ("ship_part", False, "EUR")
    assert [one["why"][0] for one in told["options"] if one["remedy"] == "update"] == [
        "There is no update for this device that puts it right."
    ]
    agent.post(f"{TICKETS}/1/take")
    chosen = agent.post(f"{TICKETS}/1/remedy", json={"remedy": "ship_part"}).json()
    assert (chosen["remedy"], chosen["remedy_price"], chosen["remedy_currency"]) == ("ship_part", 2000, "EUR")
    refused = agent.post(f"{TICKETS}/1/start")
    assert (refused.status_code, "has not agreed" in refused.json()["detail"]) == (409, True)
    assert agent.post(f"{TICKETS}/1/approvals").json()["waiting_for"] == "approval"
    (asked,) = agent.get(f"{TICKETS}/1/approvals").json()["items"]
    assert (
        agent.post(f"{TICKETS}/2/approvals/{asked['id']}/answer", json={"agreed": True, "via": "phone"}).status_code
        == 404
    )
    answered = agent.post(f"{TICKETS}/1/approvals/{asked['id']}/answer", json={"agreed": True, "via": "phone"}).json()
    assert (answered["state"], answered["decided_by"], answered["via"]) == ("approved", "token:agent", "phone")
    assert agent.post(f"{TICKETS}/1/start").json()["state"] == "in_progress"


# -- the list ----------------------------------------------------------------------------------------------------------------


def test_tickets_are_found_by_what_they_are_and_what_is_due_comes_first(client: Client, world: World) -> None:
    agent = client("agent")
    agent.post(f"{TICKETS}/2/assign", json={"technician_id": "t-1"})
    agent.post(f"{TICKETS}/2/wait", json={"waiting_for": "customer"})
    with world.database.transaction() as connection:
        tickets.change(connection, 1, None, {"due_at": None})

    def ids(query: str) -> list[int]:
        return [one["id"] for one in agent.get(f"{TICKETS}?{query}").json()["items"]]

    assert ids("order=due") == [2, 1]
    assert ids("waiting_for=customer") == ids("state=waiting") == ids("technician=t-1") == [2]
    assert ids("unassigned=true") == ids("device=lock-1") == [1]
    assert ids("mode=battery_fade&model=LOCK-2&source=policy&kind=device") == [2, 1]
    assert ids("mode=reboots") == ids("source=page") == ids("priority=4") == []
    assert ids(f"due_before={(world.now + timedelta(days=30)).isoformat().replace('+', '%2B')}") == [2]
    first = agent.get(f"{TICKETS}?order=due&limit=1").json()
    assert [one["id"] for one in first["items"]] == [2]
    assert ids(f"order=due&limit=1&cursor={first['next']}") == [1]
    assert agent.get(f"{TICKETS}?order=due&cursor=MTI").status_code == 422
    assert agent.get(f"{TICKETS}?waiting_for=godot").status_code == 422


def test_a_duplicate_goes_into_the_other(client: Client, world: World) -> None:
    agent = client("agent")
    with world.database.transaction() as connection:
        other = requests.request_visit(
            connection,
            device_id="lock-9",
            customer_id="c-1",
            home_id=None,
            finding_id=None,
            actor="customer:c-1",
            now=world.now,
        )
    assert agent.post(f"{TICKETS}/1/merge", json={"other_id": other.id}).status_code == 200
    gone = agent.get(f"{TICKETS}/{other.id}").json()
    assert (gone["state"], gone["merged_into"], gone["closing_code"]) == ("closed", 1, "duplicate")
