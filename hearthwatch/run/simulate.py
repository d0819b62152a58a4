"""``hearthwatch sim``: a fleet that publishes to any broker until it is told to end."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

from device_sim.live import run_sim
from hearthwatch.addresses import masked

LOG = logging.getLogger(__name__)


def run_simulation(
    broker: str, *, devices: int, rate: float, seed: int, scenario: Path | None, convention: str
) -> None:
    """Publish until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    LOG.info("%s devices speak %s to %s, %s messages a second, until Ctrl-C", devices, convention, masked(broker), rate)
    run_sim(broker, devices=devices, rate=rate, seed=seed, scenario=scenario, convention=convention, stop=stop)
