"""What a person may ask for, over HTTP: a copy of everything about them, and to be forgotten."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from alerts.customers import transfer
from alerts.customers.transfer import NewOwner
from alerts.tickets import conversation
from api.app import ApiContext
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import customers
from hearthwatch.records.database import Database
from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client


@pytest.fixture(scope="module")
def store() -> Iterator[TelemetryStore]:
    """A store of our own: what is written here is nobody else's."""
    opened = open_store("duckdb://")
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """A customer with a letter, a ticket and a message."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home()
    world.stand(part="battery")
    world.run()
    with database.transaction() as connection:
        text, who = "It beeps at night", "customer:c-1"
        conversation.message(connection, 1, text=text, author=who, now=world.now, verified=True, detail={})
    return world


def archive(client: TestClient, customer: str = "c-1") -> zipfile.ZipFile:
    answer = client.get(f"/api/v1/customers/{customer}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def rows(found: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.read(name).splitlines()]


def times(found: zipfile.ZipFile) -> list[str]:
    name = next(name for name in found.namelist() if name.endswith("-readings.csv"))
    return [row["at"] for row in csv.DictReader(io.StringIO(found.read(name).decode()))]


@pytest.fixture
def measured(context: ApiContext, world: World) -> World:
    """A reading a day, from ten days before until two days from now."""
    readings = [
        Reading("lock-1", "native", world.now + timedelta(days=day), {"temperature_c": 20.0 + day}, "2.4.0")
        for day in range(-10, 3)
    ]
    context.store.write(readings)
    return world


def test_only_staff_may_and_only_of_customers_there_are(client: Client, world: World) -> None:
    assert client("viewer").get("/api/v1/customers/c-1/export").status_code == 403
    assert client("agent").get("/api/v1/customers/c-9/export").status_code == 404
    assert client("agent").post("/api/v1/customers/c-1/erase", json={"reason": "asked"}).status_code == 403
    assert client("admin").post("/api/v1/customers/c-9/erase", json={"reason": "asked"}).status_code == 404
    assert client("admin").post("/api/v1/customers/c-1/erase", json={"reason": "of Kim 1"}).status_code == 422
    assert client("agent").get("/api/v1/erasures").status_code == 403


def test_an_export_holds_everything_and_says_what_it_is(client: Client, measured: World) -> None:
    found = archive(client("agent"))
    assert json.loads(found.read("customer.json"))["name"] == "Kim 1"
    assert "battery" in rows(found, "notices.jsonl")[0]["body"]
    assert rows(found, "ticket_messages.jsonl")[0]["text"] == "It beeps at night"
    assert rows(found, "consents.jsonl")[0]["purpose"] == "service"
    assert [row["mode"] for row in rows(found, "findings.jsonl")] == ["battery_fade"]
    assert rows(found, "ownerships.jsonl")[0]["device_id"] == "lock-1"
    index = found.read("index.html").decode()
    assert "What we wrote to you" in index
    assert "我们给您的通知" in index
    everything = b"".join(found.read(name) for name in found.namelist())
    assert b"token_hash" not in everything, "a copy holds no secret"


def test_an_export_holds_the_telemetry_so_far(client: Client, measured: World) -> None:
    assert len(times(archive(client("agent")))) == 10


def test_who_sold_a_device_gets_what_it_reported_until_then(client: Client, measured: World) -> None:
    with measured.database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="Ben")
        sold = measured.now - timedelta(days=5)
        customers.own(connection, "lock-1", "c-2", None, sold)
    ours, theirs = times(archive(client("agent"))), times(archive(client("agent"), "c-2"))
    assert (len(ours), len(theirs)) == (5, 5)
    assert max(ours) < sold.isoformat() <= min(theirs)
    assert rows(archive(client("agent"), "c-2"), "notices.jsonl") == []


def test_forgetting_a_person_is_told_and_lasts(client: Client, world: World) -> None:
    admin = client("admin")
    answer = admin.post("/api/v1/customers/c-1/erase", json={"reason": "they asked"})
    assert answer.status_code == 200
    assert answer.json()["closed"] == [world.ticket().id]
    assert admin.get("/api/v1/customers/c-1").json()["name"] == ""
    (kept,) = admin.get("/api/v1/erasures").json()
    assert (kept["customer_id"], kept["reason"]) == ("c-1", "they asked")
    assert admin.put("/api/v1/customers/c-1", json={"name": "Kim 1"}).status_code == 409
    body = b"customer_id,name,device_id\nc-1,Kim 1,lock-1\nc-2,Ben,lock-2\n"
    told = client("agent").post("/api/v1/customers/import", content=body, headers={"Content-Type": "text/csv"}).json()
    assert (told["customers"], told["erased"]) == (1, 1)
    assert admin.get("/api/v1/customers/c-1").json()["name"] == ""


def test_after_a_sale_the_next_owner_sees_nothing_of_the_first(client: Client, world: World) -> None:
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-2", name="Ben")
        transfer.transfer(connection, "lock-1", "sold", actor="ann", now=world.now, to=NewOwner("c-2"))
    found = archive(client("agent"), "c-2")
    assert b"Kim 1" not in b"".join(found.read(name) for name in found.namelist())


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_who_serves_no_customers_reads_of_a_notice_what_it_is_about_and_not_who_got_it(
    client: Client, world: World, role: str
) -> None:
    world.press(world.token(), "later")
    agent, reader, path = client("agent"), client(role), "/api/v1/notices"
    full = agent.get(f"{path}/1").json()
    assert (full["customer_id"], full["home_id"], "Kim" in full["body"]) == ("c-1", "h-1", True)
    for seen in (reader.get(f"{path}/1").json(), *reader.get(path).json()["items"]):
        assert (seen["customer_id"], seen["home_id"], seen["body"]) == ("", None, "")
        kept = ("kind", "device_id", "state", "reason", "why", "subject", "revision")
        assert [seen[name] for name in kept] == [full[name] for name in kept]
    assert "c-1" not in reader.get(f"{path}/1/events").text
    assert "c-1" in agent.get(f"{path}/1/events").text
    assert (reader.get(f"{path}/1/html").status_code, agent.get(f"{path}/1/html").status_code) == (403, 200)
    assert reader.get(f"{path}?customer=c-1").status_code == 403
    assert len(agent.get(f"{path}?customer=c-1").json()["items"]) == 1


def test_a_preview_greets_nobody_for_who_serves_no_customers(client: Client, world: World) -> None:
    world.home(2, devices_=("lock-2",))
    world.stand("lock-2", part="battery")
    number = world.finding(world.observe("lock-2", part="battery")).id
    (full,), (seen,) = (
        client(role).get(f"/api/v1/findings/{number}/preview").json()["notices"] for role in ("agent", "engineer")
    )
    assert (full["customer_id"], "Kim 2" in full["letter"]["text"]) == ("c-2", True)
    assert (seen["customer_id"], "Kim" in str(seen), "lock-2" in seen["letter"]["text"]) == ("", False, True)
