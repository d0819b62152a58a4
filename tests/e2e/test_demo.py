"""The demo's story on a small fleet: same seed, same story, whatever carries it, and without a look at the truth.

On real servers it is told while processes are killed: `test_story_kill`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hearthwatch.telemetry import open_store
from hearthwatch.values import Reading
from tests.conftest import needed
from tests.e2e.telling import Answer, demo, play, story

pytestmark = pytest.mark.timeout(600)


def test_the_story_is_not_told_to_stores_that_hold_something(tmp_path: Path) -> None:
    address = f"duckdb:///{tmp_path / 'telemetry.duckdb'}"
    store = open_store(address)
    store.write([Reading("lock-1", "native", datetime(2026, 1, 1, tzinfo=UTC), {"battery_v": 3.0})])
    store.close()
    refused = demo("local", "--telemetry", address)
    assert refused.returncode == 2
    assert "empty stores only" in refused.stderr


def test_the_story_is_the_same_over_mosquitto_and_without_a_look_at_the_truth(local: Answer) -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    real = play("mosquitto", module="tests.e2e.blind_demo")
    assert (real["transport"], local["transport"]) == ("mosquitto", "local")
    assert story(real) == story(local)


def test_the_story_has_something_in_it(local: Answer) -> None:
    assert any(fault["found_at"] for fault in local["planted"])
    assert local["notices"]["replacement"] > 0
    assert local["tickets"]["closed"] > 0


def test_the_ledger_closes_and_what_was_sent_is_kept(local: Answer) -> None:
    ledger = local["ledger"]
    assert ledger["lost"] == 0
    assert ledger["quarantined"] > 0, "the fleet sends something unreadable on purpose"
    assert ledger["sent"] == ledger["stored"] + ledger["quarantined"]
