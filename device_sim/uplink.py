"""What the devices of one kind put on the wire, and how many samples of the ledger that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.random import Generator

from device_sim.population import Population
from hearthwatch.values import Event, Identity, Presence, Reply
from hearthwatch.wire import native

Message = tuple[str, bytes, bool]
"""Topic, payload, retained."""

Metrics = Mapping[str, Any]

PARTS: Mapping[str, Mapping[str, str]] = {
    "lock": {"battery": "4 x LR6", "motor": "M14-6V", "radio": "W60", "controller": "C3"},
    "plug": {"relay": "16A-05", "radio": "W60", "controller": "C3"},
    "thermostat": {"sensor": "T40", "radio": "W60", "controller": "C6"},
    "camera": {"camera": "V20", "radio": "W65", "controller": "A35"},
}

DECIMALS: Mapping[str, int] = {
    "battery_v": 3,
    "power_w": 1,
    "apparent_power_va": 1,
    "power_factor": 2,
    "voltage_v": 1,
    "current_a": 3,
    "energy_kwh": 4,
    "relay_contact_mohm": 2,
    "actuation_s": 3,
    "motor_current_a": 3,
    "temperature_c": 2,
    "reference_temperature_c": 2,
    "device_temperature_c": 1,
    "humidity_pct": 1,
    "setpoint_c": 1,
    "heating_on": 3,
    "frame_rate_fps": 2,
    "illuminance_lux": 1,
    "load_average": 2,
}
"""Decimal places that a device sends; a metric that is not named is sent in whole numbers."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one device measured at an instant, with the firmware and the boot it measured it on."""

    at: datetime
    metrics: Metrics
    firmware: str
    boot: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something that happened, with the firmware and the boot it is reported on."""

    at: datetime
    kind: str
    code: str
    detail: Mapping[str, Any]
    firmware: str
    boot: str


def rounded(values: np.ndarray, names: Sequence[str], finer: int = 0) -> np.ndarray:
    """Values as the devices send them, or to ``finer`` more decimal places; the last axis runs over the metrics."""
    scale = np.array([10.0 ** (DECIMALS.get(name, 0) + finer) for name in names])
    sent: np.ndarray = np.rint(values * scale) / scale
    return sent


class Uplink:
    """Numbers and counts the messages of one kind of device. ``samples_sent`` counts a message that goes twice once."""

    def __init__(self, population: Population, rng: Generator, duplicate_share: float) -> None:
        self._population = population
        self._rng = rng
        self._duplicate_share = duplicate_share
        self._boot = [""] * len(population)
        self._seq = [0] * len(population)
        self.samples_sent = 0
        self._broken = 0

    def telemetry(self, index: int, samples: Sequence[Sample]) -> list[Message]:
        """Samples of one device as messages, one per boot; now and then a message goes twice."""
        messages: list[Message] = []
        group: list[Sample] = []
        for sample in samples:
            if group and group[0].boot != sample.boot:
                messages += self._batch(index, group)
                group = []
            group.append(sample)
        return messages + self._batch(index, group) if group else messages

    def batch(self, index: int, rows: Sequence[tuple[datetime, Metrics]], firmware: str, boot: str) -> list[Message]:
        """Samples of one device and one boot as one message; now and then it goes twice."""
        topic, payload = native.telemetry(
            self._population.ids[index], rows, fw=firmware, boot=boot, seq=self._number(index, boot)
        )
        self.samples_sent += len(rows)
        twice = self._duplicate_share > 0 and self._rng.random() < self._duplicate_share
        return [(topic, payload, False)] * (2 if twice else 1)

    def broken_off(self, index: int, metrics: Metrics, firmware: str) -> Message:
        """A message that ends in the middle: one sample that nobody can read."""
        self.samples_sent += 1
        self._broken += 1
        topic, payload = native.telemetry(self._population.ids[index], [(None, metrics)], fw=firmware, seq=self._broken)
        return topic, payload[: len(payload) * 2 // 3], False

    def event(self, index: int, report: Report) -> Message:
        """An event."""
        self.samples_sent += 1
        value = Event(
            device=self._population.ids[index],
            stream=native.STREAM,
            at=report.at,
            kind=report.kind,
            code=report.code,
            detail=report.detail,
            firmware=report.firmware,
            boot=report.boot,
            seq=self._number(index, report.boot),
        )
        return *native.event(value), False

    def presence(self, index: int, at: datetime, online: bool, firmware: str, boot: str) -> Message:
        """A device came or went."""
        self.samples_sent += 1
        value = Presence(self._population.ids[index], native.STREAM, at, online, boot, firmware)
        return *native.presence(value), True

    def identity(self, index: int, at: datetime, firmware: str, boot: str) -> Message:
        """What a device says of itself."""
        self.samples_sent += 1
        people = self._population
        value = Identity(
            device=people.ids[index],
            at=at,
            model=people.plan.name,
            hardware=people.hardware[index],
            firmware=firmware,
            serial=people.serials[index],
            made=people.made[index],
            parts=PARTS[people.kind],
        )
        return *native.identity(value, boot=boot), True

    def reply(self, index: int, at: datetime, id_: str, ok: bool, detail: Mapping[str, Any]) -> Message:
        """An answer to a command."""
        self.samples_sent += 1
        return *native.reply(Reply(self._population.ids[index], at, id_, ok, detail)), False

    def _batch(self, index: int, samples: Sequence[Sample]) -> list[Message]:
        rows = [(sample.at, sample.metrics) for sample in samples]
        return self.batch(index, rows, samples[0].firmware, samples[0].boot)

    def _number(self, index: int, boot: str) -> int:
        if self._boot[index] != boot:
            self._boot[index], self._seq[index] = boot, 0
        self._seq[index] += 1
        return self._seq[index]
