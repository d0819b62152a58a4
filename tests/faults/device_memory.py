"""``python -m tests.faults.device_memory``: what the native decoder and the count of gaps hold in memory for each admitted device."""

from __future__ import annotations

import gc
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from hearthwatch.values import Message
from hearthwatch.wire.registry import Decoder, conventions
from ingest.gaps import CountingDecoder, GapCounts, Gaps

DEVICES = 100_000
_SAMPLE = (
    '{{"fw":"2.4.1","boot":"b{0}","seq":1,"samples":[{{"at":"2026-05-01T00:00:00Z","m":{{"temperature_c":41.2}}}}]}}'
)


def held_bytes(boots: int) -> float:
    """Bytes for each device that was heard in so many boots; more than eight make no difference."""
    decoder = CountingDecoder(Decoder(conventions(("native",))), Gaps(GapCounts()))
    now = datetime.now(UTC)
    before = _memory()
    for device in range(DEVICES):
        for boot in range(boots):
            topic = f"hearthwatch/v1/device-{device:06d}"
            decoder.decode(Message(f"{topic}/telemetry", _SAMPLE.format(boot).encode(), now))
            decoder.decode(Message(f"{topic}/presence", f'{{"online":true,"boot":"b{boot}"}}'.encode(), now))
    decoder.changed()
    return (_memory() - before) / DEVICES


def _memory() -> int:
    gc.collect()
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    heard_in = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(json.dumps({"devices": DEVICES, "boots": heard_in, "bytes_each": round(held_bytes(heard_in))}))
