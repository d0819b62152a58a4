"""Where a running platform listens, for other commands on this machine: its port may be another than the settings say (``up --port``)."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from hearthwatch.settings import Settings

LOG = logging.getLogger(__name__)
NAME = "platform.json"
"""The file in the data folder that tells it: the process, and the address it serves pages and API at."""


def tell(settings: Settings, url: str) -> None:
    """Write down where this process listens. A folder that can not be written is no reason not to serve."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _file(settings).write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
    except OSError as error:
        LOG.warning("other commands look for the platform where the settings have it: %s", error)


def forget(settings: Settings) -> None:
    """Take back what this process wrote; what another one wrote since stays."""
    if _told(settings).get("pid") == os.getpid():
        with suppress(OSError):
            _file(settings).unlink()


def of_running(settings: Settings) -> str | None:
    """The address of the platform that runs on the data folder; None where none says so, or the one that did has ended without a word."""
    told = _told(settings)
    pid, url = told.get("pid"), told.get("url")
    return url if isinstance(pid, int) and isinstance(url, str) and _lives(pid) else None


def _told(settings: Settings) -> dict[str, object]:
    try:
        told = json.loads(_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _file(settings: Settings) -> Path:
    return settings.data_dir / NAME


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another account's
    return True
