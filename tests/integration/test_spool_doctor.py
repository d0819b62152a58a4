"""What the doctor says of the spool."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.run.checks import Check
from hearthwatch.run.doctor_spool import check_spool
from hearthwatch.settings import Settings
from hearthwatch.values import Message
from ingest.spool import DAMAGED, Spool, SpoolBounds
from ingest.spools import folder_of


def settings_for(tmp_path: Path, **options: Any) -> Settings:
    return Settings(data_dir=tmp_path, **{"spool_free_share": 0.0, "spool_free_bytes": 0, **options})


def told(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in check_spool(settings)}


def fill(tmp_path: Path, age: timedelta) -> None:
    spool = Spool(folder_of(tmp_path, "ingest-0"), SpoolBounds(free_share=0.0, free_bytes=0))
    spool.append([Message("t", b"x", datetime.now(UTC) - age)])
    spool.close()


def test_a_disk_without_room_for_the_spool_is_unfit(tmp_path: Path) -> None:
    check = told(settings_for(tmp_path, spool_free_bytes=1 << 60))["spool"]
    assert check.level == "no"
    assert "nothing will be acknowledged" in check.says
    assert "spool_free_bytes" in check.remedy


def test_a_spool_that_is_nearly_full_is_unfit(tmp_path: Path) -> None:
    fill(tmp_path, timedelta(0))
    assert told(settings_for(tmp_path, spool_max_bytes=40))["spool"].level == "no"


def test_what_waits_is_said_and_is_unfit_when_it_waits_too_long(tmp_path: Path) -> None:
    fill(tmp_path, timedelta(hours=2))
    checks = told(settings_for(tmp_path, spool_max_bytes=1 << 20))
    assert checks["spool"].level == "ok"
    assert checks["spool.ingest-0"].level == "advice"
    assert "1 messages wait" in checks["spool.ingest-0"].says
    assert told(settings_for(tmp_path, spool_max_age_s=3600))["spool.ingest-0"].level == "no"


def test_what_was_set_aside_is_said_with_its_place(tmp_path: Path) -> None:
    fill(tmp_path, timedelta(0))
    aside = folder_of(tmp_path, "ingest-0") / DAMAGED / "0000000009.segment"
    aside.write_bytes(b"x" * 1234)
    says = [check for check in check_spool(settings_for(tmp_path)) if "set aside" in check.says]
    assert "1,234 bytes" in says[0].says
    assert str(aside.parent) in says[0].remedy


def test_without_a_spool_it_says_what_that_means(tmp_path: Path) -> None:
    check = told(settings_for(tmp_path, spool_max_bytes=0))["spool"]
    assert (check.level, "nothing is acknowledged" in check.says) == ("advice", True)
