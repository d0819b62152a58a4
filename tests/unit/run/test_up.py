"""A start that fails: said once, by what was wrong."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.run import running, up, whereabouts
from hearthwatch.run.assembly import build_health
from hearthwatch.settings import Settings


def test_a_start_that_fails_says_only_what_was_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("nobody answers", where="broker")

    monkeypatch.setattr(up, "build_ingestor", away)
    monkeypatch.setattr(up, "build_api", build_health)  # a process has pages once, and other tests may have had them
    monkeypatch.setattr(up, "_end_in_time", lambda: None)  # it would end the tests
    monkeypatch.setattr(up, "_stop_on_signals", threading.Event)
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match="nobody answers"):
        up.run_up(Settings(data_dir=tmp_path, broker="local://nobody", port=0), "all")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_platform_at_another_port_than_the_settings_is_found_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    as_others_have_it = Settings(data_dir=tmp_path)

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            found.append(running.base_url(as_others_have_it))
            assert httpx.get(f"{found[-1]}/health").status_code == 200
            return True

    idle = SimpleNamespace(start=lambda: None, stop=lambda: None, health=lambda: {"ok": True})
    monkeypatch.setattr(up, "build_api", build_health)
    monkeypatch.setattr(up, "build_ingestor", lambda _platform: idle)
    monkeypatch.setattr(up, "_start_jobs", lambda _platform, _health: [])
    monkeypatch.setattr(up, "_end_in_time", lambda: None)
    monkeypatch.setattr(up, "_stop_on_signals", Stopping)
    up.run_up(Settings(data_dir=tmp_path, broker="local://nobody", port=0), "all")
    settled = "http://127.0.0.1:8080"
    assert found
    assert settled not in found
    assert running.base_url(as_others_have_it) == settled, "it has ended"


@pytest.mark.parametrize("left", ["", "[]", "{", '{"pid": 999999999, "url": "http://127.0.0.1:1"}', '{"pid": "x"}'])
def test_what_a_platform_left_that_was_killed_leads_nobody_astray(tmp_path: Path, left: str) -> None:
    (tmp_path / whereabouts.NAME).write_text(left)
    assert running.base_url(Settings(data_dir=tmp_path, port=8099)) == "http://127.0.0.1:8099"


def test_a_folder_that_can_not_be_written_keeps_no_platform_from_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "var"
    in_the_way.write_text("a file where the folder should be")
    settings = Settings(data_dir=in_the_way, port=8123)
    whereabouts.tell(settings, "http://127.0.0.1:9000")
    whereabouts.forget(settings)
    assert running.base_url(settings) == "http://127.0.0.1:8123"
    assert "where the settings have it" in caplog.text
