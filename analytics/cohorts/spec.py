"""The registry of what is watched about a release, and the constants of the watch. Exact definitions stand in docs/metrics.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analytics.sequential.mixture import Direction, Kind, tau_of
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS, UNUSUAL, mode_of_metric
from hearthwatch.metrics import BY_NAME as CATALOGUE
from hearthwatch.said import Said

SAME_LOW, SAME_HIGH = 1.0 / 1.25, 1.25
"""Equivalence bounds of `same` for rates: a closer tie cannot be shown with fewer than thousands of devices (docs/cohorts.md)."""

SAME_MEAN = 1.10
"""The same for means, which are known better: 1/1.10 to 1.10."""

KNOWN_PAST_HOURS = 24.0
"""A device's own past is known when it reported for this many hours of the pre-period;"""
KNOWN_PAST_HOURS_OF_MEANS = 72.0
"""for means, which have one value a day, when three days of it have one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the watch.

    ``source`` is what it is made of: unexpected boots, hours in which a counter grew, the device's silence, the ``level`` of a gauge (mean
    of the day) or its ``fall`` from day to day; ``of`` is the counter's or gauge's name. ``repeats`` says whether there is a rate beside
    the first event; a mean has no first event. ``direction`` is the side that is worse. ``says`` and ``how`` complete "devices on 2.5.0 ...
    1.3 times as ..."; ``{name}`` in it stands for what is counted or measured. ``unit`` is that of the amounts, for means per device-day.

    ``margin`` (a ratio) and ``burn_in_h`` (hours left out after an update) are those of the settings where None. ``cap_quantile`` of the
    pre-period's device-days is the most that counts of one of them, at least ``least_cap``. A rise of more than ``largest_rise`` between
    two days is no fall but something else (charged, new cells) and leaves the day out; ``one_boot``: a day on which the device booted is
    left out, and so is the next. ``on_mains``: devices on mains power count too.
    """

    name: str
    source: Literal["reboots", "counter", "silence", "level", "fall"]
    mode: str
    says: str
    repeats: bool
    kind: Kind = "rate"
    direction: Direction = "more"
    unit: str = "events"
    how: str = "often"
    of: str = ""
    margin: float | None = None
    burn_in_h: int | None = None
    cap_quantile: float = 0.995
    least_cap: float = 0.0
    largest_rise: float = float("inf")
    one_boot: bool = False
    on_mains: bool = True

    @property
    def does(self) -> Said:
        """What devices do, as it stands in a sentence."""
        return Said(self.says, name=self.of or self.name) if "{name}" in self.says else Said(self.says)

    @property
    def tau(self) -> float:
        """The scale of log ratios that matter."""
        return tau_of(self.kind)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which ratios the interval must lie for `same`."""
        return (1.0 / SAME_MEAN, SAME_MEAN) if self.kind == "mean" else (SAME_LOW, SAME_HIGH)

    @property
    def has_first_events(self) -> bool:
        """Whether first events are watched."""
        return self.kind != "mean"

    @property
    def known_past_hours(self) -> float:
        """How much of the pre-period must have been seen for a device's own past to be known."""
        return KNOWN_PAST_HOURS_OF_MEANS if self.kind == "mean" else KNOWN_PAST_HOURS


SYNC_COUNTER = "sync_failed"

