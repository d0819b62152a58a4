"""The knowledge base over HTTP, and what of it customers see on the page of their case."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from alerts.knowledge import permission
from alerts.knowledge.library import ensure_articles
from hearthwatch.clock import SteppedClock
from hearthwatch.records import articles, commands, customer_links, tickets
from hearthwatch.records.database import Database
from tests.unit.alerts.world import World
from tests.unit.api.conftest import Client

DRAFT: dict[str, Any] = {
    "title": "A squeak",
    "cause": "Dry hinge",
    "next_step": "Oil it",
    "body": "Oil the hinge.",
    "modes": ["motor_wear"],
}


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """A case about a fading battery, of a customer who agreed to nothing but safety."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    with database.transaction() as connection:
        ensure_articles(connection, world.now)
    world.home(consent=())
    world.technician()
    world.policy()
    world.stand()
    world.run()
    return world


@pytest.fixture
def token(world: World) -> str:
    until, number = world.now + timedelta(days=60), world.ticket().id
    with world.database.transaction() as connection:
        return customer_links.create(connection, customer_id="c-1", ticket_id=number, expires_at=until)


def test_articles_are_listed_and_found_in_each_language(client: Client, world: World) -> None:
    reader = client("viewer")
    english = reader.get("/api/v1/articles").json()["items"]
    assert len(english) == len(reader.get("/api/v1/articles", params={"language": "zh_Hans"}).json()["items"]) > 5
    found = reader.get("/api/v1/articles/search", params={"query": "电池", "language": "zh_Hans"}).json()["items"]
    assert found[0]["slug"] == "battery-fade"
    assert reader.get("/api/v1/articles/search").status_code == 422


def test_staff_write_an_article_at_the_revision_they_read(client: Client, world: World) -> None:
    staff = client("agent")
    written = staff.put("/api/v1/articles/squeak/en", json=DRAFT)
    assert written.status_code == 200
    changed = staff.put(
        "/api/v1/articles/squeak/en", json={**DRAFT, "title": "A creak"}, headers={"If-Match": written.headers["ETag"]}
    )
    assert changed.json()["title"] == "A creak"
    stale = staff.put("/api/v1/articles/squeak/en", json=DRAFT, headers={"If-Match": written.headers["ETag"]})
    assert stale.status_code == 412
    assert client("viewer").put("/api/v1/articles/squeak/en", json=DRAFT).status_code == 403
    assert staff.put("/api/v1/articles/Squeak!/en", json=DRAFT).status_code == 422
    assert staff.delete("/api/v1/articles/squeak/en").json()["retired"] is True


def test_a_ticket_is_advised_in_the_language_asked_for(client: Client, world: World) -> None:
    path = f"/api/v1/tickets/{world.ticket().id}/advice"
    english, chinese = (
        client("agent", name=one).get(path, params={"language": one}).json() for one in ("en", "zh_Hans")
    )
    assert "cells have aged" in english["cause"]
    assert "电芯" in chinese["cause"]
    assert "<h2>" in english["article"]["html"]
    assert english["cases"]["count"] == 0


# -- on the customer's page


def shown(page: TestClient, token: str, lang: str = "en") -> str:
    answer = page.get(f"/c/{token}?lang={lang}")
    assert answer.status_code == 200
    return html.unescape(answer.text)


def press(page: TestClient, token: str, action: str) -> int:
    nonce = re.search(r'name="nonce" value="([^"]*)"', shown(page, token))
    assert nonce
    return page.post(
        f"/c/{token}", data={"nonce": nonce.group(1), "action": action}, follow_redirects=False
    ).status_code


def test_what_to_try_first_stands_on_the_page_and_its_answer_is_kept(client: Client, world: World, token: str) -> None:
    page = client()
    assert "Take fresh batteries" in shown(page, token)
    assert "您可以先尝试" in shown(page, token, "zh_Hans")
    assert press(page, token, "self_help_failed") == 303
    assert "did not help" in shown(page, token)
    number = world.ticket().id
    with world.database.reading() as connection:
        assert articles.answers(connection) == {"battery-fade": (0, 1)}
        wishes = [event.detail.get("wish") for event in tickets.events(connection, number)]
    assert "self_help_failed" in wishes


def test_a_device_is_asked_once_its_customer_allows_it(client: Client, world: World, token: str) -> None:
    page, number = client(), world.ticket().id
    assert "May we ask your device" not in shown(page, token)
    asked = client("agent").post(f"/api/v1/tickets/{number}/diagnosis-permission")
    assert asked.status_code == 200
    assert "May we ask your device" in shown(page, token)
    assert press(page, token, "diagnosis_allow") == 303
    with world.database.reading() as connection:
        assert permission.standing(connection, tickets.get(connection, number)) == permission.ALLOWED
        assert [one.consent for one in commands.list_commands(connection, device_id="lock-1")] == [f"ticket:{number}"]
    assert client("agent", name="again").post(f"/api/v1/tickets/{number}/diagnosis-permission").status_code == 409
