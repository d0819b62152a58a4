"""A maker's own topics through a real broker and ``hearthwatch up``, and what a wrong mapping file does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from hearthwatch.messaging import open_publisher
from hearthwatch.ports import Publisher
from tests.conftest import needed
from tests.mappings import EXAMPLE
from tests.platform_processes import ROOT, Installation, Role, wait

PLUG = "acme/AABBCC001122"
DEVICE = "aabbcc001122"
RIGHT, WRONG = '"$.wifi.rssi"', '"$.wlan.rssi"'


@pytest.fixture
def devices(mosquitto: str) -> Iterator[Publisher]:
    """Somebody who publishes as the maker's devices do."""
    publisher = open_publisher(mosquitto, client_id="devices")
    yield publisher
    publisher.close()


@pytest.fixture
def installation(mosquitto: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation on that broker whose mapping file is ours to change."""
    mapping = tmp_path / "acme.toml"
    mapping.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    made = Installation(tmp_path, broker=mosquitto, mappings=str(mapping))
    yield made
    made.close()


def told(role: Role, path: str) -> Any:
    answer = role.get(f"/api/v1{path}")
    return answer.json() if answer is not None and answer.status_code == 200 else {}


def published(devices: Publisher, kind: str, payload: Any, *, retain: bool = False) -> None:
    raw = payload if isinstance(payload, str) else json.dumps(payload)
    devices.publish(f"{PLUG}/{kind}", raw.encode(), retain=retain)
    devices.flush(30)


def latest(role: Role) -> dict[str, float]:
    return {one["metric"]: one["value"] for one in told(role, f"/devices/{DEVICE}/latest").get("items", [])}


def try_again_on_the_page(address: str) -> None:
    program = needed("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(30_000)
        page.goto(address)
        expect(page.get_by_text("1 held, 1 replayed, 0 discarded", exact=False)).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("0 held, 2 replayed, 0 discarded", exact=False)).to_be_visible(timeout=30_000)
        browser.close()


def command(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
    environment |= {f"HEARTHWATCH_{name.upper()}": value for name, value in installation.options.items()}
    given = [sys.executable, "-m", "hearthwatch", *words]
    return subprocess.run(given, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=90, check=False)


def test_a_wrong_mapping_ends_the_start_with_one_line_that_names_it(installation: Installation) -> None:
    mapping = Path(installation.options["mappings"])
    mapping.write_text(mapping.read_text().replace('"°F"', '"furlong"').replace(RIGHT, '"wifi"'))
    code, said = installation.role("all").result()
    assert code == 2
    (line,) = [one for one in said.splitlines() if not one.startswith("---")]
    table = "topics[1] (acme/{device}/state)"
    assert line.startswith(f"hearthwatch: {mapping}: {table} metrics.temperature_c.unit: 'furlong' is none of")
    assert f"; {table} metrics.rssi_dbm.path: a path begins with $" in line, "all that is wrong is named at once"


def test_a_makers_devices_are_seen_whole_and_a_mended_mapping_brings_back_what_was_held(
    installation: Installation, devices: Publisher
) -> None:
    mapping = Path(installation.options["mappings"])
    good = mapping.read_text()
    mapping.write_text(
        good.replace('filter = "acme/{device}/room_temperature"', 'filter = "acme/{device}/room"').replace(
            'reference_temperature_c = "$"', 'reference_temperature_c = "$.value"'
        )
    )
    running = installation.role("all")
    wait(running.ready, running)
    now = int(time.time() * 1000)
    published(devices, "status", "online", retain=True)
    published(devices, "info", {"model": "P2", "hw": "C", "fw": "2.4.1", "sn": "P2-0042"}, retain=True)
    published(devices, "state", {"mac": "AA:BB:CC:00:11:22", "ts": now - 60_000, "fw": "2.4.1", "t": 70.7, "up": 3600})
    published(devices, "state", {"ts": now, "fw": "2.4.1", "t": 212, "wifi": {"rssi": -61}, "up": 10, "rst": "WDT"})
    published(devices, "room", {"temperature": 21.5})
    wait(lambda: latest(running).get("temperature_c") == 100.0, running)
    wait(lambda: told(running, "/quarantine/counts").get("counts") == {"held": 1}, running)

    device = told(running, f"/devices/{DEVICE}")
    assert (device["model"], device["hardware"], device["serial"]) == ("ACME Plug 2", "C", "P2-0042")
    assert (device["firmware"], device["online"], device["convention"]) == ("2.4.1", True, "acme")
    assert latest(running) == {"temperature_c": 100.0, "rssi_dbm": -61.0, "uptime_s": 10.0}
    events = told(running, f"/devices/{DEVICE}/events")["items"]
    assert [(one["kind"], one["code"], one["detail"]) for one in events] == [("reboot", "watchdog", '{"reason":"WDT"}')]
    (held,) = told(running, "/quarantine")["items"]
    assert "no path of the metrics leads to a value: $.value" in held["reason"]

    mapping.write_text(mapping.read_text().replace('"$.value"', '"$.temperature"'))
    replayed = httpx.post(f"http://127.0.0.1:{running.port}/api/v1/quarantine/replay", timeout=60).json()["counts"]
    assert (replayed["replayed"], replayed["stored"], replayed["still_bad"]) == (1, 1, 0)
    assert latest(running)["reference_temperature_c"] == 21.5
    again = httpx.post(f"http://127.0.0.1:{running.port}/api/v1/quarantine/replay", timeout=60).json()["counts"]
    assert again == {"replayed": 0, "stored": 0, "duplicate": 0, "still_bad": 0}

    published(devices, "status", "offline", retain=True)
    wait(lambda: told(running, f"/devices/{DEVICE}").get("online") is False, running)
    published(devices, "room", {"temperature": 22.5})  # the ingestor has the old mapping until it starts anew
    wait(lambda: told(running, "/quarantine/counts")["counts"].get("held") == 1, running)
    try_again_on_the_page(f"http://127.0.0.1:{running.port}/quality")
    assert latest(running)["reference_temperature_c"] == 22.5

    published(devices, "room", {"temperature": 23.5})
    wait(lambda: told(running, "/quarantine/counts")["counts"].get("held") == 1, running)
    assert running.end()[0] == 0
    answer = command(installation, "quarantine", "replay", "--json")
    assert json.loads(answer.stdout) == {"replayed": 1, "stored": 1, "duplicate": 0, "still_bad": 0}
    assert json.loads(command(installation, "quarantine", "replay", "--json").stdout)["stored"] == 0
