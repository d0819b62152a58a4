"""A real browser and a real server of the pages, for the tests that look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from prometheus_client import CollectorRegistry

from api.app import ApiContext, create_app
from hearthwatch.clock import SteppedClock
from hearthwatch.ports import TelemetryStore
from hearthwatch.records.database import Database, open_database
from hearthwatch.run.server import WebServer
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from tests.conftest import image_of, needed
from tests.unit.alerts.world import NOON

HOSTILE = "<img src=x onerror=document.title='harmed'>"
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=20_000)
"""How long what is expected may take to appear, as for everything else a page is asked: a busy machine is slow, not wrong."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = needed("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@dataclass(frozen=True)
class Server:
    """What all tests share, because NiceGUI serves one application a process."""

    database: Database
    empty: bytes
    store: TelemetryStore
    clock: SteppedClock
    url: str


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    database, store, clock = open_database("sqlite://"), open_store("duckdb://"), SteppedClock(NOON)
    database.upgrade()
    context = ApiContext(
        database, store, clock, Settings(port=0, public_url="http://hw.test"), CollectorRegistry(), "a key of this test"
    )
    web = WebServer(create_app(context), "127.0.0.1", 0)
    web.start()
    yield Server(database, image_of(database), store, clock, web.url)
    web.stop()
    store.close()
    database.close()


def opened(
    browser: Browser, url: str, size: Mapping[str, int] = WIDE, *, javascript: bool = True, language: str = "en-GB"
) -> Page:
    """A new person's browser at an address."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]}, java_script_enabled=javascript, locale=language
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(url)
    return page
