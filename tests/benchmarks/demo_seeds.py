"""Plays the demo for several seeds over every transport this machine has; ends with 1 when one story came out wrong.

``python tests/benchmarks/demo_seeds.py 1 2 3``
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hearthwatch.run.broker import find_mosquitto


def play(seed: str, transport: str) -> Mapping[str, Any]:
    """One demo in a process of its own; a run that printed no answer counts as failed."""
    command = [
        sys.executable,
        "-m",
        "hearthwatch",
        "demo",
        "--once",
        "--json",
        "--seed",
        seed,
        "--transport",
        transport,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: Mapping[str, Any] = json.loads(run.stdout)
    except ValueError:
        return {"passed": False, "failures": [run.stderr.strip()[-400:] or f"exit {run.returncode}"]}
    return answer


def line(seed: str, transport: str, answer: Mapping[str, Any]) -> str:
    """What a person wants to know of one run."""
    if "false" not in answer:
        return f"{seed:>5}  {transport:<10}  FAILED  {answer['failures']}"
    false, firmware = answer["false"], answer["firmware"]
    found = sum(fault["found_at"] is not None for fault in answer["planted"])
    leads = sorted(fault["lead_days"] for fault in answer["planted"] if fault["lead_days"] is not None)
    middle = f"{leads[len(leads) // 2]:.1f}" if leads else "-"
    return (
        f"{seed:>5}  {transport:<10}  {'passed' if answer['passed'] else 'FAILED'}  "
        f"faults {found}/{len(answer['planted'])} (median lead {middle} d)  release {firmware['verdict']}  "
        f"false {false['devices']}/{false['allowed']}  {answer['seconds']:.0f} s  {'; '.join(answer['failures'])}"
    )


def main(seeds: Sequence[str]) -> int:
    """Play them all."""
    transports = ["mosquitto", "local"] if find_mosquitto() else ["local"]
    wrong = 0
    for transport in transports:
        for seed in seeds:
            answer = play(seed, transport)
            wrong += not answer["passed"]
            print(line(seed, transport, answer), flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{len(seeds) * len(transports) - wrong} passed, {wrong} failed; largest run {peak:.0f} MiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["1"]))
