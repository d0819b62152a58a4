"""The pages of standing comparisons in a real browser: the list, one of them with its evidence, and its end."""

from __future__ import annotations

import math
import os
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from hearthwatch.records import comparison_looks, comparisons, findings
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.comparisons import Comparison
from hearthwatch.values import Observation
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, Server, opened
from tests.unit.alerts.world import NOON

HOURS = 30
DETAIL: dict[str, Any] = {
    "kind": "rate",
    "unit": "reboots",
    "direction": "more",
    "basis": "exchangeable",
    "needed": 40.0,
    "margin": 1.05,
    "bounds": [0.8, 1.25],
    "strata": [{"hardware": "r1", "region": "north", "ratio": 2.6, "devices": [9, 20], "events": [8, 5], "share": 0.9}],
    "contributors": [{"device": "cam-1", "arm": "treatment", "events": 9.0, "expected": 1.25, "share": 0.2}],
    "decision": None,
}


@pytest.fixture
def asked(server: Server) -> Comparison:
    """A batch that reboots too often, a supplier whose name means harm, and the batch's finding."""
    restore(server.database, server.empty)
    since = NOON - timedelta(hours=HOURS)
    with server.database.transaction() as connection:
        comparisons.create(
            connection, model="camera-4", by="part:fan", treatment=HOSTILE, since=since, now=since, actor="ada"
        )
        bad = comparisons.create(
            connection, model="camera-4", by="batch", treatment="B7", since=since, now=since, actor="ada"
        )
        comparison_looks.append(connection, [seen(bad.id, hour) for hour in range(1, HOURS + 1)])
        evidence = {"name": "camera-4, batch B7", "metrics": ["unexpected_reboots"], "reasons": ["It reboots."]}
        observation = Observation("cohort", "group", f"comparison:{bad.id}", "reboots", "critical", NOON, evidence)
        findings.observe(connection, observation, relapse=timedelta(days=7))
    return bad


def seen(comparison: int, hour: int) -> ComparisonLook:
    why = "Devices on batch B7 reboot unexpectedly 2.40 times as often. This is an association: no device changed its batch."
    return ComparisonLook(
        comparison_id=comparison,
        metric="unexpected_reboots",
        at=NOON - timedelta(hours=HOURS - hour),
        verdict="worse" if hour > 24 else "too_early",
        why=why,
        e=math.exp(hour / 4 - 3),
        devices_treatment=100,
        devices_control=300,
        hours_treatment=hour * 100.0,
        hours_control=hour * 300.0,
        events_treatment=hour * 2.0,
        events_control=hour * 2.5,
        e_rate=math.exp(hour / 4 - 3),
        ratio=2.4,
        low=2.4 / (1 + 9 / hour),
        high=2.4 * (1 + 9 / hour),
        detail=DETAIL,
    )


def test_an_engineer_goes_from_the_list_to_the_evidence_and_ends_it(
    server: Server, asked: Comparison, browser: Browser
) -> None:
    page = opened(browser, f"{server.url}/comparisons")
    expect(page.get_by_role("link", name="Comparisons")).to_be_visible()
    expect(page.get_by_text("camera-4, fan's supplier <img")).to_be_visible()
    assert page.title() != "harmed"
    page.get_by_role("link", name="camera-4, batch B7").click()

    expect(page.get_by_text("What comes out is an association: no device changed its batch")).to_be_visible()
    expect(page.get_by_text("association: no device changed it", exact=True)).to_be_visible()
    expect(page.locator("section#unexpected_reboots canvas")).to_have_count(2)
    expect(page.get_by_text("r1 · north")).to_be_visible()
    shots = os.environ.get("HEARTHWATCH_SCREENSHOTS")
    if shots:
        page.wait_for_timeout(800)
        page.screenshot(path=f"{shots}/comparison.png", full_page=True)
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_role("button", name="End", exact=True)).to_have_count(0)
    with server.database.reading() as connection:
        assert comparisons.get(connection, asked.id).ended_at is not None


def test_the_finding_of_a_comparison_leads_to_its_page(server: Server, asked: Comparison, browser: Browser) -> None:
    page = opened(browser, f"{server.url}/findings")
    page.get_by_role("link", name="camera-4, batch B7").first.click()
    page.wait_for_url(f"**/comparisons/{asked.id}")


def test_a_comparison_that_is_not_there_is_a_sentence(server: Server, asked: Comparison, browser: Browser) -> None:
    page = opened(browser, f"{server.url}/comparisons/999")
    expect(page.get_by_text("no such comparison")).to_be_visible()


def test_without_any_the_page_says_how_to_ask(server: Server, browser: Browser) -> None:
    restore(server.database, server.empty)
    page = opened(browser, f"{server.url}/comparisons")
    expect(page.get_by_text("Ask by POST /api/v1/comparisons")).to_be_visible()
