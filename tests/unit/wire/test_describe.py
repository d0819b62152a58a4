"""What ``hearthwatch decode`` prints."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from hearthwatch.errors import Invalid
from hearthwatch.run.decoding import decode_lines, decode_one
from hearthwatch.wire.registry import conventions

ALL = ("native", "tasmota", "shelly_gen1", "shelly_gen2")


def lines(*given: Any) -> list[dict[str, Any]]:
    raw = b"\n".join(one if isinstance(one, bytes) else msgspec.json.encode(one) for one in given)
    out = io.StringIO()
    decode_lines(io.BytesIO(raw), conventions(ALL), out)
    return [msgspec.json.decode(line) for line in out.getvalue().splitlines()]


def test_every_line_gets_one_answer_whatever_it_holds() -> None:
    answers = lines(
        b"not json",
        {"payload": "no topic"},
        {"topic": 7},
        {"topic": "x", "payload_base64": "?"},
        {"topic": "hearthwatch/v1/a/telemetry", "payload_base64": "/w=="},
        {"topic": "nobody/knows", "payload": ""},
    )
    assert [answer["error"] is not None for answer in answers] == [True] * 5 + [False]
    assert answers[4]["convention"] == "native"
    assert answers[5]["ignored"]
    assert all(set(answer) >= {"convention", "values", "ignored", "error"} for answer in answers)


def test_values_are_spelled_out() -> None:
    at = "2026-05-01T12:00:00Z"
    root = "hearthwatch/v1/dev-1"
    answers = lines(
        {"topic": f"{root}/identity", "payload": {"model": "lamp", "fw": "2.4.1"}, "retain": True},
        {"topic": f"{root}/telemetry", "payload": {"samples": [{"at": at, "m": {"on": True}}]}},
        {"topic": f"{root}/event", "payload": {"at": at, "kind": "reboot", "code": "panic"}},
        {"topic": f"{root}/presence", "payload": '{"online": false}', "retain": 1},
        {"topic": f"{root}/reply", "payload": {"id": "c1", "ok": True, "at": at}},
    )
    values = [answer["values"][0] for answer in answers]
    assert [value["type"] for value in values] == ["identity", "reading", "event", "presence", "reply"]
    assert {value["device"] for value in values} == {"dev-1"}
    assert [value["fw"] for value in values[:4]] == ["2.4.1"] * 4
    assert values[1] | {"at": at, "metrics": {"on": 1.0}} == values[1]
    assert (values[2]["kind"], values[2]["code"]) == ("reboot", "panic")
    assert values[3]["online"] is False
    assert (values[4]["id"], values[4]["ok"]) == ("c1", True)
    assert all(answer["error"] is None and answer["ignored"] is None for answer in answers)


def test_a_message_of_which_everything_was_refused_says_why() -> None:
    (answer,) = lines({"topic": "hearthwatch/v1/a/telemetry", "payload": {"samples": [{"at": "noon", "m": {"a": 1}}]}})
    assert answer["values"] == []
    assert "samples[0]: not a time" in answer["error"]


def test_a_message_of_which_a_part_was_refused_is_no_error() -> None:
    samples = [{"at": "2026-05-01T12:00:00Z", "m": {"a": 1, "B": 2}}]
    (answer,) = lines({"topic": "hearthwatch/v1/a/telemetry", "payload": {"samples": samples}})
    assert answer["error"] is None
    assert answer["rejected"][0]["part"] == "samples[0].m"


def test_reasons_are_counted_out_only_so_far() -> None:
    samples = [{"at": "noon", "m": {"a": 1}}] * 100
    (answer,) = lines({"topic": "hearthwatch/v1/a/telemetry", "payload": {"samples": samples}})
    assert len(answer["error"]) < 1000
    assert len(answer["rejected"]) == 21
    assert sum(one["samples"] for one in answer["rejected"]) == 100


def test_one_message_is_printed_before_it_is_refused() -> None:
    out = io.StringIO()
    with pytest.raises(Invalid, match="UTF-8"):
        decode_one("hearthwatch/v1/a/telemetry", b"\xff", conventions(ALL), out, as_json=True)
    assert msgspec.json.decode(out.getvalue())["error"] == "not UTF-8"
