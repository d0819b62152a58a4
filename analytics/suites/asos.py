"""The suite `asos`: real A/B experiments with checkpoints, looked at with our interval and with what people use today.

Data: Liu, Cardoso, Couturier, McCoy, "Datasets for Online Controlled Experiments", NeurIPS 2021 (arXiv 2111.10198), ASOS Digital
Experiments Dataset (CC BY 4.0; https://osf.io/64jsb/): 78 experiments with up to four metrics, cumulative counts, means and variances of
either arm every twelve hours or every day. Nobody knows which of them had an effect: the suite tells how often the methods speak, never
how often they are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import stats

from analytics.sequential.mixture import TAU_MEAN, Floats, half_width
from hearthwatch.errors import Invalid, Missing

FILE = "asos_digital_experiments_dataset.parquet"
ALPHA = 0.05
_SERIES = ("experiment_id", "variant_id", "metric_id")
_NUMBERS = ("time_since_start", "count_c", "count_t", "mean_c", "mean_t", "variance_c", "variance_t")


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one variant against its control, at its checkpoints: days since the start, the two means and the variances of both."""

    name: tuple[str, int, int]
    days: Floats
    mean_control: Floats
    mean_treated: Floats
    variance_control: Floats
    variance_treated: Floats

    @property
    def z(self) -> Floats:
        """The difference of the means over its standard error."""
        result: Floats = (self.mean_treated - self.mean_control) / np.sqrt(
            self.variance_control + self.variance_treated
        )
        return result

    @property
    def log_ratio(self) -> tuple[Floats, Floats]:
        """The log ratio of the means, and its information (delta method); none where a mean is not above zero."""
        positive = (self.mean_control > 0) & (self.mean_treated > 0)
        control, treated = (np.where(positive, mean, 1.0) for mean in (self.mean_control, self.mean_treated))
        relative = self.variance_control / control**2 + self.variance_treated / treated**2
        return np.log(treated / control), np.where(positive, 1.0 / relative, 0.0)

    def daily(self) -> Series:
        """The last checkpoint of each day."""
        day = np.ceil(self.days - 1e-9)
        last = np.append(day[1:] != day[:-1], True)
        return Series(
            self.name,
            self.days[last],
            self.mean_control[last],
            self.mean_treated[last],
            self.variance_control[last],
            self.variance_treated[last],
        )


def read_series(folder: Path) -> list[Series]:
    """All series with a checkpoint at which both variances are known and not zero."""
    path = folder / FILE
    if not path.is_file():
        path = folder / "asos" / FILE
    if not path.is_file():
        raise Missing(f"{folder} has no {FILE}; it is at https://osf.io/64jsb/")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise Invalid(f"{path} is no Parquet file: {error}") from error
    lacking = [name for name in (*_SERIES, *_NUMBERS) if name not in table.column_names]
    if lacking:
        raise Invalid(f"{path} has no column {', '.join(lacking)}")
    series = list(_split(table))
    if not series:
        raise Invalid(f"{path} has no series with a known variance")
    return series


def _split(table: pa.Table) -> Iterator[Series]:
    numbers = {name: table[name].to_numpy().astype(np.float64) for name in _NUMBERS}
    with np.errstate(invalid="ignore", divide="ignore"):
        control = numbers["variance_c"] / numbers["count_c"]
        treated = numbers["variance_t"] / numbers["count_t"]
    usable = np.isfinite(control) & np.isfinite(treated) & (control + treated > 0)
    rows: dict[tuple[str, int, int], list[int]] = {}
    names = zip(*(table[name].to_pylist() for name in _SERIES), strict=True)
    for row, name in enumerate(names):
        if usable[row]:
            rows.setdefault(name, []).append(row)
    for name, mine in sorted(rows.items()):
        order = np.array(mine)[np.argsort(numbers["time_since_start"][mine], kind="stable")]
        yield Series(
            name,
            numbers["time_since_start"][order],
            numbers["mean_c"][order],
            numbers["mean_t"][order],
            control[order],
            treated[order],
        )


def ours(series: Series) -> NDArray[np.bool_]:
    """Checkpoints at which the 95 % confidence sequence of the log ratio of means does not hold 0."""
    theta, information = series.log_ratio
    result: NDArray[np.bool_] = np.abs(theta) > half_width(information, ALPHA, TAU_MEAN)
    return result


def repeated_z(series: Series) -> NDArray[np.bool_]:
    """Checkpoints at which |z| exceeds the 5 % point, as if there were one look."""
    result: NDArray[np.bool_] = np.abs(series.z) > stats.norm.isf(ALPHA / 2.0)
    return result


def bonferroni(series: Series) -> NDArray[np.bool_]:
    """The same with the level divided by the number of looks, which must be known beforehand."""
    result: NDArray[np.bool_] = np.abs(series.z) > stats.norm.isf(ALPHA / (2.0 * series.days.size))
    return result


def obrien_fleming(series: Series) -> NDArray[np.bool_]:
    """Group-sequential with O'Brien-Fleming's boundary for any number of looks: |W(t)| > c at information fraction t.

    P(sup |W| > c) <= 4 (1 - Phi(c)) by reflection, so c = 2.24. It is given the information of the last look, which a running experiment
    must have planned.
    """
    theta, information = series.log_ratio
    if information[-1] <= 0:
        return np.zeros(information.size, dtype=bool)
    score = np.abs(theta) * information / np.sqrt(information[-1])
    result: NDArray[np.bool_] = score > stats.norm.isf(ALPHA / 4.0)
    return result


METHODS = {
    "hearthwatch": ours,
    "repeated_z": repeated_z,
    "bonferroni": bonferroni,
    "obrien_fleming": obrien_fleming,
}


def evaluate(folder: Path) -> dict[str, Any]:
    """Results of our interval and of every baseline, at daily looks and at every checkpoint of the data."""
    everything = read_series(folder)
    daily = [series.daily() for series in everything]
    told = {
        name: {**_counted(daily, method), "at_every_checkpoint": _counted(everything, method)}
        for name, method in METHODS.items()
    }
    return {"results": told.pop("hearthwatch"), "baselines": told}


def _counted(series: list[Series], method: Any) -> Mapping[str, Any]:
    flags = [method(one) for one in series]
    return {
        "series": len(flags),
        "looks": int(sum(flag.size for flag in flags)),
        "flagged_any_look": round(float(np.mean([flag.any() for flag in flags])), 4),
        "flagged_end": round(float(np.mean([flag[-1] for flag in flags])), 4),
    }
