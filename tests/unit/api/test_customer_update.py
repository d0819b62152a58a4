"""How an accepted update stands, as its owner reads it: sent, running, did not work; and the update of a security notice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from alerts import jobs
from hearthwatch.clock import SteppedClock
from hearthwatch.records import devices, update_installs
from hearthwatch.records.database import Database
from hearthwatch.records.devices import Sighting
from tests.unit.alerts.campaigns.conftest import advisory
from tests.unit.alerts.world import FIX, GOOD, World
from tests.unit.api.conftest import Client
from tests.unit.api.test_campaign_page import press, run


@pytest.fixture
def world(database: Database, clock: SteppedClock) -> World:
    """Noon; a lock of the native convention, online, that restarts by itself, and a release that fixes it."""
    clock.advance(timedelta(hours=12))
    world = World(database, clock)
    world.home(version=GOOD)
    with database.transaction() as connection:
        devices.see(connection, [Sighting("lock-1", world.now, GOOD, convention="native", online=True)])
    world.release(FIX, fixes=["reboots"])
    return world


@pytest.fixture
def page(client: Client) -> TestClient:
    return client()


@pytest.fixture
def token(world: World) -> str:
    """The link of the letter that offers the update."""
    world.policy()
    world.stand(mode="reboots", part="controller")
    world.run()
    return world.token()


def set_state(world: World, **changes: Any) -> None:
    with world.database.transaction() as connection:
        (one,) = update_installs.of_devices(connection, ["lock-1"])
        update_installs.change(connection, one, dict(changes))


def words(page: TestClient, token: str, lang: str = "en") -> str:
    return page.get(f"/c/{token}", params={"lang": lang}).text


def test_before_it_is_accepted_there_is_nothing_to_tell(page: TestClient, world: World, token: str) -> None:
    assert "Your update" not in words(page, token)


def test_the_page_says_how_it_stands(page: TestClient, world: World, token: str) -> None:
    assert "the update is on its way to your device" in press(page, token, "accept_update")
    at: Mapping[str, Any] = {"reported_at": world.now}
    for changes, english, chinese in (
        ({"state": "waiting"}, "waits for its turn", "正在排队"),
        (
            {"state": "running", **at},
            "has been running version 2.4.2 since May 1, 2026. We are keeping an eye",
            "我们正在观察",
        ),
        ({"state": "healthy"}, "and all is well", "一切正常"),
        ({"state": "cancelled"}, "is not installed for now", "暂不安装"),
        ({"state": "failed"}, "did not work", "未成功"),
    ):
        set_state(world, **changes)
        assert english in words(page, token)
        assert chinese in words(page, token, "zh-CN")
        assert "Thank you. The update is on its way" not in words(page, token), "what is said is how it stands now"


def test_a_device_that_is_away_is_not_said_to_install_anything(page: TestClient, world: World, token: str) -> None:
    with world.database.transaction() as connection:
        devices.see(connection, [Sighting("lock-1", world.now + timedelta(seconds=1), online=False)])
    world.pass_time(minutes=1)
    assert "as soon as the device can be reached" in press(page, token, "accept_update")


def test_what_did_not_work_can_be_tried_once_more(page: TestClient, world: World, token: str) -> None:
    assert "update_again" not in press(page, token, "accept_update")
    with world.database.transaction() as connection:
        from hearthwatch.records import commands

        (told,) = commands.list_commands(connection, kind="update")
        commands.end(connection, told.id, "failed", "no space")
    world.pass_time(hours=3)
    jobs.tend_commands(world.database, world.now, ask_devices=False)
    assert "Try it once more" in words(page, token)
    assert "the update is on its way" in press(page, token, "update_again")


def test_a_security_notice_s_update_is_installed_from_its_page(page: TestClient, world: World) -> None:
    link = run(world, advisory(), "advisory")
    shown = words(page, link)
    assert shown.index(f"Install version {FIX}") < shown.index("I do not have this device")
    assert not re.search(r"<section[^>]*>\s*</section>", shown)
    assert "the update is on its way" in press(page, link, "update_install")
    assert "update_install" not in words(page, link)
    (command,) = [item for item in world.outbox() if item.kind == "command"]
    assert re.search(r'"version":\s*"2\.4\.2"', command.payload["said"])


def test_a_link_that_offers_nothing_installs_nothing(page: TestClient, world: World, token: str) -> None:
    nonce = re.findall(r'name="nonce" value="([^"]+)"', words(page, token))[0]
    for action in ("update_install", "update_again"):
        assert page.post(f"/c/{token}", data={"nonce": nonce, "action": action}).status_code == 409
    assert not [item for item in world.outbox() if item.kind == "command"]
