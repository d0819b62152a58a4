"""The pages of roll-outs as an engineer meets them, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from hearthwatch.records import audit
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, Server, opened
from tests.rolled_fleet import NEVER, RolledFleet, plan


@pytest.fixture
def fleet(server: Server) -> RolledFleet:
    """A fleet whose second wave is open, some devices of which failed."""
    restore(server.database, server.empty)
    fleet = RolledFleet(server.store, server.database, crashes=0.06)
    fleet.live(2, every=NEVER)
    fleet.roll_out(plan(0.3, 0.6, 1.0, success_share=0.6))
    fleet.live(9)
    assert fleet.now <= server.clock.now()
    return fleet


def test_an_engineer_pauses_a_roll_out_with_a_reason_and_finds_it_in_the_ledger(
    server: Server, fleet: RolledFleet, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/rollouts")
    expect(page.get_by_role("cell", name="2 of 3")).to_be_visible()
    page.get_by_role("link", name="lock 2.0").click()
    expect(page.get_by_role("status").get_by_text("Devices of open waves are offered the release.")).to_be_visible()
    expect(page.get_by_text("Wave 1 passed").first).to_be_visible()
    expect(page.get_by_text("it rebooted unexpectedly in 3 hours after the update").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("say why, in 1 to 300 letters")).to_be_visible()
    page.get_by_label("Reason").fill(f"support hears of dead locks {HOSTILE}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").get_by_text("Paused: support hears of dead locks")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    assert "harmed" not in page.title()
    rollout = fleet.rollout()
    with server.database.reading() as connection:
        (noted,) = audit.list_entries(connection, about=f"rollout:{rollout.id}")
    assert (noted.action, noted.actor) == ("rollout.pause", "local")


def test_without_a_roll_out_the_page_says_how_one_is_planned(server: Server, browser: Browser) -> None:
    restore(server.database, server.empty)
    page = opened(browser, f"{server.url}/rollouts")
    expect(page.get_by_text("No roll-outs yet")).to_be_visible()
    page.goto(f"{server.url}/rollouts/77")
    expect(page.get_by_text("77: no such roll-out")).to_be_visible()
