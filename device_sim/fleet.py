"""The simulated fleet as the platform sees it: messages out, commands in. See `device_sim.simulation` for what happens inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from device_sim.agenda import Action, Agenda
from device_sim.faults import Fault
from device_sim.households import Home
from device_sim.outages import Outage, Outages
from device_sim.planting import homes_of, plant
from device_sim.randomness import stream
from device_sim.reporting import Reporter
from device_sim.rollout import Rollout, plan_rollout
from device_sim.scenario import FaultMode, Kind, ReleasePlan, Scenario
from device_sim.simulation import Simulation
from device_sim.uplink import Message
from hearthwatch.errors import Invalid, Missing
from hearthwatch.wire import native

_LOWEST_CHARGE = 0.35  # nobody's cells run out by age during the story: people changed them in time
_UPDATE_WITHIN_S = (300.0, 3000.0)
_RETRY_S = 6 * 3600.0
_NOTICED: Mapping[FaultMode, str] = {
    "motor_wear": "bolt_jammed",
    "relay_wear": "relay_stuck",
    "sensor_drift": "sensor_stuck",
    "memory_leak": "boot_loop",
}
"""What a device itself says when a fault has run its course; with an empty battery or without a network it says nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device is: its kind and its index in the kind."""

    kind: Kind
    index: int


class Fleet:
    """A fleet of one scenario and seed. The same scenario, seed, steps and commands give the same bytes."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.seed = seed
        self.commands_received = 0
        self._rng = stream(seed, "fleet")
        counts = {plan.kind: plan.devices for plan in scenario.models}
        start = scenario.start.timestamp()
        self._simulation = Simulation(scenario, counts, seed, start, lowest_charge=_LOWEST_CHARGE)
        self.planted: tuple[Fault, ...] = tuple(plant(scenario, self._simulation, seed))
        self._outages = Outages(scenario.wire, len(self.homes), start, stream(seed, "outages"))
        self._places = {
            id_: Place(kind, index)
            for kind, population in self._simulation.populations.items()
            for index, id_ in enumerate(population.ids)
        }
        self._reporters = self._build_reporters()
        self._agenda = Agenda()
        self._halted: set[tuple[Kind, str]] = set()
        self.rollouts: tuple[Rollout, ...] = tuple(self._plan(release) for release in scenario.releases)
        for rollout in self.rollouts:
            for offer in rollout.offers:
                self._agenda.note(Action(offer.at, rollout.kind, offer.index, "update", offer.version, rollout=True))

    # -- what the demo calls

    @property
    def size(self) -> int:
        """How many devices there are."""
        return len(self._places)

    @property
    def samples_sent(self) -> int:
        """Samples, events, presences, identities and replies sent so far, each once although its message may have gone twice."""
        return sum(reporter.uplink.samples_sent for reporter in self._reporters.values())

    @property
    def now(self) -> datetime:
        """The instant up to which the fleet has lived."""
        return datetime.fromtimestamp(self._simulation.now, UTC)

    def hello(self) -> list[Message]:
        """What every device says when it connects for the first time: who it is, and that it is there."""
        return [message for reporter in self._reporters.values() for message in reporter.hello(self.now)]

    def goodbye(self) -> list[Message]:
        """What every device says that is there when the fleet is switched off."""
        return [message for reporter in self._reporters.values() for message in reporter.goodbye(self.now)]

    def step(self, until: datetime) -> list[Message]:
        """Live until an instant, in samples of the scenario's length; gives what the devices send meanwhile.

        Raises `Invalid` when the way there is not a whole number of samples.
        """
        since, end, sample_s = self._simulation.now, until.timestamp(), self.scenario.sample.total_seconds()
        count = round((end - since) / sample_s)
        if count < 1 or abs(since + count * sample_s - end) > 1e-3:
            raise Invalid(f"a step holds a whole number of samples of {self.scenario.sample}", where=until.isoformat())
        outages = self._outages.advance(since, end)
        for number in range(1, count + 1):
            at = since + number * sample_s if number < count else end
            self._act(at)
            self._restore_power(at - sample_s, at, outages)
            self._note_failures(at - sample_s, at)
            for kind, measured in self._simulation.advance(at).items():
                self._reporters[kind].take(at, measured)
        messages = [message for reporter in self._reporters.values() for message in reporter.send(end, outages)]
        self._schedule_accepted()
        return messages

    def receive_command(self, topic: str, payload: bytes) -> list[Message]:
        """A command arrives. Gives the device's answer, or nothing: malformed, not ours, or the device is away and answers later."""
        self.commands_received += 1
        try:
            command = native.parse_command(topic, payload)
        except Invalid:
            return []
        place = self._places.get(command.device)
        if place is None:
            return []
        messages = self._reporters[place.kind].obey(place.index, command, self.now)
        self._schedule_accepted()
        return messages

    # -- what its people call

    @property
    def homes(self) -> tuple[Home, ...]:
        """All homes."""
        return self._simulation.homes

    def devices(self) -> Iterator[tuple[str, Home, datetime]]:
        """Every device with its home and the instant it was installed."""
        for population in self._simulation.populations.values():
            for id_, home, installed in zip(population.ids, population.home, population.installed, strict=True):
                yield id_, self.homes[int(home)], installed

    def device_id(self, kind: Kind, index: int) -> str:
        """The id of a device."""
        return self._simulation.populations[kind].ids[index]

    def is_bad(self, rollout: Rollout) -> bool:
        """Whether a release makes its devices reboot more often, as its engineer finds who looks for the cause."""
        return self._ratio(rollout.kind, rollout.version) > 1

    def firmware(self, device: str) -> str:
        """What a device runs now. Raises `Missing`."""
        place = self._place(device)
        return self._reporters[place.kind].firmware(place.index)

    def wrong_part(self, device: str) -> str | None:
        """What a technician finds who takes a device apart now: the failing part, None when it is healthy. Raises `Missing`."""
        place = self._place(device)
        return self._simulation.faults[place.kind].wrong_part(place.index, self._simulation.now)

    def repair(self, device: str, part: str) -> None:
        """Put a new part into a device within the next step. Raises `Missing`."""
        place = self._place(device)
        self._agenda.note(Action(self._simulation.now + 60.0, place.kind, place.index, "repair", part))

    def update(self, device: str, version: str) -> None:
        """Install a version by hand, as a technician does, within the next step. Raises `Missing`."""
        place = self._place(device)
        self._agenda.note(Action(self._simulation.now + 120.0, place.kind, place.index, "update", version))

    def halt(self, kind: Kind, version: str) -> None:
        """Offer a release to no further device."""
        self._halted.add((kind, version))

    # -- inside

    def _place(self, device: str) -> Place:
        place = self._places.get(device)
        if place is None:
            raise Missing("the fleet has no such device", where=device)
        return place

    def _build_reporters(self) -> dict[Kind, Reporter]:
        # One device with a firmware that writes nonsense now and then; never one of those the story is about.
        wrong = self.scenario.wire.malformed_devices
        planted = {(fault.kind, fault.index) for fault in self.planted}
        reporters: dict[Kind, Reporter] = {}
        for kind in sorted(self._simulation.populations, key=("thermostat", "plug", "lock", "camera").index):
            free = [index for index in range(len(self._simulation.populations[kind])) if (kind, index) not in planted]
            malformed = frozenset(free[:wrong])
            wrong -= len(malformed)
            reporters[kind] = Reporter(self._simulation, kind, self.scenario, self.seed, malformed)
        return reporters

    def _plan(self, release: ReleasePlan) -> Rollout:
        model = self.scenario.model(release.kind)
        homes = {kind: population.home for kind, population in self._simulation.populations.items()}
        told = homes_of(list(self.planted), homes)
        spared = {index for index, home in enumerate(homes[release.kind]) if int(home) in told}
        return plan_rollout(
            release,
            model.name,
            model.firmware,
            model.devices,
            spared,
            self.scenario.start.timestamp(),
            stream(self.seed, "rollout", release.kind, release.version),
        )

    def _act(self, at: float) -> None:
        for action in self._agenda.due(at):
            reporter = self._reporters[action.kind]
            if action.what == "repair":
                self._simulation.repair(action.kind, action.index, action.value, action.at)
                reporter.rebooted(action.index, action.at, "power_on")
            elif action.rollout and not self._is_wanted(action):
                continue
            elif not self._is_reachable(action):
                later = Action(action.at + _RETRY_S, action.kind, action.index, "update", action.value, action.rollout)
                self._agenda.note(later)
            else:
                reporter.install(action.index, action.at, action.value, self._ratio(action.kind, action.value))

    def _is_wanted(self, action: Action) -> bool:
        base = self.scenario.model(action.kind).firmware
        running = self._reporters[action.kind].firmware(action.index)
        return (action.kind, action.value) not in self._halted and running == base

    def _is_reachable(self, action: Action) -> bool:
        outage = self._outages.of(int(self._simulation.populations[action.kind].home[action.index]))
        away = outage is not None and outage.covers(action.at)
        return not away and not self._reporters[action.kind].is_dead(action.index)

    def _ratio(self, kind: Kind, version: str) -> float:
        ratios = {(plan.kind, plan.version): plan.reboot_ratio for plan in self.scenario.releases}
        return ratios.get((kind, version), 1.0)

    def _schedule_accepted(self) -> None:
        for kind, reporter in self._reporters.items():
            for index, version in reporter.accepted:
                at = self._simulation.now + float(self._rng.uniform(*_UPDATE_WITHIN_S))
                self._agenda.note(Action(at, kind, index, "update", version))
            reporter.accepted.clear()

    def _restore_power(self, since: float, until: float, outages: Mapping[int, Outage]) -> None:
        restored = [home for home, outage in outages.items() if outage.dark and since < outage.until <= until]
        if not restored:
            return
        for kind, population in self._simulation.populations.items():
            if kind == "lock":
                continue
            controller = self._simulation.lines[kind].electronics.controller
            for index in np.flatnonzero(np.isin(population.home, restored)):
                at = outages[int(population.home[index])].until
                controller.boot(int(index), at)
                self._reporters[kind].rebooted(int(index), at, "power_on")

    def _note_failures(self, since: float, until: float) -> None:
        for fault in self.planted:
            if since < fault.fails_at <= until and fault.mode in _NOTICED:
                table = self._simulation.faults[fault.kind]
                if table.wrong_part(fault.index, fault.fails_at) == fault.part:
                    self._reporters[fault.kind].failed(fault.index, fault.fails_at, _NOTICED[fault.mode])
