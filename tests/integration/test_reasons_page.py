"""Why a prognosis was made, on the pages of its finding and its ticket, in the language of the browser."""

from __future__ import annotations

import os
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hearthwatch.records import prognoses
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Finding
from tests.conftest import restore
from tests.integration.conftest import Server, opened
from tests.unit.alerts.world import NOON, World
from tests.unit.floor.test_reason_words import DECISION, RAISES

AGAINST: dict[str, Any] = {
    "text_key": "against",
    "values": {"reason": "age", "points": 1.2, "none": ["reboots"], "usual": ["radio_signal", "free_memory"]},
}
WORN: dict[str, Any] = {
    "text_key": "raises_risk",
    "reason": "use",
    "metric": "relay_cycles",
    "values": {"points": 6.0, "aspect": "level", "side": "higher", "share": 88, "peers": "model", "of": 31},
}


@pytest.fixture
def foretold(server: Server) -> Finding:
    """A lock whose relay will fail, with its finding and the ticket the policy opened for it."""
    restore(server.database, server.empty)
    world = World(server.database, server.clock)
    world.home(devices_=("lock-1",), version="2.4.1")
    world.technician(skills=("relay",), regions=("north",))
    world.policy("live")
    evidence = {
        "metrics": ["log_relay_contact_mohm", "relay_cycles"],
        "reasons": [{**RAISES, "values": {**RAISES["values"], "value": "63.2 mΩ"}}, WORN],  # type: ignore[dict-item]
        "against": AGAINST,
        "probable_part": "relay",
        "decision": DECISION,
        "probabilities": {"7": 0.21, "30": 0.64, "90": 0.8},
        "alarm": DECISION["threshold"],
        "day": "2026-04-30",
        "model_version": 3,
    }
    found = world.stand("lock-1", "relay_wear", kind="prognosis", probability=0.64, part="relay", evidence=evidence)
    world.run()
    return found


def kept(page: Page, name: str) -> None:
    """A picture for whoever asks for one."""
    shots = os.environ.get("HEARTHWATCH_SCREENSHOTS")
    if shots:
        page.wait_for_timeout(800)
        page.screenshot(path=f"{shots}/{name}.png", full_page=True)


def test_the_finding_says_why_why_not_which_part_and_what_was_weighed(
    server: Server, foretold: Finding, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/findings/{foretold.id}")
    expect(page.get_by_text("Contact resistance: higher than 97 % of the same model and firmware")).to_be_visible()
    expect(page.get_by_text("88 % of the same model (few run its firmware)")).to_be_visible()
    expect(
        page.get_by_text("Speaks against it: age lowers the 30-day risk by 1.2 points; no unexpected")
    ).to_be_visible()
    expect(page.get_by_text("Probable part: relay")).to_be_visible()
    expect(page.get_by_text("Acting saves about 31.46 EUR on average; flagged from 8 % on")).to_be_visible()
    kept(page, "finding")


def test_a_support_agent_reads_the_tickets_evidence_in_chinese(
    server: Server, foretold: Finding, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/tickets", language="zh-CN")
    page.locator("a[href^='/tickets/']").first.click()
    expect(page.get_by_text("触点电阻：高于同型号同固件设备中的 97%")).to_be_visible()
    expect(page.get_by_text("相反的迹象：使用年限使 30 天内的故障风险下降 1.2 个百分点")).to_be_visible()
    expect(page.get_by_text("可能的部件：继电器")).to_be_visible()
    kept(page, "ticket-zh")


def test_what_waits_for_the_weeks_budget_is_on_the_page_of_findings(
    server: Server, foretold: Finding, browser: Browser
) -> None:
    waiting = {**DECISION, "state": "waiting"}
    rows = [
        Prognosis("lock-1", "battery", NOON, 3, 0.1, 0.3, 0.6, None, [], decision={**waiting, "net_benefit": 12.0}),
        Prognosis("lock-1", "motor", NOON, 3, 0.1, 0.2, 0.6, None, [], decision={**waiting, "net_benefit": 25.5}),
    ]
    with server.database.transaction() as connection:
        prognoses.put(connection, rows)
    page = opened(browser, f"{server.url}/findings")
    expect(page.get_by_text("Waiting for the week's budget: 2")).to_be_visible()
    expect(page.get_by_text("25.50 EUR")).to_be_visible()
    kept(page, "findings")
