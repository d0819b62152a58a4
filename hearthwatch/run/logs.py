"""Logs go to standard error, as text or as one JSON object a line. Secrets and customers' addresses never enter them."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_NOISY = (
    "apscheduler", "httpx", "httpx2", "httpcore", "alembic", "nicegui", "uvicorn.access", "uvicorn.error", "engineio", "socketio",
)  # fmt: skip
_OF_EVERY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_PROCESS: dict[str, str] = {}

# Code that logs keeps them out; these catch what other people's libraries put into their messages.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^\s/@]+@"), "***@"),  # who signs in, in an address
    (re.compile(r"\bhw_[A-Za-z0-9_-]{8,}"), "hw_***"),  # tokens of ours
    (re.compile(r"(?<=/c/)[A-Za-z0-9_.-]{8,}"), "***"),  # customers' links
    (re.compile(r"(/r/(?:follow/)?)(?!follow/)[A-Za-z0-9_-]{8,}"), r"\1***"),  # codes on devices, links to reports
    (
        re.compile(
            r"(?i)((?:token|password|secret|authorization)[\"']?\s*[=:]\s*[\"']?(?:bearer |token )?)[^\s\"'&,]+"
        ),
        r"\1***",
    ),
    (re.compile(r"(?<![\w*])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "***@***"),  # mail addresses
    (re.compile(r"(?<![\w.:-])\+\d[\d ()/-]{6,}\d"), "+***"),  # phone numbers
)


def identify(**process: str) -> None:
    """Say on every further line of JSON which process speaks: its role and holder."""
    _PROCESS.update(process)


def cleaned(text: str) -> str:
    """A text without passwords, tokens, customers' links and addresses."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class PlainLines(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and its traceback where there is one."""
        return cleaned(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, which process, what the record carries beside, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": cleaned(record.getMessage()),
            **_PROCESS,
        }
        for name, value in record.__dict__.items():
            if name not in _OF_EVERY_RECORD and name not in line and not name.startswith("_"):
                line[name] = _plain(value)
        if record.exc_info:
            line["exception"] = cleaned(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=lambda value: cleaned(str(value)))


def _plain(value: object) -> object:
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    return value


def configure(level: str, form: str) -> None:
    """Send the logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    plain = PlainLines("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonLines() if form == "json" else plain)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
