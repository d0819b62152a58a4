"""The outside desk over HTTP: what it posts is taken only with its signature, and staff see where tickets stand there."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.channels.signing import headers as signed
from alerts.channels.signing import key_of
from alerts.mirrors.case import reference
from api.app import ApiContext
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import mirrors
from hearthwatch.records.database import Database
from hearthwatch.settings import Settings
from tests.desk_webhook import SECRET
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client


@pytest.fixture
def context(context: ApiContext) -> ApiContext:
    """An application with a desk beside it."""
    settings = Settings(
        service_desk="zammads://t@desk.example.com?group=a&customer=b@example.com", service_desk_secret=SECRET
    )
    return replace(context, settings=settings)


@pytest.fixture
def world(database: Database, clock: SteppedClock, store: TelemetryStore) -> World:
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.home()
    world.technician()
    world.policy()
    world.stand()
    world.run()
    return world


def stands(world: World, desk: str) -> int:
    number = world.ticket().id
    place = {"outside_id": "19", "number": "22019", "told": "open", "outside_state": "open", "looked_at": world.now}
    with world.database.transaction() as connection:
        mirrors.begin(connection, desk, world.now)
        mirrors.save(connection, number, desk, place, world.now)
    return number


def hub(body: bytes) -> dict[str, str]:
    return {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}


def test_zammads_word_is_taken_with_its_signature_alone(client: Client, world: World) -> None:
    number = stands(world, "zammad")
    body = b'{"ticket": {"id": 19}}'
    desk = client()
    assert desk.post("/api/v1/service-desk/zammad", content=body).status_code == 403
    assert desk.post("/api/v1/service-desk/zammad", content=body + b" ", headers=hub(body)).status_code == 403
    assert desk.post("/api/v1/service-desk/zammad", content=body, headers=hub(body)).json() == {"known": True}
    with world.database.reading() as connection:
        mirror = mirrors.find(connection, number)
    assert mirror is not None
    assert mirror.looked_at is None


def test_a_desk_of_ones_own_closes_a_ticket_by_a_signed_report(
    client: Client, world: World, context: ApiContext
) -> None:
    number = stands(world, "webhook")
    said = {
        "reference": reference(number, context.settings.public_url),
        "state": "closed",
        "outcome": "confirmed",
        "part": "battery",
    }
    body = json.dumps(said).encode()
    headers = dict(signed([key_of(SECRET, where="test")], "m-1", world.now, body))
    desk = client()
    assert desk.post("/api/v1/service-desk/reports", content=body).status_code == 403
    for _ in range(2):
        assert desk.post("/api/v1/service-desk/reports", content=body, headers=headers).status_code == 200
    assert world.ticket().closing_code == "confirmed"


def test_staff_see_where_a_ticket_stands_and_try_a_refused_one_again(client: Client, world: World) -> None:
    number = stands(world, "zammad")
    staff = client("agent")
    assert staff.get(f"/api/v1/tickets/{number}/mirror").json()["number"] == "22019"
    assert staff.get("/api/v1/service-desk").json()["name"] == "zammad"
    assert staff.post(f"/api/v1/tickets/{number}/mirror/retry").status_code == 409
    with world.database.transaction() as connection:
        mirrors.save(connection, number, "zammad", {"state": "refused", "why": "no such group"}, world.now)
    assert [one["why"] for one in staff.get("/api/v1/mirrors", params={"state": "refused"}).json()["items"]] == [
        "no such group"
    ]
    assert client("viewer").post(f"/api/v1/tickets/{number}/mirror/retry").status_code == 403
    assert staff.post(f"/api/v1/tickets/{number}/mirror/retry").json()["state"] == "standing"
    assert staff.get("/api/v1/tickets/999/mirror").status_code == 404
