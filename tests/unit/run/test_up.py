"""A start that fails: said once, by what was wrong."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.run import up
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
