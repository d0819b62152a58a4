"""Faults begin, develop, show, and are gone after the repair."""

from __future__ import annotations

import numpy as np
import pytest

from device_sim.faults import Fault, FaultTable, spread
from device_sim.planting import plant
from device_sim.randomness import stream
from device_sim.scenario import FAULT_MODES_OF, KINDS, FaultMode, Kind, Scenario, load_scenario
from device_sim.simulation import Simulation
from hearthwatch.failure_modes import MODES
from hearthwatch.metrics import BY_NAME

DAY = 86_400.0
COUNTS: dict[Kind, int] = {"lock": 24, "plug": 40, "thermostat": 24, "camera": 24}
QUIET, HALF, DAYS = 8, 12, 14
EACH = 5


def test_a_healthy_device_has_nothing_wrong() -> None:
    table = FaultTable("lock", 3)
    assert table.wrong_part(1, 1e12) is None
    assert (table.severity(1e12).of("battery_fade") == 0).all()


def test_severity_grows_from_onset_to_failure_and_stays() -> None:
    table = FaultTable("lock", 3)
    table.plant(Fault("lock", 1, "battery_fade", 100.0, 300.0))
    levels = [float(table.severity(at).of("battery_fade")[1]) for at in (50, 100, 150, 200, 300, 900)]
    assert levels == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]
    assert table.severity(200).of("battery_fade")[0] == 0


def test_before_its_onset_nobody_can_find_a_fault() -> None:
    table = FaultTable("plug", 2)
    table.plant(Fault("plug", 0, "relay_wear", 100.0, 300.0))
    assert table.wrong_part(0, 99.0) is None
    assert table.wrong_part(0, 101.0) == "relay"
    assert table.wrong_part(1, 101.0) is None


def test_of_two_faults_the_one_that_has_come_further_is_found() -> None:
    table = FaultTable("plug", 1)
    table.plant(Fault("plug", 0, "relay_wear", 100.0, 300.0))
    table.plant(Fault("plug", 0, "memory_leak", 150.0, 200.0))
    assert table.wrong_part(0, 190.0) == "controller"


def test_a_repair_takes_away_the_fault_of_that_part_alone() -> None:
    table = FaultTable("plug", 1)
    table.plant(Fault("plug", 0, "relay_wear", 100.0, 300.0))
    table.plant(Fault("plug", 0, "memory_leak", 100.0, 300.0))
    table.repair(0, "relay")
    assert table.wrong_part(0, 200.0) == "controller"
    table.repair(0, "controller")
    assert table.wrong_part(0, 200.0) is None


