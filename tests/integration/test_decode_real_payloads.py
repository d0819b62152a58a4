"""``hearthwatch decode`` over every message that others recorded, with all conventions and a maker's mapping on."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.mappings import EXAMPLE
from tests.platform_processes import ROOT
from tests.recorded_messages import by_file, printed

Answer = Mapping[str, Any]

COLUMNS = ("messages", "devices", "firmware", "presence", "metrics", "ignored", "errors")
EXPECTED = {
    "tasmota": (16, 1, 1, 1, 24, 0, 0),
    "shelly_gen1": (4, 2, 2, 0, 9, 0, 0),
    "shelly_gen2": (18, 9, 7, 0, 25, 2, 0),
    "homie": (29, 2, 1, 1, 1, 21, 1),
    "sparkplug": (8, 2, 1, 4, 14, 3, 0),
}
"""By convention: messages; different devices and firmware; presences; different metrics; messages ignored and refused.

The recordings of Shelly are answers over HTTP, which hold no presence; two of Gen2+ are a status alone, which names no firmware.
"""

WHY_IGNORED = {
    "shelly_gen2": {
        "an answer without a status: how the device is set up, or that a call was done",
        "the device refused a call of somebody else",
    },
    "homie": {
        "an attribute that holds nothing we measure",
        "a statistic that holds nothing we measure",
        "a property that no description told of yet",
    },
    "sparkplug": {"the death of a device whose edge node is gone already", "a command to a device"},
}
"""By convention, every reason to ignore a message that the recordings meet."""


@pytest.fixture(scope="module")
def collected() -> Path:
    named = os.environ.get("HEARTHWATCH_DATA")
    if not named or not (Path(named) / "mqtt-payloads").exists():
        pytest.skip("HEARTHWATCH_DATA has no MQTT payloads")
    return Path(named) / "mqtt-payloads"


@pytest.fixture(scope="module")
def answers(collected: Path) -> list[Answer]:
    """What the command makes of all of them, in one run, as a person would call it."""
    messages = [sample for samples in by_file(collected).values() for sample in samples]
    return decoded(messages)


def decoded(messages: list[tuple[str, bytes]]) -> list[Answer]:
    lines = [json.dumps({"topic": topic, "payload_base64": base64.b64encode(raw).decode()}) for topic, raw in messages]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_")}
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "decode", "--mapping", str(EXAMPLE)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    given = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(given) == len(messages), "one line out for each line in"
    return given


def counted(answers: list[Answer]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, Any]] = defaultdict(
        lambda: {
            "messages": 0,
            "devices": set(),
            "firmware": set(),
            "presence": 0,
            "metrics": set(),
            "ignored": 0,
            "errors": 0,
        }
    )
    for answer in answers:
        row = table[answer["convention"]]
        row["messages"] += 1
        row["ignored"] += answer["ignored"] is not None
        row["errors"] += answer["error"] is not None
        for value in answer["values"]:
            row["devices"].add(value["device"])
            row["firmware"] |= {value["fw"]} - {None} if "fw" in value else set()
            row["presence"] += value["type"] == "presence"
            row["metrics"] |= set(value.get("metrics", ()))
    return {
        name: {key: len(value) if isinstance(value, set) else value for key, value in row.items()}
        for name, row in table.items()
    }


def test_every_message_is_some_conventions_and_is_read_refused_or_ignored_for_a_reason(answers: list[Answer]) -> None:
    for answer in answers:
        assert answer["convention"] is not None
        assert bool(answer["values"]) + bool(answer["ignored"]) + bool(answer["error"]) == 1, answer


def test_devices_firmware_presence_and_metrics_come_of_every_family(answers: list[Answer]) -> None:
    expected = {name: dict(zip(COLUMNS, row, strict=True)) for name, row in EXPECTED.items()}
    assert counted(answers) == expected


def test_nothing_is_refused_but_what_is_no_message(answers: list[Answer]) -> None:
    refused = [(answer["convention"], answer["error"]) for answer in answers if answer["error"]]
    assert refused == [("homie", "not JSON: Expecting value: line 1 column 1 (char 0)")], (
        "the specification prints a note where the description would stand"
    )
    assert not any(answer["rejected"] for answer in answers if answer["values"]), "no part of a message is lost"


def test_what_is_ignored_has_a_reason_that_a_person_would_give_too(answers: list[Answer]) -> None:
    reasons: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer["ignored"]:
            reasons[answer["convention"]].add(answer["ignored"])
    assert dict(reasons) == WHY_IGNORED


def test_each_file_of_a_device_gives_something_of_it(collected: Path, answers: list[Answer]) -> None:
    place = 0
    for name, samples in by_file(collected).items():
        own, place = answers[place : place + len(samples)], place + len(samples)
        if "GetRemoteConfig" in name or "auth_failure" in name:
            assert not any(answer["values"] for answer in own), "a setting of another device, a refusal"
        else:
            assert any(answer["values"] for answer in own), name


def test_what_documentation_prints_is_read_as_well() -> None:
    kinds = Counter(value["type"] for answer in decoded(printed()) for value in answer["values"])
    assert kinds.keys() == {"reading", "event", "presence", "identity", "reply"}
