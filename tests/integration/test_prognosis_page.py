"""What the device's page says of its parts, in a browser, on a phone and on a wide screen."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from hearthwatch.records import devices, prognoses
from hearthwatch.records.devices import Sighting
from hearthwatch.records.prognoses import Prognosis
from tests.conftest import restore
from tests.integration.conftest import PHONE, WIDE, Server, opened
from tests.unit.alerts.world import NOON

RELAY = Prognosis(
    "plug-1",
    "relay",
    NOON,
    None,
    0.05,
    0.2,
    0.5,
    None,
    [{"text_key": "high", "text": "Its contact resistance is high"}],
    method="hazard",
    rul_method="wear",
    rul_p10=20.0,
    rul_p50=60.0,
    rul_p90=150.0,
    rul_cap=150.0,
)
MOTOR = Prognosis(
    "plug-1",
    "motor",
    NOON,
    None,
    0.01,
    0.04,
    0.11,
    None,
    [],
    method="survival",
    clock="lock_cycles",
    rul_method="survival",
    rul_p10=82.0,
    rul_p50=90.0,
    rul_p90=90.0,
    rul_cap=90.0,
)
RADIO = Prognosis("plug-1", "radio", NOON, None, None, None, None, "too short a history", [], method="hazard")
BATTERY = Prognosis(
    "plug-1",
    "battery",
    NOON,
    None,
    0.001,
    0.002,
    0.003,
    None,
    [],
    method="survival",
    clock="age",
    rul_abstained="older, or unlike anything the model has learned from",
    rul_method="wear",
)


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_a_device_page_says_what_fails_first_how_that_is_known_and_how_long_parts_last(
    server: Server, browser: Browser, size: dict[str, int]
) -> None:
    restore(server.database, server.empty)
    with server.database.transaction() as connection:
        devices.register(connection, [{"id": "plug-1", "model": "plug-x", "installed_at": NOON - timedelta(days=90)}])
        devices.see(connection, [Sighting("plug-1", NOON)])
        prognoses.put(connection, [RELAY, MOTOR, RADIO, BATTERY])
    page = opened(browser, f"{server.url}/devices/plug-1", size)
    expect(page.get_by_text("Probable part: relay. Within 30 days the device fails with 23.4")).to_be_visible()
    expect(page.get_by_text("Nothing is said of: radio.")).to_be_visible()
    expect(page.get_by_text("use alone (lock_cycles)")).to_be_visible()
    expect(page.get_by_text("Nothing is said: too short a history")).to_be_visible()
    expect(
        page.get_by_text("Most likely about 60 days; one in ten sooner than 20, some longer than 150.", exact=True)
    ).to_be_visible()
    expect(page.get_by_text("Most likely more than 90 days; one in ten sooner than 82.", exact=True)).to_be_visible()
    expect(page.get_by_text("Not said: older, or unlike anything the model has learned from.")).to_be_visible()
    expect(page.get_by_role("img", name="relay: Most likely about 60 days")).to_be_visible()
    if folder := os.environ.get("HEARTHWATCH_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"device-{size['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    page.context.close()
