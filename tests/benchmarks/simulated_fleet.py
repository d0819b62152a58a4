"""What the simulated fleet costs: living and encoding the demo's story, and writing the past. Prints one JSON line; asserts nothing.

.venv/bin/python tests/benchmarks/simulated_fleet.py [SEED]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from device_sim.fleet import Fleet
from device_sim.history import write_history
from device_sim.scenario import load_scenario


def main(seed: int) -> None:
    """Live through the default scenario once, and write its past once."""
    scenario = load_scenario(None)
    began, cpu = time.perf_counter(), time.process_time()
    fleet = Fleet(scenario, seed)
    messages = fleet.hello()
    sent, size, now = len(messages), sum(len(payload) for _, payload, _ in messages), scenario.start
    for _ in range(round(scenario.days * 24 / scenario.step_hours)):
        now += scenario.step
        messages = fleet.step(now)
        sent += len(messages)
        size += sum(len(payload) for _, payload, _ in messages)
    lived, lived_cpu = time.perf_counter() - began, time.process_time() - cpu
    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), scenario, seed)
    answer = {
        "devices": fleet.size,
        "samples": fleet.samples_sent,
        "messages": sent,
        "megabytes": round(size / 1e6, 1),
        "fleet_seconds": round(lived, 1),
        "fleet_cpu_seconds": round(lived_cpu, 1),
        "history_seconds": round(time.perf_counter() - began, 1),
        "history_cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
