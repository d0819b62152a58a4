"""A year of another fleet of the same models as files, with the mapping file that explains them: what a maker would import."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from device_sim.past import Breakdown, Stay, breakdowns, stays
from device_sim.randomness import stream
from device_sim.scenario import Kind, Scenario
from device_sim.simulation import Measured, Simulation
from device_sim.uplink import rounded
from hearthwatch.metrics import BY_NAME

_DAY_S = 86_400.0
_LOWEST_CHARGE = 0.1

_MAPPING = """# What the columns of these files mean.
[source]
files = "readings-*.csv.gz"
[columns]
device = "device"
at = "at"
model = "model"
hardware = "hardware"
firmware = "firmware"
[metrics]
{metrics}
[failures]
files = "failures.csv"
device = "device"
at = "at"
part = "part"
[devices]
files = "devices.csv"
device = "device"
model = "model"
hardware = "hardware"
firmware = "firmware"
region = "region"
made = "made"
installed = "installed"
removed = "removed"
[events]
files = "events.csv"
device = "device"
at = "at"
kind = "kind"
code = "code"
firmware = "firmware"
[service]
files = "service.csv"
device = "device"
at = "at"
part = "part"
"""


def write_history(folder: Path, scenario: Scenario, seed: int) -> Path:
    """Write the past that ends at the scenario's start, and give the path of its mapping file.

    Readings are one row per device and day: means of gauges over the day, last values of counters, at the day's last second or the
    device's last sample. Beside them: failures, events, part replacements, master data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    past = Past(scenario, seed)
    past.live()
    names = _all_metrics(past.simulation)
    for kind in past.simulation.populations:
        _write_table(folder / f"readings-{kind}.csv.gz", past.table(kind, names))
    _write_rows(folder / "failures.csv", ("device", "at", "part"), past.failures)
    _write_rows(folder / "service.csv", ("device", "at", "part"), sorted(past.service, key=_by_time))
    _write_rows(folder / "events.csv", ("device", "at", "kind", "code", "firmware"), sorted(past.events, key=_by_time))
    _write_rows(folder / "devices.csv", _DEVICE_COLUMNS, past.device_rows())
    mapping = folder / "mapping.toml"
    lines = [f'{name} = {{ column = "{name}", kind = "{BY_NAME[name].kind}" }}' for name in names]
    mapping.write_text(_MAPPING.format(metrics="\n".join(lines)))
    return mapping


_DEVICE_COLUMNS = ("device", "model", "hardware", "firmware", "region", "made", "installed", "removed")
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Day:
    """One day of a kind: per device its row's instant, whether it has one, and the values, shape (devices, metrics)."""

    at: np.ndarray
    there: np.ndarray
    values: np.ndarray


