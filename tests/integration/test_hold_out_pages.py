"""Held-out findings in a real browser: on the finding, on the device, beside the policy, and the button that ends one."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.policy import versions as policy
from alerts.policy.file import default_text
from hearthwatch.records import findings, hold_outs
from hearthwatch.values import Finding
from tests.conftest import restore
from tests.integration.conftest import Server, opened
from tests.unit.alerts.world import World


@pytest.fixture
def quiet(server: Server) -> Finding:
    """A finding of which the customer is not told."""
    restore(server.database, server.empty)
    world = World(server.database, server.clock)
    world.home(devices_=["lock-1"])
    finding = world.stand("lock-1", kind="prognosis", severity="warning", probability=0.41)
    with server.database.transaction() as connection:
        text = f"{default_text()}\n[hold_out]\nshare = 0.05\n"
        added = policy.add_policy(connection, text, "ann", world.now)
        policy.set_mode(connection, added.version, "live", "ann", world.now)
        hold_outs.begin(connection, finding, "battery", share=0.05, policy_version=added.version, now=world.now)
    return finding


def photographed(page: Page, name: str) -> None:
    shots = os.environ.get("HEARTHWATCH_SCREENSHOTS")
    if shots:
        page.wait_for_timeout(800)
        page.screenshot(path=f"{shots}/{name}.png", full_page=True)


def test_an_agent_sees_on_the_device_that_a_finding_is_held_out_and_sends_it_now(
    server: Server, quiet: Finding, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/devices/lock-1")
    expect(page.get_by_text("Held out: one in twenty such findings is")).to_be_visible()
    photographed(page, "hold-out-device")
    page.get_by_role("link", name=f"finding {quiet.id}").click()
    expect(page.get_by_text("the customer is not told and no ticket opens")).to_be_visible()
    photographed(page, "hold-out-finding")
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("It was held out until")).to_be_visible()
    expect(page.get_by_role("button", name="Send now")).to_have_count(0)
    world = World(server.database, server.clock)
    assert world.apply()["tickets"] == 1
    with server.database.reading() as connection:
        assert "hold_out_ended" in [event.what for event in findings.events(connection, quiet.id)]


def test_the_policy_tells_what_was_learned_in_the_language_of_the_browser(
    server: Server, quiet: Finding, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/policy")
    expect(page.get_by_text("1 held out now, 0 ended early. None has come to its end yet.")).to_be_visible()
    photographed(page, "hold-out-policy")
    page = opened(browser, f"{server.url}/findings/{quiet.id}", language="zh-CN")
    expect(page.get_by_text("不通知客户，也不自动开工单")).to_be_visible()
    expect(page.get_by_role("button", name="立即发出")).to_be_visible()
