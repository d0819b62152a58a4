"""A recall and an advisory to try, in the world of the stage's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import jobs
from alerts.campaigns import lifecycle
from alerts.campaigns.progress import Progress, Standing, progress, standings
from hearthwatch.records import campaigns
from hearthwatch.records.campaigns import Campaign
from hearthwatch.values import Notice
from tests.unit.alerts.world import BRAND, MODEL, World

RECALL_TEXTS = {
    "en": {
        "hazard": "The battery can overheat and catch fire.\nYou can be badly burned.",
        "what_to_do": "Unplug the charger and put the lock outdoors.",
        "sold": "March to September 2025, by dealers in Germany",
        "find_number": "On the label inside the battery cover",
    },
    "zh_Hans": {
        "hazard": "电池可能过热并起火。\n您可能被严重烧伤。",
        "what_to_do": "拔下充电器，将门锁放到室外。",
        "sold": "2025年3月至9月由德国经销商销售",
        "find_number": "电池盖内侧的标签上",
    },
}
ADVISORY_TEXTS = {
    "en": {"what": "Anybody on the same network can open the lock.", "mitigation": "Switch off remote access."},
    "zh_Hans": {"what": "同一网络中的任何人都可以打开门锁。", "mitigation": "请关闭远程访问。"},
}


def recall(**more: Any) -> dict[str, Any]:
    """A recall that lacks nothing."""
    whole = {
        "selection": {"models": [MODEL]},
        "product": "SmartLock 2",
        "brand": "Acme",
        "picture_url": "https://acme.example/lock.png",
        "phone": "0800 123456",
        "texts": RECALL_TEXTS,
    }
    return whole | more


def advisory(**more: Any) -> dict[str, Any]:
    """An advisory that lacks nothing."""
    whole = {
        "selection": {"models": [MODEL], "firmware_below": "2.4.2"},
        "product": "SmartLock 2",
        "weaknesses": ["CVE-2026-12345"],
        "exploited": True,
        "fixed_version": "2.4.2",
        "texts": ADVISORY_TEXTS,
    }
    return whole | more


@dataclass
class Desk:
    """Two people who write and approve campaigns, and the job that sends them."""

    world: World

    def draft(self, content: Mapping[str, Any], *, kind: str = "recall", reference: str = "R-1") -> Campaign:
        with self.world.database.transaction() as connection:
            return lifecycle.draft(
                connection,
                reference=reference,
                kind=kind,
                title="Battery fire",
                content=content,
                actor="ann",
                now=self.world.now,
            )

    def submit(self, campaign: Campaign, actor: str = "ann") -> Campaign:
        with self.world.database.transaction() as connection:
            return lifecycle.submit(connection, campaign.id, None, BRAND, actor, self.world.now)

    def approve(self, campaign: Campaign, actor: str = "ben") -> Campaign:
        with self.world.database.transaction() as connection:
            return lifecycle.approve(connection, campaign.id, None, BRAND, actor, self.world.now)

    def close(self, campaign: Campaign) -> Campaign:
        with self.world.database.transaction() as connection:
            return lifecycle.close(connection, campaign.id, None, "all settled", "ann", self.world.now)

    def settle(self, campaign: Campaign, device: str, how: str) -> list[str]:
        with self.world.database.transaction() as connection:
            return lifecycle.remedied(connection, campaign.id, [device], how, "ann", self.world.now)

    def running(self, content: Mapping[str, Any] | None = None, **more: Any) -> Campaign:
        return self.approve(self.submit(self.draft(content or recall(), **more)))

    def send(self) -> Mapping[str, int]:
        life = timedelta(days=30)
        now, database = self.world.now, self.world.database
        return jobs.run_campaigns(database, now, brand=BRAND, public_url="http://hw.test", link_life=life)

    def deliver(self) -> None:
        """What the campaign asks for is written and arrives."""
        self.send()
        self.world.deliver()

    def standings(self, campaign: Campaign) -> list[Standing]:
        with self.world.database.reading() as connection:
            return standings(connection, campaigns.get(connection, campaign.id), self.world.now)

    def progress(self, campaign: Campaign) -> Progress:
        return progress(self.standings(campaign))

    def events(self, campaign: Campaign) -> list[str]:
        with self.world.database.reading() as connection:
            return [one.what for one in campaigns.events(connection, campaign.id)]

    def notices(self, kind: str) -> list[Notice]:
        return [one for one in self.world.notices() if one.kind == kind]

    def at(self, **much: float) -> datetime:
        return self.world.pass_time(**much)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)