class Past:
    """The past fleet, lived through day by day. Rows are in order of time."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._scenario = scenario
        self._plan = scenario.history
        midnight = scenario.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._end = midnight.timestamp()
        self._start = (midnight - timedelta(days=self._plan.days)).timestamp()
        self.simulation = Simulation(scenario, self._plan.devices, seed, self._start, lowest_charge=_LOWEST_CHARGE)
        self._stay: dict[Kind, Stay] = {
            kind: stays(self._plan, len(population), self._start, self._end, stream(seed, "stays", kind))
            for kind, population in self.simulation.populations.items()
        }
        self._to_come = breakdowns(scenario, self.simulation, self._stay, self._start, self._end, seed)
        self.failures = self._failures()
        self.service: list[Row] = self._repairs()
        self._broken: list[Breakdown] = []
        self._joined = {kind: stay.joined <= self._start for kind, stay in self._stay.items()}
        self._updated = {kind: np.zeros(len(stay.updated), dtype=bool) for kind, stay in self._stay.items()}
        self.events: list[Row] = []
        self.days: dict[Kind, list[_Day]] = {kind: [] for kind in self._stay}

    def live(self) -> None:
        """From the first to the last day."""
        for day in range(self._plan.days):
            self._day(self._start + day * _DAY_S)

    def device_rows(self) -> list[Row]:
        """Master data of every device that was ever there. Whoever was left at the end leaves with the end of the record."""
        rows: list[Row] = []
        for kind, population in self.simulation.populations.items():
            stay = self._stay[kind]
            for index, id_ in enumerate(population.ids):
                early = stay.joined[index] <= self._start
                shift = timedelta(days=self._plan.days if early else 0)
                installed = (population.installed[index] - shift).timestamp() if early else float(stay.joined[index])
                made = date.fromisoformat(population.made[index]) - shift
                rows.append(
                    (
                        id_,
                        population.plan.name,
                        population.hardware[index],
                        self._firmware(kind, index),
                        self._scenario.regions[int(population.region[index])].name,
                        made.isoformat(),
                        _spell(installed),
                        _spell(stay.left[index]),
                    )
                )
        return rows

    def _day(self, midnight: float) -> None:
        self._begin_faults(midnight + _DAY_S)
        self._join(midnight + _DAY_S)
        self._update(midnight + _DAY_S)
        sample_s = self._plan.sample_hours * 3600.0
        taken: dict[Kind, list[tuple[float, Measured, np.ndarray]]] = {kind: [] for kind in self._stay}
        for number in range(1, round(_DAY_S / sample_s) + 1):
            at = midnight + number * sample_s
            self._repair(at)
            for kind, measured in self.simulation.advance(at).items():
                there = self._there(kind, at) & ~measured.silent
                self._note_reboots(kind, measured, there)
                taken[kind].append((at, measured, there))
        for kind, samples in taken.items():
            self.days[kind].append(_daily(self.simulation.lines[kind].metrics, samples, midnight + _DAY_S - 1))
        self._replace_worn(midnight + _DAY_S)

    def _begin_faults(self, until: float) -> None:
        while self._to_come and self._to_come[0].fault.onset < until:
            breakdown = self._to_come.pop(0)
            fault = breakdown.fault
            self.simulation.faults[fault.kind].plant(fault)
            self._broken.append(breakdown)

    def _failures(self) -> list[Row]:
        """What failed while its device was there, in order of time."""
        seen = [one for one in self._to_come if one.fault.fails_at < self._left(one)]
        return [
            (self._id(one), _spell(one.fault.fails_at), one.fault.part)
            for one in sorted(seen, key=lambda one: one.fault.fails_at)
        ]

    def _repairs(self) -> list[Row]:
        done = [one for one in self._to_come if one.repaired_at < self._left(one)]
        return [(self._id(one), _spell(one.repaired_at), one.fault.part) for one in done]

    def _left(self, breakdown: Breakdown) -> float:
        return float(self._stay[breakdown.fault.kind].left[breakdown.fault.index])

    def _id(self, breakdown: Breakdown) -> str:
        return self.simulation.populations[breakdown.fault.kind].ids[breakdown.fault.index]

    def _repair(self, at: float) -> None:
        for breakdown in [one for one in self._broken if one.repaired_at <= at]:
            self._broken.remove(breakdown)
            fault = breakdown.fault
            self.simulation.repair(fault.kind, fault.index, fault.part, breakdown.repaired_at)
            if breakdown.repaired_at < self._left(breakdown):
                self._event(fault.kind, fault.index, breakdown.repaired_at, "power_on")

    def _join(self, until: float) -> None:
        for kind, stay in self._stay.items():
            for index in np.flatnonzero(~self._joined[kind] & (stay.joined < until)):
                self._joined[kind][index] = True
                self.simulation.repair(kind, int(index), "battery", float(stay.joined[index]))

    def _update(self, until: float) -> None:
        for kind, stay in self._stay.items():
            for index in np.flatnonzero(~self._updated[kind] & (stay.updated < until)):
                self._updated[kind][index] = True
                if stay.joined[index] < stay.updated[index] < stay.left[index]:
                    self.simulation.lines[kind].electronics.controller.boot(int(index), float(stay.updated[index]))
                    self._event(kind, int(index), float(stay.updated[index]), "update")

    def _replace_worn(self, at: float) -> None:
        for kind, line in self.simulation.lines.items():
            for index, part in line.worn():
                line.renew(index, part)
                if self._there(kind, at)[index]:
                    id_ = self.simulation.populations[kind].ids[index]
                    self.service.append((id_, _spell(at), part))

    def _there(self, kind: Kind, at: float) -> np.ndarray:
        stay = self._stay[kind]
        there: np.ndarray = (stay.joined <= at) & (at < stay.left + 1)
        for breakdown in self._broken:
            fault = breakdown.fault
            if fault.kind == kind and fault.fails_at < at:
                there[fault.index] = False
        return there

    def _note_reboots(self, kind: Kind, measured: Measured, there: np.ndarray) -> None:
        for reboot in measured.reboots:
            if there[reboot.index]:
                self._event(kind, reboot.index, reboot.at, reboot.code)

    def _event(self, kind: Kind, index: int, at: float, code: str) -> None:
        id_ = self.simulation.populations[kind].ids[index]
        self.events.append((id_, _spell(at), "reboot", code, self._firmware(kind, index)))

    def _firmware(self, kind: Kind, index: int) -> str:
        plan = self.simulation.populations[kind].plan
        return plan.firmware if self._updated[kind][index] else plan.earlier_firmware

    def table(self, kind: Kind, names: Sequence[str]) -> pa.Table:
        """All readings of a kind, day by day: device, at, model, hardware, firmware, then ``names`` (null where absent)."""
        population, stay = self.simulation.populations[kind], self._stay[kind]
        there = [np.flatnonzero(day.there) for day in self.days[kind]]
        index = np.concatenate(there)
        at = np.concatenate([day.at[rows] for day, rows in zip(self.days[kind], there, strict=True)])
        values = np.concatenate([day.values[rows] for day, rows in zip(self.days[kind], there, strict=True)])
        present = stay.updated[index] <= at
        own = self.simulation.lines[kind].metrics
        sent = rounded(values, own, finer=2)
        columns = {
            "device": pa.array(np.array(population.ids)[index]),
            "at": pa.array(np.datetime_as_string(at.astype("datetime64[s]"), timezone="UTC")),
            "model": pa.array([population.plan.name] * len(index)),
            "hardware": pa.array(np.array(population.hardware)[index]),
            "firmware": pa.array(np.where(present, population.plan.firmware, population.plan.earlier_firmware)),
        }
        for name in names:
            column = sent[:, own.index(name)] if name in own else np.full(len(index), np.nan)
            columns[name] = pa.array(column, from_pandas=True)
        return pa.table(columns)


def _daily(names: Sequence[str], samples: Sequence[tuple[float, Measured, np.ndarray]], last_second: float) -> _Day:
    values = np.stack([measured.values for _, measured, _ in samples])
    there = np.stack([alive for _, _, alive in samples])
    known = there[:, :, None] & np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    newest = len(samples) - 1 - there[::-1].argmax(axis=0)
    last = values[newest, np.arange(values.shape[1])]
    counters = np.array([BY_NAME[name].kind == "counter" for name in names])
    day: np.ndarray = np.where(counters, last, np.where(count > 0, mean, np.nan))
    at = np.minimum(np.array([at for at, _, _ in samples])[newest], last_second)
    return _Day(at, count.any(axis=1), day)


def _all_metrics(simulation: Simulation) -> list[str]:
    return list(dict.fromkeys(name for line in simulation.lines.values() for name in line.metrics))


def _write_table(path: Path, table: pa.Table) -> None:
    # Level 1 is three times as fast as the usual 6 and a tenth larger.
    with (
        pa.output_stream(str(path), compression=None) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as packed,
    ):
        pacsv.write_csv(table, packed, pacsv.WriteOptions(quoting_style="none"))


def _write_rows(path: Path, header: Row, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _by_time(row: Row) -> tuple[str, str]:
    return row[1], row[0]


def _spell(at: float) -> str:
    return datetime.fromtimestamp(round(at), UTC).isoformat().replace("+00:00", "Z")
