"""The pages of trained models in a real browser: the list with its decisions, and a card with its race and its drift."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hearthwatch.records import model_looks, model_versions
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.records.model_versions import Because
from tests.conftest import restore
from tests.integration.conftest import HOSTILE, PHONE, WIDE, Server, opened
from tests.unit.alerts.world import NOON

NAME = "hazard/plug-x/relay"
CARD: dict[str, Any] = {
    "model": "plug-x",
    "part": "relay",
    "method": "discrete-time hazard, gradient-boosted trees",
    "horizons_days": [7, 30, 90],
    "data_from": "2025-09-01",
    "data_until": "2026-04-30",
    "devices": 1200,
    "device_days": 250_000,
    "rows": 61_234,
    "failures": 84,
    "failures_per_crowd": 1.3,
    "features": ["relay_contact_mohm:mean_7", "age:days"],
    "calibration": {
        "7": {"kind": "intercept", "independent_failures": 41.5},
        "30": {"kind": "intercept", "independent_failures": 41.5},
        "90": {"kind": "intercept", "independent_failures": 0.0, "taken_from_days": 30},
    },
    "evaluation": {
        "cut": "2026-02-14",
        "failing_devices": 45,
        "test": {"average_precision": 0.42, "auc": 0.91, "brier": 0.011, "rows": 4000},
        "unseen_devices": {"average_precision": 0.38, "auc": 0.9, "brier": 0.012},
        "baseline": {"average_precision": 0.05, "auc": 0.61, "brier": 0.014},
        "observed_expected": {"ratio": 1.06, "low": 0.76, "high": 1.44, "independent_failures": 41.5},
        "reliability": [
            {"from": 0.0, "to": 0.001, "rows": 3000, "failing_devices": 2, "said": 0.0006, "came": 0.0007},
            {"from": 0.3, "to": 1.0, "rows": 210, "failing_devices": 33, "said": 0.61, "came": 0.64},
        ],
    },
    "beats_age_alone": True,
    "intended_use": "Ranks devices by how likely this part fails.",
    "limits": ["A reason is no proven cause.", HOSTILE],
    "provenance": {
        "hearthwatch": "0.9",
        "commit": "ab" * 20,
        "python": "3.11.9",
        "libraries": {"numpy": "2.4", "scikit-learn": "1.9"},
    },
}


@pytest.fixture
def known(server: Server) -> tuple[int, int]:
    """A champion of two months, one that was demoted before it, and a challenger that races."""
    restore(server.database, server.empty)
    with server.database.transaction() as connection:
        ids = [
            model_versions.register(
                connection,
                NAME,
                trained_at=NOON - timedelta(days=days),
                card=CARD,
                artifact=b"none",
                role=role,
                why="trained",
            ).id
            for days, role in ((90, "champion"), (60, "champion"), (30, "challenger"))
        ]
        because = Because(NOON - timedelta(days=50), "watch", "7 of 8 visits found no fault", {"e": 31.0})
        model_versions.demote(connection, ids[1], because)
        looks = [
            ModelLook(NAME, version, kind, NOON - timedelta(days=day), e, detail)
            for day in range(20)
            for version, kind, e, detail in (
                (
                    ids[0],
                    "calibration",
                    1.5 - day / 20,
                    {"horizons": {"30": month(40 - day)}, "by_firmware": FIRMWARES},
                ),
                (ids[0], "scores", 0.4 + day / 10, {}),
                (ids[0], "no_fault", 0.3, {"visits": 9, "no_fault": 2}),
                (
                    ids[2],
                    "race",
                    12.0 - day / 2,
                    {"e_better": 12.0 - day / 2, "e_worse": 0.1, **RACE, "against": ids[0]},
                ),
            )
        ]
        moved = {"column": "relay_contact_mohm:mean_7", "psi": 0.31, "js": 0.2}
        firmware = {"2.4.1": {"devices": 400, "columns": [moved]}}
        detail = {"devices": 1200, "columns": [moved], "by_firmware": firmware}
        looks.append(ModelLook(NAME, ids[0], "features", NOON, None, detail))
        model_looks.append(connection, looks)
    return ids[0], ids[2]


FIRMWARES = [
    {"firmware": "2.4.0", "labels": 4400, "observed": 33, "expected": 34.0},
    {"firmware": "2.4.1", "labels": 400, "observed": 7, "expected": 3.4},
]


def month(observed: int) -> dict[str, Any]:
    return {"labels": 4800, "observed": observed, "expected": 37.4, "e_more": 1.0, "e_less": 0.2}


RACE = {
    "rows": 9000,
    "devices": 1180,
    "failing": 31,
    "loss_champion": 0.0312,
    "loss_challenger": 0.0287,
    "precision_champion": 0.5,
    "precision_challenger": 0.55,
}


def photograph(page: Page, name: str) -> None:
    """For a person to look at, where ``HEARTHWATCH_SCREENSHOTS`` names a folder."""
    folder = os.environ.get("HEARTHWATCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_without_models_the_page_says_what_to_do(server: Server, browser: Browser) -> None:
    restore(server.database, server.empty)
    page = opened(browser, f"{server.url}/models")
    expect(page.get_by_text("No model has been trained yet.")).to_be_visible()


def test_the_list_tells_who_works_and_what_was_decided(
    server: Server, browser: Browser, known: tuple[int, int]
) -> None:
    page = opened(browser, f"{server.url}/models")
    expect(page.get_by_text("7 of 8 visits found no fault")).to_be_visible()
    expect(page.get_by_text("demoted").first).to_be_visible()
    expect(page.get_by_role("link", name="Models")).to_be_visible()
    photograph(page, "models")
    page.get_by_role("link", name=NAME).first.click()
    expect(page.get_by_text("Its race")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_card_tells_what_a_model_is_worth_and_harms_nobody(
    server: Server, browser: Browser, known: tuple[int, int], size: dict[str, int]
) -> None:
    page = opened(browser, f"{server.url}/models/{known[0]}", size)
    for text in (
        "What not to conclude from it",
        "0.76 to 1.44",
        "40",
        "2 of 9",
        "much",
        "Firmware 2.4.1",
        "restored",
        "Said",
    ):
        expect(page.get_by_text(text).first).to_be_attached()
    expect(page.get_by_role("img", name="Evidence against the model over time")).to_be_visible()
    assert page.title().startswith("Model")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    photograph(page, f"model-{size['width']}")
    other = opened(browser, f"{server.url}/models/{known[1]}", size)
    expect(other.get_by_text("31 of which failed")).to_be_visible()
    photograph(other, f"challenger-{size['width']}")


def test_a_person_makes_a_challenger_the_champion_and_has_to_say_why(
    server: Server, browser: Browser, known: tuple[int, int]
) -> None:
    # what is stored in this test is no model: the page offers nothing until it is one
    page = opened(browser, f"{server.url}/models/{known[1]}")
    expect(page.get_by_text("It cannot be used:")).to_be_visible()
    expect(page.get_by_role("button", name="Make it the champion")).to_have_count(0)


def test_the_card_can_be_taken_along(server: Server, browser: Browser, known: tuple[int, int]) -> None:
    page = opened(browser, f"{server.url}/models/{known[0]}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Card (Markdown)").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith(f"# {NAME}, version {known[0]}")
    assert "| Observed / expected | 1.06 (95 % 0.76 to 1.44; 41.5 independent failures) |" in text
    assert "demoted by watch: 7 of 8 visits found no fault" in text
    assert "<img" not in text
