"""A device leaves its owner: by the API, and by the owner on their page in two steps."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from hearthwatch.clock import SteppedClock
from hearthwatch.records import customers
from hearthwatch.records.database import Database
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """A customer with two locks, who got a letter about the first."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.policy()
    world.home(devices_=("lock-1", "lock-2"))
    world.stand(part="battery")
    world.run()
    return world


@pytest.fixture
def page(client: Client) -> TestClient:
    return client()


def owner(world: World, device: str = "lock-1") -> str | None:
    with world.database.reading() as connection:
        found = customers.owner_of(connection, device, world.now)
    return found.customer.id if found else None


def nonce(html: str) -> str:
    return str(re.findall(r'name="nonce" value="([^"]+)"', html)[0])


def test_a_transfer_that_makes_no_sense_says_why(world: World, client: Client) -> None:
    agent = client("agent")
    path = "/api/v1/devices/lock-1/transfer"
    assert agent.post(path, json={"reason": "stolen"}).status_code == 422
    assert agent.post(path, json={"reason": "sold", "new_owner": {"customer_id": "c-9"}}).status_code == 404
    assert agent.post(path, json={"reason": "returned", "new_owner": {"customer_id": "c-1"}}).status_code == 422
    assert agent.post("/api/v1/devices/none/transfer", json={"reason": "sold"}).status_code == 404
    assert client("viewer").post(path, json={"reason": "sold"}).status_code == 403
    assert owner(world) == "c-1"


def test_a_transfer_tells_what_ended(world: World, client: Client, page: TestClient) -> None:
    token = world.token()
    answer = client("agent").post("/api/v1/devices/lock-1/transfer", json={"reason": "sold"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["owner"], told["links"], told["kept"], told["closed"]) == ("c-1", 1, [world.ticket().id], [])
    assert page.get(f"/c/{token}").status_code == 404
    again = client("agent").post("/api/v1/devices/lock-1/transfer", json={"reason": "sold"})
    assert (again.status_code, again.json()["detail"]) == (409, "nobody is known to have this device")


def test_the_first_step_says_what_follows_and_does_nothing(world: World, page: TestClient) -> None:
    token = world.token()
    assert "I do not have lock-1 any more" in page.get(f"/c/{token}").text
    step = page.get(f"/c/{token}", params={"step": "gone"}).text
    assert "Whoever has it next sees nothing of you" in step
    assert "battery" not in step, "the step stands on the page alone"
    assert "我已出售或转赠" in page.get(f"/c/{token}", params={"step": "gone", "lang": "zh-CN"}).text
    assert owner(world) == "c-1"


def test_the_second_step_ends_it_and_the_link_opens_no_more(world: World, page: TestClient) -> None:
    token = world.token()
    form = {"nonce": nonce(page.get(f"/c/{token}", params={"step": "gone"}).text), "action": "device_gone"}
    answer = page.post(f"/c/{token}", data={**form, "device": "lock-1", "reason": "sold"})
    assert answer.status_code == 200
    assert "This device is not yours any more" in answer.text
    assert owner(world) is None
    assert page.get(f"/c/{token}").status_code == 404


@pytest.mark.parametrize(
    ("device", "reason", "status"), [("lock-2", "sold", 409), ("lock-1", "stolen", 422), ("", "", 409)]
)
def test_a_link_ends_only_what_it_is_about_and_only_for_a_reason(
    world: World, page: TestClient, device: str, reason: str, status: int
) -> None:
    token = world.token()
    form = {"nonce": nonce(page.get(f"/c/{token}", params={"step": "gone"}).text), "action": "device_gone"}
    assert page.post(f"/c/{token}", data={**form, "device": device, "reason": reason}).status_code == status
    assert (owner(world), owner(world, "lock-2")) == ("c-1", "c-1")


def test_from_their_own_page_a_customer_gives_one_device_away_and_keeps_the_page(
    world: World, page: TestClient, client: Client
) -> None:
    made = client("agent").post("/api/v1/customers/c-1/links", json={}).json()
    path = made["url"].split("8080")[1]
    assert "lock-2" in page.get(path).text
    step = page.get(path, params={"step": "gone", "device": "lock-2"}).text
    form = {"nonce": nonce(step), "action": "device_gone", "device": "lock-2", "reason": "returned"}
    answer = page.post(path, data=form)
    assert answer.status_code == 303
    after = page.get(answer.headers["location"]).text
    assert "We have noted that this device is not yours any more" in after
    assert "lock-2" not in after
    assert (owner(world), owner(world, "lock-2")) == ("c-1", None)
