"""How much processor a process of the platform takes until it can begin, part by part: ``python -m tests.benchmarks.start``.

Each part is imported in three fresh processes; told is the least processor time of them (their own and the kernel's for them), in seconds.
The reference is what every role would import whatever it was written like.
"""

from __future__ import annotations

import os
import subprocess
import sys

PARTS = {
    "hearthwatch --help": "import sys; from hearthwatch.run.cli import run; sys.exit(run(['--help']))",
    "role ingest": "import hearthwatch.run.up",
    "role jobs": "import hearthwatch.run.up, hearthwatch.run.jobs, hearthwatch.run.schedule",
    "the API": "import api.app",
    "role api, with pages": "import hearthwatch.run.up, api.app, api.pages",
    "the reference": "import fastapi, sqlalchemy, pyarrow",
}
TIMES = 3


def seconds(code: str) -> float:
    """Processor time of a fresh process that runs some code."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print a line for each part."""
    for name, code in PARTS.items():
        seconds(code)  # compiles what was not compiled yet
        print(f"{name:24}{min(seconds(code) for _ in range(TIMES)):6.2f} s", flush=True)


if __name__ == "__main__":
    main()
