"""What the doctor says of roll-outs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.errors import Invalid
from hearthwatch.records import releases, rollouts
from hearthwatch.records.database import open_database
from hearthwatch.records.rollouts import Plan, Wave
from hearthwatch.run.checks import Check
from hearthwatch.run.doctor_rollouts import check_rollouts
from hearthwatch.settings import Settings
from tests.hawkbit_server import Hawkbit, hawkbit

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[Hawkbit]:
    with hawkbit() as its:
        its.plan(6, status="running", started=1)
        yield its
        assert (its.wrong, its.changes) == ([], [])


@pytest.fixture
def folder(tmp_path: Path, migrated: bytes) -> Path:
    """A platform with a roll-out that hawkBit deploys as its sixth."""
    (tmp_path / "records.sqlite3").write_bytes(migrated)
    database = open_database(f"sqlite:///{tmp_path}/records.sqlite3")
    with database.transaction() as connection:
        release = releases.create(connection, model="lock", version="2.0", released_at=NOW)
        plan = Plan((Wave(1, 1.0, 1, 1, 0.5),))
        given = {"service": "hawkbit", "service_id": "6", "by": "kim", "now": NOW}
        rollouts.create(connection, release_id=release.id, salt="s", plan=plan, **given)  # type: ignore[arg-type]
    database.close()
    return tmp_path


def examined(folder: Path, **options: Any) -> list[Check]:
    return list(check_rollouts(Settings(data_dir=folder, **options)))


def test_without_roll_outs_and_services_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert examined(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_answers_for_its_roll_out_is_well(folder: Path, server: Hawkbit) -> None:
    (check,) = examined(folder, rollout_service=server.address)
    assert (check.level, check.says) == ("ok", "hawkbit calls its roll-out 6 running")


def test_a_roll_out_that_nobody_could_pause_is_told(folder: Path, server: Hawkbit) -> None:
    (check,) = examined(folder)
    assert (check.level, "what is configured is none" in check.says) == ("no", True)
    server.rollouts.clear()
    (check,) = examined(folder, rollout_service=server.address)
    assert (check.level, check.says) == ("no", "hawkBit has no roll-out 6 (404)")


def test_an_address_or_a_secret_that_can_not_be_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        examined(tmp_path, rollout_service="hawk://gate:hunter2@x")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(Invalid, match="rollout_webhook_secret"):
        examined(tmp_path, rollout_webhook="https://x.example/", rollout_webhook_secret="short")
    (check,) = examined(tmp_path, rollout_webhook="x.example?token=hunter2")
    assert (check.level, "hunter2" in check.says) == ("no", False)


@pytest.mark.parametrize(("scheme", "level"), [("http", "advice"), ("https", "ok")])
def test_a_webhook_is_best_encrypted(tmp_path: Path, scheme: str, level: str) -> None:
    (check,) = examined(tmp_path, rollout_webhook=f"{scheme}://x.example/?t=hunter2", rollout_webhook_secret="x" * 32)
    assert (check.level, "hunter2" in check.says) == (level, False)