REBOOTS = Metric(
    UNEXPECTED_REBOOTS,
    source="reboots",
    mode=mode_of_metric(UNEXPECTED_REBOOTS).id,
    says="reboot unexpectedly",
    repeats=True,
    unit="reboots",
    least_cap=3.0,
)
SYNC_FAILURES = Metric(
    "sync_failures",
    source="counter",
    mode=mode_of_metric(SYNC_COUNTER).id,
    says="fail to synchronise",
    repeats=True,
    unit="hours",
    of=SYNC_COUNTER,
)
WENT_SILENT = Metric(
    "went_silent",
    source="silence",
    mode=UNUSUAL.id,
    says="fall silent",
    repeats=False,
    kind="first_event",
    unit="devices",
    burn_in_h=0,
)
BATTERY_DRAIN = Metric(
    "battery_drain",
    source="fall",
    mode=mode_of_metric("battery_pct").id,
    says="lose battery charge",
    repeats=True,
    kind="mean",
    unit="percentage points",
    how="fast",
    of="battery_pct",
    largest_rise=2.0,
    on_mains=False,
)
ACTUATION_LATENCY = Metric(
    "actuation_latency",
    source="level",
    mode=mode_of_metric("actuation_s").id,
    says="take for an actuation",
    repeats=True,
    kind="mean",
    unit="s",
    how="long",
    of="actuation_s",
)
MEMORY_DECLINE = Metric(
    "memory_decline",
    source="fall",
    mode=mode_of_metric("free_heap_bytes").id,
    says="use up free memory",
    repeats=True,
    kind="mean",
    unit="B",
    how="fast",
    of="free_heap_bytes",
    one_boot=True,
)

METRICS: tuple[Metric, ...] = (
    REBOOTS,
    SYNC_FAILURES,
    WENT_SILENT,
    BATTERY_DRAIN,
    ACTUATION_LATENCY,
    MEMORY_DECLINE,
)
BY_NAME = {metric.name: metric for metric in METRICS}

_GAUGE = re.compile(r"([a-z][a-z0-9_]{0,62}):(more|less)")


def gauge(spelled: str) -> Metric:
    """A maker's own watched gauge: ``name:more`` or ``name:less``, the side that is worse.

    It must be a quantity of which twice as much means something (seconds, amperes, not °C or dBm). Raises `Invalid`.
    """
    match = _GAUGE.fullmatch(spelled.strip())
    if match is None:
        raise Invalid(f"a watched gauge is spelled name:more or name:less, not {spelled!r}", where="cohort_gauges")
    name, direction = match.group(1), match.group(2)
    if name in BY_NAME or any(name == metric.of for metric in METRICS):
        raise Invalid(f"{name} is watched already", where="cohort_gauges")
    known = CATALOGUE.get(name)
    if known is not None and known.kind == "counter":
        raise Invalid(f"{name} is a counter, not a gauge", where="cohort_gauges")
    return Metric(
        name,
        source="level",
        mode=mode_of_metric(name).id,
        says="show {name}",
        repeats=True,
        kind="mean",
        direction="more" if direction == "more" else "less",
        unit=known.unit if known else "",
        how="high",
        of=name,
    )


def watched_metrics(gauges: Sequence[str] = ()) -> tuple[Metric, ...]:
    """The registry with a maker's own gauges (see `gauge`). Raises `Invalid` for one that is named twice or wrongly."""
    own = tuple(gauge(one) for one in gauges)
    names = [metric.name for metric in own]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"{name} is named twice", where="cohort_gauges")
    return METRICS + own


CONFIDENCE_ALPHA = 0.05
"""The displayed interval is a 95 % confidence sequence."""

CRITICAL_LOW = 1.25
"""A release whose ratio is surely above this is a critical finding."""

PLACEBO_LOG_E = 2.995732273553991
"""log 20: the placebo speaks at the level of the displayed interval."""

PRE_HOURS = 14 * 24
"""The pre-period: how long each device's own past is looked at."""

WASHOUT_HOURS = 3 * 24
"""Left out before the release when the past is long enough: recent trouble may have caused the update."""

LEAST_PRE_HOURS = 7 * 24
"""A past is long enough for the wash-out when this much of it remains."""

SILENT_HOURS = 12
"""A device that does not report for this long has fallen silent;"""
SLEEPY_SILENT_HOURS = 48
"""one that sleeps (docs/liveness.md) only after this long."""

UPDATE_HOURS = 24
"""A device that was told to install the release and was last heard not later than this after that fell silent by the release."""

HOURLY_FOR_HOURS = 14 * 24
"""Looks are hourly for this long after the first wave, then daily."""

WATCH_AFTER_ROLLOUT_HOURS = 14 * 24
"""The watch ends this long after the last device got the release."""
