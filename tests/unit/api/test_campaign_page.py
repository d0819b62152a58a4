"""A recall on its owner's page: the same in either language, choices that act once, and an end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from alerts import jobs
from alerts.campaigns import lifecycle
from hearthwatch.clock import SteppedClock
from hearthwatch.records.database import Database
from tests.unit.alerts.campaigns.conftest import advisory, recall
from tests.unit.alerts.world import BRAND, World
from tests.unit.api.conftest import Client


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    world = World(database, clock)
    world.home(1)
    return world


def run(world: World, content: dict[str, object], kind: str = "recall") -> str:
    """A campaign that runs and has been sent; the owner's token."""
    with world.database.transaction() as connection:
        made = lifecycle.draft(
            connection, reference="R-1", kind=kind, title="Fire", content=content, actor="ann", now=world.now
        )
        lifecycle.submit(connection, made.id, None, BRAND, "ann", world.now)
        lifecycle.approve(connection, made.id, None, BRAND, "ben", world.now)
    jobs.run_campaigns(
        world.database, world.now, brand=BRAND, public_url="http://hw.test", link_life=timedelta(days=30)
    )
    world.deliver()
    return world.token()


def press(page: TestClient, token: str, action: str) -> str:
    nonce = re.search(r'name="nonce" value="([^"]+)"', page.get(f"/c/{token}").text)
    assert nonce is not None
    answer = page.post(f"/c/{token}", data={"nonce": nonce.group(1), "action": action})
    assert answer.status_code in {200, 303}, answer.text
    return str(page.get(f"/c/{token}").text)


@pytest.fixture
def page(client: Client) -> TestClient:
    return client()


def test_the_page_says_what_the_letter_says_in_either_language(page: TestClient, world: World) -> None:
    token = run(world, recall())
    english, chinese = page.get(f"/c/{token}").text, page.get(f"/c/{token}?lang=zh_Hans").text
    for words in (
        "Product safety recall",
        "catch fire",
        "Stop using your SmartLock 2 immediately.",
        "I want my money back",
    ):
        assert words in english
    for words in ("产品安全召回", "电池可能过热并起火。", "请立即停止使用您的SmartLock 2。", "我要退款"):
        assert words in chinese
    assert "link below" not in english


def test_a_chosen_remedy_is_kept_said_back_and_becomes_a_ticket(page: TestClient, world: World) -> None:
    token = run(world, recall())
    shown = press(page, token, "campaign_refund")
    assert "You asked for your money back." in shown
    assert "campaign_refund" not in shown
    assert world.ticket().device_id == "lock-1"
    assert world.notice().answer == "refund"


def test_when_it_is_over_nothing_is_left_to_choose(page: TestClient, world: World) -> None:
    token = run(world, recall())
    with world.database.transaction() as connection:
        lifecycle.remedied(connection, 1, ["lock-1"], "repair", "ann", world.now)
    shown = page.get(f"/c/{token}").text
    assert "This is over for your device." in shown
    assert "campaign_" not in shown
    assert "repaired" in shown
    assert "Stop using" not in shown, "that is said to those who still have to"


def test_an_advisory_without_an_update_asks_whether_it_was_done(page: TestClient, world: World) -> None:
    token = run(world, advisory(fixed_version="", selection={"devices": ["lock-1"]}), "advisory")
    assert "Thank you. You told us" in press(page, token, "campaign_done")


def test_the_maker_s_words_are_words_and_nothing_else(page: TestClient, world: World) -> None:
    texts = {"en": {"hazard": "<script>alert(1)</script>", "what_to_do": "{0.__class__} %s"}}
    token = run(world, recall(texts=texts))
    shown = page.get(f"/c/{token}").text
    assert "<script>alert" not in shown
    assert "{0.__class__} %s" in shown
