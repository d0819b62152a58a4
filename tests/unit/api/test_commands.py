"""Commands over HTTP: who may ask, what a refusal says, and how they are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from api.app import ApiContext
from hearthwatch.records import asking, commands, consents, customers, devices
from hearthwatch.records.asking import Heard
from hearthwatch.values import Reply
from tests.unit.api.conftest import Client

PATH = "/api/v1/devices/lock-1/commands"
WHY = {"kind": "diagnostics", "why": "it is slow"}


@pytest.fixture(autouse=True)
def _household(context: ApiContext) -> None:
    now = context.clock.now()
    with context.database.transaction() as connection:
        devices.register(connection, [{"id": "lock-1"}, {"id": "lock-2"}])
        customers.put_customer(connection, "c-1", name="Kim", language="en", channels=())
        customers.own(connection, "lock-1", "c-1", None, now - timedelta(days=1))


def consented(context: ApiContext) -> None:
    with context.database.transaction() as connection:
        consents.record(connection, "c-1", "service", True, context.clock.now(), "test")


def ask(client: Client, role: str = "agent", path: str = PATH, **more: Any) -> Response:
    options = {"json": WHY, **more}
    answer: Response = client(role).post(path, **options)
    return answer


@pytest.mark.parametrize("role", ["viewer", "technician"])
def test_who_only_looks_may_not_ask(client: Client, context: ApiContext, role: str) -> None:
    consented(context)
    assert ask(client, role).status_code == 403
    with context.database.reading() as connection:
        assert commands.list_commands(connection) == []


def test_a_missing_consent_is_named(client: Client) -> None:
    answer = ask(client)
    assert answer.status_code == 403
    assert "has not consented to the purpose service" in answer.json()["detail"]


def test_a_missing_acceptance_is_named(client: Client) -> None:
    answer = ask(client, json={"kind": "update", "why": "x", "parameters": {"version": "2.4.2"}})
    assert (answer.status_code, "acceptance" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    "body", [{"kind": "diagnostics"}, {"kind": "explode", "why": "x"}, {"kind": "diagnostics", "why": "", "more": 1}]
)
def test_a_malformed_question_is_refused(client: Client, context: ApiContext, body: dict[str, Any]) -> None:
    consented(context)
    assert ask(client, json=body).status_code == 422


def test_a_ticket_of_another_device_or_a_device_that_is_not_there_is_refused(
    client: Client, context: ApiContext
) -> None:
    consented(context)
    assert ask(client, json={**WHY, "ticket_id": 77}).status_code == 404
    assert ask(client, path="/api/v1/devices/nobody/commands").status_code == 404


@pytest.mark.parametrize("role", ["engineer", "agent", "admin"])
def test_staff_ask_and_read_the_answer(client: Client, context: ApiContext, role: str) -> None:
    consented(context)
    answer = ask(client, role)
    assert answer.status_code == 202
    asked = answer.json()
    assert (asked["state"], asked["why"], asked["consent"]) == ("queued", "it is slow", "service:c-1")
    with context.database.transaction() as connection:
        reply = Reply("lock-1", context.clock.now(), asked["request_id"], True, {"rssi_dbm": -61})
        asking.hear(connection, [Heard(reply, context.clock.now())])
    read = client("viewer").get(f"{PATH}/{asked['id']}")
    assert (read.json()["state"], read.json()["answer"]) == ("answered", {"rssi_dbm": -61})
    assert read.headers["ETag"]
    assert [one["id"] for one in client("viewer").get(PATH).json()["items"]] == [asked["id"]]
    assert client("viewer").get("/api/v1/commands?state=queued").json()["items"] == []
    assert client("viewer").get(f"/api/v1/devices/lock-2/commands/{asked['id']}").status_code == 404


def test_a_repeated_request_asks_once_also_after_the_answer(client: Client, context: ApiContext) -> None:
    consented(context)
    headers = {"Idempotency-Key": "k1"}
    first = ask(client, headers=headers).json()
    with context.database.transaction() as connection:
        commands.answered(connection, first["id"], ok=True, answer={}, reason=None, at=context.clock.now())
    again = ask(client, headers=headers)
    assert (again.json()["id"], again.headers["Idempotent-Replayed"]) == (first["id"], "true")


def test_a_question_is_called_back_at_the_revision_that_was_read(client: Client, context: ApiContext) -> None:
    consented(context)
    asked = ask(client)
    path = f"{PATH}/{asked.json()['id']}/cancel"
    assert client("agent").post(path, headers={"If-Match": '"99"'}).status_code == 412
    etag = client("viewer").get(f"{PATH}/{asked.json()['id']}").headers["ETag"]
    assert client("agent").post(path, headers={"If-Match": etag}).json()["state"] == "cancelled"
    assert client("agent").post(path, headers={"If-Match": etag}).status_code in {409, 412}


def test_a_device_tells_what_it_can_be_asked(client: Client) -> None:
    assert client("viewer").get(f"{PATH}/offered").json() == {"convention": None, "kinds": ["diagnostics", "update"]}
