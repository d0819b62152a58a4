"""A line of JSON is complete and harmless: which process, what beside the message, one field for a traceback, and no secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from hearthwatch.run import logs

SECRETS = {
    "postgresql://hearthwatch:opensesame@db:5432/hearthwatch": "opensesame",
    "mailtos://care:opensesame@smtp.example.com?from=x": "opensesame",
    "influxdb://db:8086/o/b?token=opensesame": "opensesame",
    "Authorization: Bearer opensesame": "opensesame",
    "{'Authorization': 'Token opensesame'}": "opensesame",
    "password=opensesame rest": "opensesame",
    "token hw_opensesameopensesame refused": "hw_opensesame",
    "GET /c/eyJhbGciOiJIUzI1NiJ9.opensesame opened": "opensesame",
    "GET /r/opensesame-openses failed": "opensesame",
    "GET /r/follow/0123opensesameopensesame/photos/4 failed": "opensesame",
    "550 no such user <ada.lovelace@example.com>": "lovelace",
    "sms to +49 170 1234567 failed": "1234567",
}
HARMLESS = (
    "2026-11-26T14:00:00+00:00 the store is away: [Errno 111] Connection refused",
    "mqtt://127.0.0.1:1883: connected as hearthwatch-ingest by MQTT 5",
    "job policy failed: Unavailable: records: the records are away",
    "device lock-7c1e76d4: +12.5 dB, firmware 2.4.1+build7",
    "no password is set",
)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger whose lines are read again."""
    made = logging.getLogger("tests.logs")
    yield made
    logs._PROCESS.clear()


def line(record: logging.LogRecord) -> dict[str, Any]:
    text = logs.JsonLines().format(record)
    assert "\n" not in text
    answer: dict[str, Any] = json.loads(text)
    return answer


def record(message: str, *arguments: object, error: bool = False, **extra: object) -> logging.LogRecord:

    info = sys.exc_info() if error else None
    made = logging.LogRecord("ingest.runner", logging.WARNING, "x.py", 1, message, arguments, info)
    made.__dict__.update(extra)
    return made


def test_a_line_says_when_what_where_and_which_process(logger: logging.Logger) -> None:
    logs.identify(role="jobs", holder="host:7:ab")
    told = line(record("%d of %s", 3, "four", job="vitals", counts={"devices": 12}))
    assert datetime.fromisoformat(told.pop("time")).tzinfo is not None
    assert told == {
        "level": "warning",
        "logger": "ingest.runner",
        "message": "3 of four",
        "role": "jobs",
        "holder": "host:7:ab",
        "job": "vitals",
        "counts": {"devices": 12},
    }


def test_an_exception_is_one_field(logger: logging.Logger) -> None:
    try:
        raise ValueError("at mqtt://user:opensesame@broker")
    except ValueError:
        told = line(record("it broke", error=True))
    assert "Traceback" in told["exception"]
    assert "ValueError" in told["exception"]
    assert "opensesame" not in json.dumps(told)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_and_addresses_of_customers_stay_out(text: str) -> None:
    for shown in (
        json.dumps(line(record("failed: %s", text))),
        json.dumps(line(record("failed", detail=text, more={"a": [text]}))),
        logs.PlainLines("%(message)s").format(record("failed: %s", text)),
    ):
        assert SECRETS[text] not in shown
        assert "failed" in shown


@pytest.mark.parametrize("text", HARMLESS)
def test_the_rest_stays_as_it_is(text: str) -> None:
    assert logs.cleaned(text) == text


def test_what_is_no_json_is_text(logger: logging.Logger) -> None:
    assert line(record("x", place=object()))["place"].startswith("<object")
