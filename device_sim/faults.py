"""Faults that develop: which device, which mode, from onset to failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from device_sim.scenario import FAULT_MODES_OF, FaultMode, Kind
from hearthwatch.failure_modes import MODES

NEVER = np.inf


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the device with this index in its kind. Times in Unix seconds."""

    kind: Kind
    index: int
    mode: FaultMode
    onset: float
    fails_at: float

    @property
    def part(self) -> str:
        """What has to be replaced."""
        return MODES[self.mode].part


@dataclass(frozen=True, slots=True)
class Severity:
    """How far each fault of a kind has come at one moment: per mode an array (n,) from 0 (healthy) to 1 (failed)."""

    by_mode: Mapping[str, np.ndarray]
    none: np.ndarray

    def of(self, mode: FaultMode) -> np.ndarray:
        """Severity of one mode, all zero when no device has it now."""
        return self.by_mode.get(mode, self.none)


class FaultTable:
    """The faults of one kind of device: at most one of each mode per device at a time."""

    def __init__(self, kind: Kind, devices: int) -> None:
        self._devices = devices
        self._none = np.zeros(devices)
        self._modes = FAULT_MODES_OF[kind]
        self._onset = {mode: np.full(devices, NEVER) for mode in self._modes}
        self._fails = {mode: np.full(devices, NEVER) for mode in self._modes}
        self._earliest = dict.fromkeys(self._modes, NEVER)

    def plant(self, fault: Fault) -> None:
        """Let a device develop a fault. One that it already has in this mode gives way."""
        self._onset[fault.mode][fault.index] = fault.onset
        self._fails[fault.mode][fault.index] = fault.fails_at
        self._refresh(fault.mode)

    def repair(self, index: int, part: str) -> None:
        """Take away every fault of a part, also one that has not begun."""
        for mode in self._modes:
            if MODES[mode].part == part:
                self._onset[mode][index] = self._fails[mode][index] = NEVER
                self._refresh(mode)

    def severity(self, at: float) -> Severity:
        """How far each has come."""
        by_mode: dict[str, np.ndarray] = {}
        for mode in self._modes:
            if at > self._earliest[mode]:
                begun = np.flatnonzero(self._onset[mode] < at)
                onset, fails = self._onset[mode][begun], self._fails[mode][begun]
                level = np.zeros(self._devices)
                level[begun] = np.minimum((at - onset) / np.maximum(fails - onset, 1.0), 1.0)
                by_mode[mode] = level
        return Severity(by_mode, self._none)

    def wrong_part(self, index: int, at: float) -> str | None:
        """The part that a technician who looks would find broken: the one whose fault has come furthest, None for a healthy device."""
        found = self.severity(at)
        begun = {mode: float(level[index]) for mode, level in found.by_mode.items() if level[index] > 0}
        return MODES[max(begun, key=lambda mode: begun[mode])].part if begun else None

    def _refresh(self, mode: FaultMode) -> None:
        self._earliest[mode] = float(self._onset[mode].min(initial=NEVER))


def developing(
    kind: Kind, mode: FaultMode, indices: Sequence[int], onsets: Sequence[float], spans: Sequence[float]
) -> list[Fault]:
    """Faults from parallel lists of device indices, onsets and seconds to failure."""
    return [
        Fault(kind, int(index), mode, float(onset), float(onset + span))
        for index, onset, span in zip(indices, onsets, spans, strict=True)
    ]


def spread(rng: Generator, low: float, high: float, count: int) -> list[float]:
    """``count`` values over [low, high], one in each of as many equal parts, in random order."""
    edges = low + (high - low) * (np.arange(count) + rng.random(count)) / max(1, count)
    return [float(value) for value in rng.permutation(edges)]
