"""A letter that no channel serves, and a provider that is down, raise an alarm: doctor and Prometheus say so, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Unavailable
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import customers, outbox
from hearthwatch.records.database import open_database
from hearthwatch.run.checks import Check
from hearthwatch.run.doctor_delivery import check_delivery
from hearthwatch.run.metrics import PlatformMetrics
from hearthwatch.settings import Settings
from tests.unit.alerts.world import RecordingChannel, World

# Apprise looks for a module that newer Pythons do not have any more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def settings(tmp_path: Path, migrated: bytes) -> Settings:
    """Records, and one channel of one's own: sms."""
    (tmp_path / "records.sqlite3").write_bytes(migrated)
    return Settings(records=f"sqlite:///{tmp_path}/records.sqlite3", channels={"sms": "json://127.0.0.1:9/{to}"})


@pytest.fixture
def here(settings: Settings) -> Iterator[World]:
    """The same records, on this day: doctor looks at the time of this machine."""
    world = World(open_database(settings.records_address), SteppedClock(datetime.now(UTC)))
    yield world
    world.database.close()


def write(world: World, channel: str) -> None:
    """Three letters to Kim by a channel, tried once."""
    with world.database.transaction() as connection:
        customers.put_customer(connection, "c-1", name="Kim", channels=[f"{channel}:kim"])
        for number in range(3):
            outbox.put(
                connection,
                kind="letter",
                channel=channel,
                address=f"{channel}:kim",
                payload={"subject": "s", "text": "t", "html": ""},
                key=f"l:{channel}:{number}",
                now=world.now,
            )
    world.deliver()


def told(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in check_delivery(settings)}


def health(world: World, settings: Settings, store: TelemetryStore, channel: str) -> list[str]:
    """How Prometheus is told that a channel does, and the outcomes of its attempts."""
    registry = CollectorRegistry()
    PlatformMetrics(world.database, store, world.clock, channels=settings.channel_names).register(registry)
    samples = [sample for family in registry.collect() for sample in family.samples if sample.value]
    mine = [sample.labels for sample in samples if sample.labels.get("channel") == channel]
    return sorted(str(one.get("health") or one.get("outcome")) for one in mine if len(one) > 1)


def test_a_channel_that_the_settings_do_not_have_is_an_alarm(
    here: World, settings: Settings, store: TelemetryStore
) -> None:
    write(here, "wecom")
    check = told(settings)["channels.wecom"]
    assert (check.level, check.says[:8]) == ("no", "3 things")
    assert "hearthwatch outbox list --channel wecom" in check.remedy
    assert told(settings)["channels.customers"].level == "advice"
    assert health(here, settings, store, "wecom") == ["nomatch", "unknown"]


def test_a_provider_that_is_down_is_an_alarm_and_says_why(
    here: World, settings: Settings, store: TelemetryStore
) -> None:
    here.channels["sms"] = RecordingChannel("sms", [Unavailable("no route to it")] * 3)
    write(here, "sms")
    check = told(settings)["channels.sms"]
    assert (check.level, "no route to it" in check.says) == ("no", True)
    assert health(here, settings, store, "sms") == ["away", "open"]


def test_channels_that_do_well_raise_none(here: World, settings: Settings, store: TelemetryStore) -> None:
    here.channels["sms"] = RecordingChannel("sms")
    write(here, "sms")
    assert [check.level for check in told(settings).values()] == ["ok"]
    assert health(here, settings, store, "sms") == ["delivered", "well"]