def test_onsets_are_spread_over_their_span() -> None:
    drawn = sorted(spread(stream(1, "spread"), 0.0, 10.0, 5))
    assert [int(day // 2) for day in drawn] == [0, 1, 2, 3, 4]
    assert spread(stream(1, "spread"), 0.0, 10.0, 0) == []


@pytest.mark.parametrize("seed", range(5))
def test_planted_devices_are_in_homes_of_their_own_that_may_be_told(seed: int) -> None:
    scenario = load_scenario(None)
    counts = {model.kind: model.devices for model in scenario.models}
    simulation = Simulation(scenario, counts, seed, scenario.start.timestamp(), lowest_charge=0.35)
    planted = plant(scenario, simulation, seed)
    homes = [int(simulation.populations[fault.kind].home[fault.index]) for fault in planted]
    assert len(planted) == sum(fault.count for fault in scenario.faults)
    assert len(set(homes)) == len(homes)
    assert all("service" in simulation.homes[home].consents for home in homes)
    for fault in planted:
        assert fault.fails_at - fault.onset >= 9 * DAY
        assert fault.fails_at <= scenario.start.timestamp() + scenario.days * DAY


class Ward:
    """Fleets in which some devices of each kind develop one fault, as day means or daily increases (days, devices)."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        simulation = Simulation(scenario, COUNTS, seed, scenario.start.timestamp(), lowest_charge=0.5)
        begin = simulation.now
        self.sick: dict[tuple[Kind, FaultMode], list[int]] = {}
        for kind in KINDS:
            for number, mode in enumerate(FAULT_MODES_OF[kind]):
                chosen = self._able(simulation, kind, mode)[number * EACH : (number + 1) * EACH]
                self.sick[kind, mode] = chosen
                for index in chosen:
                    fault = Fault(kind, index, mode, begin + QUIET * DAY, begin + (2 * HALF - QUIET) * DAY)
                    simulation.faults[kind].plant(fault)
        self._names = {kind: line.metrics for kind, line in simulation.lines.items()}
        taken: dict[Kind, list[np.ndarray]] = {kind: [] for kind in KINDS}
        for number in range(DAYS * 24):
            for kind, measured in simulation.advance(begin + (number + 1) * 3600.0).items():
                taken[kind].append(measured.values)
        self._days = {kind: np.stack(rows).reshape(DAYS, 24, COUNTS[kind], -1) for kind, rows in taken.items()}

    def _able(self, simulation: Simulation, kind: Kind, mode: FaultMode) -> list[int]:
        line = simulation.lines[kind]
        able = line.measures_contact() if mode == "relay_wear" else np.ones(COUNTS[kind], dtype=bool)  # type: ignore[attr-defined]
        return [int(index) for index in np.flatnonzero(able)]

    def daily(self, kind: Kind, metric: str) -> np.ndarray:
        """Day means of a gauge, daily increases of a counter."""
        values = self._days[kind][:, :, :, self._names[kind].index(metric)]
        if BY_NAME[metric].kind == "counter":
            return np.diff(values[:, -1], axis=0, prepend=values[:1, -1])
        known = np.isfinite(values)
        mean = np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(known.any(axis=1), mean, np.nan)


@pytest.fixture(scope="module")
def ward(small: Scenario) -> Ward:
    return Ward(small, 11)


@pytest.mark.parametrize(
    ("kind", "mode", "metric", "sign"),
    [
        ("lock", "battery_fade", "battery_pct", -1),
        ("lock", "battery_fade", "battery_v", -1),
        ("lock", "motor_wear", "actuation_s", 1),
        ("lock", "motor_wear", "motor_current_a", 1),
        ("plug", "relay_wear", "relay_contact_mohm", 1),
        ("thermostat", "sensor_drift", "reference_temperature_c", 0),
        ("camera", "wifi_failing", "rssi_dbm", -1),
        ("plug", "wifi_failing", "wifi_reconnects", 1),
        ("camera", "memory_leak", "free_heap_bytes", -1),
        ("plug", "memory_leak", "free_heap_bytes", -1),
    ],
)
def test_a_fault_stands_out_of_the_noise_half_way(
    ward: Ward, kind: Kind, mode: FaultMode, metric: str, sign: int
) -> None:
    """Against the device's own past and the peers' day, in standard deviations of healthy device-days."""
    assert metric in MODES[mode].metrics
    days, sick = ward.daily(kind, metric), ward.sick[kind, mode]
    ill = {index for (other, _), indices in ward.sick.items() if other == kind for index in indices}
    well = [index for index in range(COUNTS[kind]) if index not in ill]
    moved = days - np.nanmean(days[1:QUIET], axis=0)
    moved = moved - np.nanmedian(moved[:, well], axis=1)[:, None]
    noise = np.nanstd(moved[1:QUIET])
    effect = moved[HALF, sick] / noise
    assert np.nanmedian(np.abs(effect) if sign == 0 else sign * effect) > 4


def test_peers_do_not_move_with_a_sick_device(ward: Ward) -> None:
    days, sick = ward.daily("lock", "battery_pct"), ward.sick["lock", "battery_fade"]
    well = [index for index in range(COUNTS["lock"]) if index not in sick]
    assert (days[QUIET, well] - days[-1, well] < 6).all()
    assert (days[QUIET, sick] - days[-1, sick] > 15).all()


def test_a_leak_ends_in_watchdog_reboots(small: Scenario) -> None:
    simulation = Simulation(small, COUNTS, 12, small.start.timestamp(), lowest_charge=0.5)
    begin = simulation.now
    simulation.faults["plug"].plant(Fault("plug", 0, "memory_leak", begin, begin + 10 * DAY))
    reboots = [0] * 10
    heap = []
    for number in range(240):
        measured = simulation.advance(begin + (number + 1) * 3600.0)["plug"]
        mine = [reboot for reboot in measured.reboots if reboot.index == 0]
        reboots[number // 24] += sum(reboot.code == "watchdog" for reboot in mine)
        heap.append(measured.values[0, simulation.lines["plug"].metrics.index("free_heap_bytes")])
    assert sum(reboots[:3]) <= 3
    assert reboots[-1] >= 8
    assert min(heap[48:]) < 0.4 * heap[0]
