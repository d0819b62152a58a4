"""The order of things for one device within a step: samples, reboots, updates, each on the firmware and boot it happened on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from device_sim.outages import Outage
from device_sim.uplink import Metrics, Report, Sample


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a device reports as an event, at an instant (Unix seconds). ``version`` is set where it starts another firmware."""

    at: float
    kind: str
    code: str
    detail: Mapping[str, Any]
    version: str | None = None


Item = Sample | Report


@dataclass(frozen=True, slots=True)
class Running:
    """What a device runs: firmware, and how often it has booted."""

    firmware: str
    boots: int

    @property
    def boot(self) -> str:
        """The boot's name on the wire."""
        return f"b{self.boots}"


def lived(
    before: Running,
    happenings: Sequence[Happening],
    samples: Sequence[tuple[float, Metrics, bool]],
    blackout: Outage | None,
) -> tuple[list[Item], Running]:
    """Merge the happenings of one device with its samples (instant, metrics, dead) in order of time.

    What a dead device measures, and what falls into a ``blackout``, is not reported, though its boots count. Gives the items and what runs
    at the end.
    """
    items: list[Item] = []
    queue = sorted(happenings, key=lambda happening: happening.at)
    running, taken = before, 0
    for at, metrics, dead in samples:
        while taken < len(queue) and (queue[taken].at <= at or at == samples[-1][0]):
            happening, taken = queue[taken], taken + 1
            if happening.kind == "reboot":
                running = Running(happening.version or running.firmware, running.boots + 1)
            if not dead and not _in(blackout, happening.at):
                items.append(_report(happening, min(happening.at, samples[-1][0]), running))
        if not dead and not _in(blackout, at):
            items.append(Sample(datetime.fromtimestamp(at, UTC), metrics, running.firmware, running.boot))
    return items, running


def _in(blackout: Outage | None, at: float) -> bool:
    return blackout is not None and blackout.covers(at)


def _report(happening: Happening, at: float, running: Running) -> Report:
    instant = datetime.fromtimestamp(at, UTC)
    return Report(instant, happening.kind, happening.code, happening.detail, running.firmware, running.boot)
