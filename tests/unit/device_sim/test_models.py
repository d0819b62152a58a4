"""The physics of the device models: what must hold for every device, whatever the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from device_sim.faults import Fault
from device_sim.models.battery import Battery
from device_sim.models.lock import Locks
from device_sim.models.plug import Plugs
from device_sim.models.thermostat import Thermostats
from device_sim.randomness import stream
from device_sim.scenario import FAULT_MODES_OF, KINDS, Kind, Scenario
from device_sim.simulation import Simulation
from hearthwatch.failure_modes import MODES
from hearthwatch.metrics import BY_NAME

HOUR = 3600.0
DAYS = 10
COUNTS: dict[Kind, int] = {"lock": 15, "plug": 25, "thermostat": 15, "camera": 20}


@dataclass(frozen=True, slots=True)
class Life:
    """Ten days of a healthy fleet in half hours: values (samples, devices, metrics) and boots (samples, devices) of each kind."""

    simulation: Simulation
    values: dict[Kind, np.ndarray]
    boots: dict[Kind, np.ndarray]
    reboots: dict[Kind, int]

    def of(self, kind: Kind, metric: str) -> np.ndarray:
        """One metric, shape (samples, devices)."""
        column: np.ndarray = self.values[kind][:, :, self.simulation.lines[kind].metrics.index(metric)]
        return column


def begin(small: Scenario, seed: int, lowest_charge: float = 0.5) -> Simulation:
    return Simulation(small, COUNTS, seed, small.start.timestamp(), lowest_charge=lowest_charge)


@pytest.fixture(scope="module", params=[1, 2])
def life(small: Scenario, request: pytest.FixtureRequest) -> Life:
    simulation = begin(small, request.param)
    values: dict[Kind, list[np.ndarray]] = {kind: [] for kind in KINDS}
    boots: dict[Kind, list[np.ndarray]] = {kind: [] for kind in KINDS}
    reboots = dict.fromkeys(KINDS, 0)
    for _ in range(DAYS * 48):
        for kind, measured in simulation.advance(simulation.now + HOUR / 2).items():
            values[kind].append(measured.values)
            boots[kind].append(simulation.lines[kind].electronics.controller.boots.copy())
            reboots[kind] += len(measured.reboots)
    return Life(
        simulation,
        {kind: np.stack(rows) for kind, rows in values.items()},
        {kind: np.stack(rows) for kind, rows in boots.items()},
        reboots,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_is_of_the_catalogue(life: Life, kind: Kind) -> None:
    assert set(life.simulation.lines[kind].metrics) <= BY_NAME.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_of_a_kind_shows_in_one_of_its_metrics(life: Life, kind: Kind) -> None:
    for mode in FAULT_MODES_OF[kind]:
        assert set(MODES[mode].metrics) & set(life.simulation.lines[kind].metrics), mode


@pytest.mark.parametrize("kind", KINDS)
def test_counters_never_fall(life: Life, kind: Kind) -> None:
    for metric in life.simulation.lines[kind].metrics:
        if BY_NAME[metric].kind == "counter" and metric != "uptime_s":
            assert (np.diff(life.of(kind, metric), axis=0) >= 0).all(), metric


@pytest.mark.parametrize("kind", KINDS)
def test_uptime_grows_with_the_clock_until_a_boot(life: Life, kind: Kind) -> None:
    same_boot = np.diff(life.boots[kind], axis=0) == 0
    grown = np.diff(life.of(kind, "uptime_s"), axis=0)
    assert np.allclose(grown[same_boot], HOUR / 2)
    assert (life.of(kind, "uptime_s")[1:][~same_boot] <= HOUR / 2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_reboot_is_counted_once(life: Life, kind: Kind) -> None:
    first, last = life.of(kind, "boot_count")[0], life.of(kind, "boot_count")[-1]
    assert abs(int((last - first).sum()) - life.reboots[kind]) <= len(
        first
    )  # those before the first sample are in neither


@pytest.mark.parametrize("kind", KINDS)
def test_what_always_has_a_meaning_is_always_measured(life: Life, kind: Kind) -> None:
    sometimes_absent = {"actuation_s", "motor_current_a", "relay_contact_mohm"}
    for metric in set(life.simulation.lines[kind].metrics) - sometimes_absent:
        assert np.isfinite(life.of(kind, metric)).all(), metric


@pytest.mark.parametrize(
    ("kind", "metric", "low", "high"),
    [
        ("lock", "battery_pct", 0, 100),
        ("lock", "battery_v", 3.5, 6.6),
        ("lock", "actuation_s", 0.5, 3),
        ("lock", "device_temperature_c", -25, 45),
        ("plug", "voltage_v", 207, 253),
        ("plug", "power_w", 0, 3680),
        ("plug", "power_factor", 0, 1),
        ("plug", "relay_contact_mohm", 1, 50),
        ("plug", "device_temperature_c", 10, 60),
        ("thermostat", "temperature_c", 8, 32),
        ("thermostat", "humidity_pct", 5, 100),
        ("thermostat", "heating_on", 0, 1),
        ("camera", "frame_rate_fps", 0.5, 20),
        ("camera", "illuminance_lux", 0, 120_000),
        ("camera", "load_average", 0, 1),
        ("camera", "device_temperature_c", -20, 65),
        ("camera", "rssi_dbm", -96, -25),
    ],
)
def test_values_stay_within_what_nature_allows(life: Life, kind: Kind, metric: str, low: float, high: float) -> None:
    known = life.of(kind, metric)[np.isfinite(life.of(kind, metric))]
    assert known.size
    assert known.min() >= low
    assert known.max() <= high


def test_the_charge_of_a_battery_only_falls(life: Life) -> None:
    assert (np.diff(life.of("lock", "battery_pct"), axis=0) <= 0).all()


def test_a_battery_lasts_between_half_and_two_years(small: Scenario) -> None:
    simulation = begin(small, 3, lowest_charge=1.0)
    line = simulation.lines["lock"]
    assert isinstance(line, Locks)
    for _ in range(120 * 6):
        simulation.advance(simulation.now + 4 * HOUR)
    months = 120 / (1 - line.battery.charge) / 30.4
    assert np.median(months) == pytest.approx(14, abs=5)
    assert months.min() > 6
    assert months.max() < 30


def test_cold_lowers_the_voltage_and_comes_back_with_the_warmth() -> None:
    battery = Battery(stream(1, "b"), np.full(50, 0.7), idle_per_day=0.001, per_use=0.0001)
    none = np.zeros(50)
    warm, cold = (battery.loaded_v(np.full(50, degrees), none, 0.0) for degrees in (20.0, -10.0))
    assert (warm - cold > 0.1).all()
    assert (warm - cold < 0.5).all()
    assert np.allclose(battery.loaded_v(np.full(50, 20.0), none, 0.0), warm)


def test_power_energy_and_current_agree(life: Life) -> None:
    power, voltage = life.of("plug", "power_w"), life.of("plug", "voltage_v")
    assert np.allclose(life.of("plug", "apparent_power_va") * life.of("plug", "power_factor"), power)
    assert np.allclose(life.of("plug", "current_a") * voltage, life.of("plug", "apparent_power_va"))
    energy = np.diff(life.of("plug", "energy_kwh"), axis=0)
    assert np.allclose(energy, power[1:] / 2000, atol=1e-6)


def test_an_open_relay_measures_no_contact(life: Life) -> None:
    is_open = life.of("plug", "relay_on") == 0
    assert np.isnan(life.of("plug", "relay_contact_mohm")[is_open]).all()


def test_a_room_follows_its_setpoint(life: Life) -> None:
    heating_season = life.of("thermostat", "heating_on").mean(axis=0) > 0.1
    missing = life.of("thermostat", "setpoint_c") - life.of("thermostat", "temperature_c")
    assert heating_season.any()
    assert np.median(np.abs(missing[:, heating_season])) < 1.0


def test_a_colder_street_asks_for_more_heat(life: Life) -> None:
    line = life.simulation.lines["thermostat"]
    assert isinstance(line, Thermostats)
    called = life.of("thermostat", "heating_on").reshape(DAYS, 48, -1).mean(axis=(1, 2))
    sky = life.simulation.populations["thermostat"].region
    assert len(sky) == COUNTS["thermostat"]
    assert called.max() > called.min()


def test_people_use_their_lock_by_day(life: Life) -> None:
    moved = np.diff(life.of("lock", "lock_cycles"), axis=0).sum(axis=1)
    hours = (np.arange(1, DAYS * 48) // 2) % 24
    night, evening = moved[(hours >= 19) | (hours < 3)].mean(), moved[(hours >= 7) & (hours < 13)].mean()
    assert evening > 0
    assert night != evening


def test_heat_of_a_worn_contact_warms_the_plug(small: Scenario) -> None:
    simulation = begin(small, 4)
    line = simulation.lines["plug"]
    assert isinstance(line, Plugs)
    index = int(np.flatnonzero(line.measures_contact())[0])
    simulation.faults["plug"].plant(Fault("plug", index, "relay_wear", simulation.now - 1, simulation.now + 50 * HOUR))
    contact = [
        simulation.advance(simulation.now + HOUR / 2)["plug"].values[index, line.metrics.index("relay_contact_mohm")]
        for _ in range(96)
    ]
    assert np.nanmax(contact) > 4 * np.nanmin(contact)


def test_new_cells_fill_the_battery_and_clear_the_fault(small: Scenario) -> None:
    simulation = begin(small, 6)
    simulation.faults["lock"].plant(Fault("lock", 0, "battery_fade", simulation.now, simulation.now + 10 * HOUR))
    for _ in range(24):
        measured = simulation.advance(simulation.now + HOUR / 2)
    assert measured["lock"].silent[0]
    simulation.repair("lock", 0, "battery", simulation.now)
    measured = simulation.advance(simulation.now + HOUR / 2)
    assert not measured["lock"].silent[0]
    assert measured["lock"].values[0, simulation.lines["lock"].metrics.index("battery_pct")] > 95


def test_a_coarser_step_gives_the_same_climate(small: Scenario) -> None:
    fine, coarse = begin(small, 7), begin(small, 7)
    warmth: list[list[float]] = [[], []]
    for _ in range(30):
        for _ in range(12):
            values = fine.advance(fine.now + 2 * HOUR)["thermostat"].values
            warmth[0].append(float(values[:, 8].mean()))
        for _ in range(4):
            values = coarse.advance(coarse.now + 6 * HOUR)["thermostat"].values
            warmth[1].append(float(values[:, 8].mean()))
    assert np.mean(warmth[0]) == pytest.approx(float(np.mean(warmth[1])), abs=0.8)
