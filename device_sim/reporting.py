"""How the devices of one kind turn what happens to them into messages: at once when all is well, later after an outage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from device_sim.commands import Answer, answer
from device_sim.outages import Outage
from device_sim.randomness import stream
from device_sim.scenario import Kind, Scenario
from device_sim.simulation import Measured, Simulation
from device_sim.timeline import Happening, Item, Running, lived
from device_sim.uplink import Message, Sample, Uplink, rounded
from hearthwatch.wire import native

_MALFORMED_SHARE = 0.05
_BROKEN_OFF_SHARE = 0.1
_REPORT_AFTER_S = 20.0  # an installed update is reported once the new firmware is up
_CONNECTED_AFTER_S = 5.0
_MISSED_AFTER_S = 90.0  # one and a half keep-alives until the broker gives a device up
_MOST_KEPT = 500  # items a device keeps while it is cut off; the oldest go first


class Reporter:
    """All devices of one kind, as far as messages go."""

    def __init__(
        self, simulation: Simulation, kind: Kind, scenario: Scenario, seed: int, malformed: frozenset[int]
    ) -> None:
        self._line = simulation.lines[kind]
        self._population = simulation.populations[kind]
        self._names = self._line.metrics
        self._mains = kind != "lock"
        self._malformed = malformed
        self._rng = stream(seed, "wire", kind)
        self.uplink = Uplink(self._population, self._rng, scenario.wire.duplicate_share)
        devices = len(self._population)
        boots = self._line.electronics.controller.boots
        self._running = [Running(self._population.plan.firmware, int(count)) for count in boots]
        self._target = [self._population.plan.firmware] * devices
        self._dead = np.zeros(devices, dtype=bool)
        self._online = [True] * devices
        self._kept: dict[int, list[Item]] = {}
        self._waiting: dict[int, list[native.Command]] = {}
        self._taken: list[tuple[float, Measured]] = []
        self._moved: dict[int, list[Happening]] = {}
        self.accepted: list[tuple[int, str]] = []

    # -- what happens

    def hello(self, now: datetime) -> list[Message]:
        """Identity and presence of every device."""
        messages = []
        for index, running in enumerate(self._running):
            messages.append(self.uplink.identity(index, now, running.firmware, running.boot))
            messages.append(self.uplink.presence(index, now, True, running.firmware, running.boot))
        return messages

    def goodbye(self, now: datetime) -> list[Message]:
        """Every device that is there leaves."""
        messages = []
        for index, running in enumerate(self._running):
            if self._online[index]:
                self._online[index] = False
                messages.append(self.uplink.presence(index, now, False, running.firmware, running.boot))
        return messages

    def firmware(self, index: int) -> str:
        """What a device runs now."""
        return self._target[index]

    def is_dead(self, index: int) -> bool:
        """Whether a device sends nothing any more."""
        return bool(self._dead[index])

    def rebooted(self, index: int, at: float, code: str) -> None:
        """A device has started again (the simulation knows)."""
        self._note(index, Happening(at, "reboot", code, {}))

    def install(self, index: int, at: float, version: str, reboot_ratio: float) -> None:
        """Install a version on a device and start it."""
        before, self._target[index] = self._target[index], version
        controller = self._line.electronics.controller
        controller.boot(index, at)
        controller.ratio[index] = reboot_ratio
        self._note(index, Happening(at, "reboot", "update", {}, version))
        self._note(index, Happening(at + _REPORT_AFTER_S, "update", "installed", {"from": before, "to": version}))

    def failed(self, index: int, at: float, code: str) -> None:
        """A device notices that a fault has run its course."""
        self._note(index, Happening(at, "fault", code, {}))

    def take(self, at: float, measured: Measured) -> None:
        """What all devices measured at an instant, with the reboots since the instant before."""
        for reboot in measured.reboots:
            self.rebooted(reboot.index, reboot.at, reboot.code)
        self._taken.append((at, measured))

    # -- what is sent

    def send(self, until: float, outages: Mapping[int, Outage]) -> list[Message]:
        """Everything of the step that ends at ``until``, device by device."""
        times = [datetime.fromtimestamp(at, UTC) for at, _ in self._taken]
        values = np.stack([measured.values for _, measured in self._taken], axis=1)
        dead = np.stack([measured.silent for _, measured in self._taken], axis=1)
        gappy = bool(np.isnan(values).any())
        unusual = self._unusual(dead, outages)
        messages: list[Message] = []
        for index, rows in enumerate(rounded(values, self._names).tolist()):
            metrics = [_metrics(self._names, row, gappy) for row in rows]
            if index in unusual:
                messages += self._send_unusual(index, metrics, dead[index].tolist(), until, outages)
            else:
                running = self._running[index]
                pairs = list(zip(times, metrics, strict=True))
                messages += self.uplink.batch(index, pairs, running.firmware, running.boot)
        self._dead = dead[:, -1]
        self._taken, self._moved = [], {}
        return messages

    def obey(self, index: int, command: native.Command, now: datetime) -> list[Message]:
        """A command reaches a device: its answer. A device that is away answers when it is back."""
        if not self._online[index]:
            self._waiting.setdefault(index, []).append(command)
            return []
        given: Answer = answer(command, self._target[index], self._line.electronics, index)
        if given.installs is not None:
            self.accepted.append((index, given.installs))
        return [self.uplink.reply(index, now, command.id, given.ok, given.detail)]

    # -- inside

    def _note(self, index: int, happening: Happening) -> None:
        self._moved.setdefault(index, []).append(happening)

    def _unusual(self, dead: np.ndarray, outages: Mapping[int, Outage]) -> set[int]:
        unusual = {*self._moved, *self._kept, *self._malformed, *self._waiting}
        unusual.update(index for index, online in enumerate(self._online) if not online)
        unusual.update(int(index) for index in np.flatnonzero(dead.any(axis=1)))
        if outages:
            unusual.update(int(index) for index in np.flatnonzero(np.isin(self._population.home, list(outages))))
        return unusual

    def _send_unusual(
        self,
        index: int,
        metrics: list[dict[str, Any]],
        dead: list[bool],
        until: float,
        outages: Mapping[int, Outage],
    ) -> list[Message]:
        if index in self._malformed:
            self._spoil(metrics)
        outage = outages.get(int(self._population.home[index]))
        blackout = outage if outage is not None and outage.dark and self._mains else None
        samples = [(at, row, gone) for (at, _), row, gone in zip(self._taken, metrics, dead, strict=True)]
        before = self._running[index]
        items, running = lived(before, self._moved.get(index, []), samples, blackout)
        self._running[index] = running
        items = [*self._kept.pop(index, []), *items]
        if outage is not None and outage.covers(until):
            self._kept[index] = items[-_MOST_KEPT:]
            return self._leave(index, outage.since, until, before)
        if dead[-1]:
            return [*self._items(index, items), *self._leave(index, samples[dead.index(True)][0], until, running)]
        if outage is not None:
            hours = (outage.until - outage.since) / 3600
            self._line.electronics.radio.cut_off(np.array([index]), hours)
        messages = self._arrive(index, before, running, items, until)
        if index in self._malformed and self._rng.random() < _BROKEN_OFF_SHARE:
            messages.append(self.uplink.broken_off(index, metrics[-1], running.firmware))
        return messages

    def _leave(self, index: int, since: float, until: float, running: Running) -> list[Message]:
        """The broker gives a device up that was there: its last will, with the time at which that was."""
        if not self._online[index]:
            return []
        self._online[index] = False
        at = datetime.fromtimestamp(min(since + _MISSED_AFTER_S, until), UTC)
        return [self.uplink.presence(index, at, False, running.firmware, running.boot)]

    def _arrive(
        self, index: int, before: Running, running: Running, items: Sequence[Item], until: float
    ) -> list[Message]:
        """A device that is there sends what it has; one that came back or started anew says so first."""
        messages: list[Message] = []
        now = datetime.fromtimestamp(until, UTC)
        if running != before or not self._online[index]:
            self._online[index] = True
            messages.append(self.uplink.presence(index, now, True, running.firmware, running.boot))
        if running.firmware != before.firmware:
            messages.append(self.uplink.identity(index, now, running.firmware, running.boot))
        messages += self._items(index, items)
        for command in self._waiting.pop(index, []):
            messages += self.obey(index, command, now)
        return messages

    def _items(self, index: int, items: Sequence[Item]) -> list[Message]:
        messages: list[Message] = []
        samples: list[Sample] = []
        for item in items:
            if isinstance(item, Sample):
                samples.append(item)
                continue
            messages += self.uplink.telemetry(index, samples)
            messages.append(self.uplink.event(index, item))
            samples = []
        return messages + self.uplink.telemetry(index, samples)

    def _spoil(self, metrics: list[dict[str, Any]]) -> None:
        """What a faulty firmware makes of good values: now and then a text for a number."""
        for row in metrics:
            if self._rng.random() < _MALFORMED_SHARE:
                row["rssi_dbm"] = "n/a"


def _metrics(names: Sequence[str], row: Sequence[float], gappy: bool) -> dict[str, Any]:
    metrics: dict[str, Any] = dict(zip(names, row, strict=True))
    if gappy:
        return {name: value for name, value in metrics.items() if value == value}
    return metrics
