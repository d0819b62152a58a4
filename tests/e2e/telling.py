"""The demo's command on a brief story."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hearthwatch.run.demo import DemoOptions, run_demo

STORY = Path(__file__).with_name("story.toml")
SEED = 1

Answer = Mapping[str, Any]


def play(transport: str, *, telemetry: str | None = None, records: str | None = None) -> Answer:
    """What ``hearthwatch demo --once --json`` answers."""
    options = DemoOptions(
        devices=None,
        days=None,
        seed=SEED,
        once=True,
        transport=transport,
        scenario=STORY,
        port=0,
        as_json=True,
        telemetry=telemetry,
        records=records,
    )
    printed = io.StringIO()
    with redirect_stdout(printed):
        run_demo(options)
    answer: Answer = json.loads(printed.getvalue())
    return answer


def story(answer: Answer) -> dict[str, Any]:
    """What must not depend on the machine."""
    return {name: value for name, value in answer.items() if name not in {"seconds", "job_seconds", "transport"}}


def verdicts(answer: Answer) -> dict[str, Any]:
    """What a story came out as, whoever was killed on the way."""
    return {name: answer[name] for name in ("planted", "firmware", "false", "notices", "tickets")}
