"""The demo's command on a brief story, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

STORY = Path(__file__).with_name("story.toml")
SEED = 7

Answer = Mapping[str, Any]


def play(transport: str, *more: str, module: str = "hearthwatch") -> Answer:
    """What ``hearthwatch demo --once --json`` answers."""
    ran = demo(transport, *more, module=module)
    try:
        answer: Answer = json.loads(ran.stdout)
    except ValueError:
        pytest.fail(f"the demo gave no answer, exit {ran.returncode}: {ran.stderr[-2000:]}")
    return answer


def demo(transport: str, *more: str, module: str = "hearthwatch") -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    options = ("--once", "--json", "--seed", str(SEED), "--scenario", str(STORY), "--transport", transport)
    command = [sys.executable, "-m", module, "demo", *options, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=STORY.parents[2])


def story(answer: Answer) -> dict[str, Any]:
    """What must not depend on the machine."""
    return {name: value for name, value in answer.items() if name not in {"seconds", "job_seconds", "transport"}}


def verdicts(answer: Answer) -> dict[str, Any]:
    """What a story came out as, whoever was killed on the way."""
    return {name: answer[name] for name in ("planted", "firmware", "false", "notices", "tickets")}
