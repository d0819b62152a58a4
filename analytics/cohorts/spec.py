"""What is watched about a release, and the constants of the watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hearthwatch.failure_modes import UNEXPECTED_REBOOTS, UNUSUAL, mode_of_metric


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the watch. More of it is worse.

    ``source`` is what it is counted from: unexpected reboot events, hours in which a counter grew, or the device's silence. ``repeats``
    says whether there is a rate beside the first event. ``says`` completes "devices on 2.5.0 ...".
    """

    name: str
    source: Literal["reboots", "counter", "silence"]
    mode: str
    says: str
    repeats: bool


SYNC_COUNTER = "sync_failed"

METRICS: tuple[Metric, ...] = (
    Metric(
        UNEXPECTED_REBOOTS,
        source="reboots",
        mode=mode_of_metric(UNEXPECTED_REBOOTS).id,
        says="reboot unexpectedly",
        repeats=True,
    ),
    Metric(
        "sync_failures",
        source="counter",
        mode=mode_of_metric(SYNC_COUNTER).id,
        says="fail to synchronise",
        repeats=True,
    ),
    Metric("went_silent", source="silence", mode=UNUSUAL.id, says="fall silent", repeats=False),
)
BY_NAME = {metric.name: metric for metric in METRICS}

CONFIDENCE_ALPHA = 0.05
"""The displayed interval is a 95 % confidence sequence."""

SAME_LOW, SAME_HIGH = 1.0 / 1.25, 1.25
"""Equivalence bounds of `same`: a closer tie cannot be shown with fewer than thousands of devices (docs/cohorts.md)."""

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

KNOWN_PAST_HOURS = 24.0
"""A device's own past is known when it reported for this many hours of the pre-period."""

SILENT_HOURS = 12
"""A device that does not report for this long has fallen silent."""

HOURLY_FOR_HOURS = 14 * 24
"""Looks are hourly for this long after the first wave, then daily."""

WATCH_AFTER_ROLLOUT_HOURS = 14 * 24
"""The watch ends this long after the last device got the release."""

CAP_QUANTILE = 0.995
LEAST_CAP = 3
"""A device's events beyond the cap of the UTC day are not counted; the cap is this quantile of device-days before the release."""
