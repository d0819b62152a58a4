"""From the running sums of a metric to numbers: e-values, ratio with interval, and whether the arms were alike before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.cohorts.spec import CONFIDENCE_ALPHA, PLACEBO_LOG_E
from analytics.cohorts.streams import Stream
from analytics.sequential.cluster import Adjustment, Estimate, RateSums, estimate, past_difference
from analytics.sequential.logrank import LogrankEvidence
from analytics.sequential.mixture import Floats, half_width, log_e_different, log_e_worse

NO_EVIDENCE = float("-inf")
LOG_2 = float(np.log(2.0))

Assignment = Literal["randomised", "staged", "unknown"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """An effect: more than 1 is worse. [low, high] is a 95 % confidence sequence: it holds at all looks together."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Weight:
    """What the evidence about one metric of one release amounts to.

    ``log_e`` is the stream's: max(e_rate, e_first) / 2 where both may speak. ``rate`` and ``first`` are None where that test may
    not speak; ``unadjusted`` compares without regard to the past. ``arms_differed``: the devices that have the release already had other
    rates (``before`` times) when they did not have it. ``arms_drifted``: they were not even moving in parallel. ``assignment`` is
    the release's, "unknown" where the past refutes it. Numbers of devices, hours and events are (treatment, control).
    """

    assignment: Assignment
    log_e: float
    log_e_rate: float | None
    log_e_first: float | None
    rate: Ratio | None
    first: Ratio | None
    unadjusted: Ratio | None
    before: float | None
    arms_differed: bool
    arms_drifted: bool
    past_known: bool
    devices: tuple[int, int]
    hours: tuple[float, float]
    events: tuple[float, float]
    devices_with_events: tuple[int, int]
    beta: float = 0.0

    @property
    def ratio(self) -> Ratio | None:
        """The effect to show: the rate where it may speak, else the first events, else what can be said without them."""
        return self.rate or self.first or self.unadjusted


def weigh(stream: Stream, assignment: Assignment, *, margin: float, guard: int) -> Weight:
    """Weigh a metric's evidence. ``guard``: devices with events in each arm below which the rate test may not speak."""
    sums, known = stream.everyone, stream.known
    past = stream.past.rates
    comparable = stream.metric.repeats and _guarded(_past_events(known, past), guard)
    level = past_difference(known, past) if comparable else None
    differed = level is not None and _speaks(level)
    believed: Assignment = "unknown" if differed else assignment
    randomised = believed == "randomised"
    trend = past_difference(known, *reversed(stream.past.halves)) if comparable and not randomised else None
    drifted = trend is not None and _speaks(trend)
    basis, adjustment = _basis(stream, randomised=randomised)
    may_speak = stream.metric.repeats and _guarded(_with_events(basis), guard) and (randomised or comparable)
    found = estimate(basis, past, adjustment) if may_speak else None
    log_e_rate = _log_e(found, margin) if found is not None and not drifted else None
    log_e_first = stream.logrank.log_e if randomised else None
    return Weight(
        assignment=believed,
        log_e=_combined(log_e_rate, log_e_first, both=randomised and stream.metric.repeats),
        log_e_rate=log_e_rate,
        log_e_first=log_e_first,
        rate=_ratio(found),
        first=_hazard_ratio(stream.logrank) if randomised else None,
        unadjusted=_ratio(estimate(sums)) if stream.metric.repeats and _guarded(_with_events(sums), guard) else None,
        before=float(np.exp(level.theta)) if level is not None and level.information > 0 else None,
        arms_differed=differed,
        arms_drifted=drifted,
        past_known=comparable,
        devices=(int(np.count_nonzero(sums.hours_treated)), int(np.count_nonzero(sums.hours_control))),
        hours=(float(sums.hours_treated.sum()), float(sums.hours_control.sum())),
        events=(float(sums.events_treated.sum()), float(sums.events_control.sum())),
        devices_with_events=_with_events(sums),
        beta=found.beta if found is not None else 0.0,
    )


def _basis(stream: Stream, *, randomised: bool) -> tuple[RateSums, Adjustment]:
    """Randomised arms use everyone, and the past to be sharper; arms that chose themselves are compared with their own past."""
    return (stream.everyone, "cuped") if randomised else (stream.known, "differences")


def _combined(log_e_rate: float | None, log_e_first: float | None, *, both: bool) -> float:
    """max(e_rate, e_first) / 2, which is valid whatever their dependence; a test that stands alone is not halved."""
    spoken = [log_e for log_e in (log_e_rate, log_e_first) if log_e is not None]
    return max(spoken, default=NO_EVIDENCE) - (LOG_2 if both else 0.0)


def _guarded(devices: tuple[int, int], guard: int) -> bool:
    return min(devices) >= guard


def _with_events(sums: RateSums) -> tuple[int, int]:
    return int(np.count_nonzero(sums.events_treated)), int(np.count_nonzero(sums.events_control))


def _past_events(sums: RateSums, past: Floats) -> tuple[int, int]:
    """Devices of each arm that had an event in the pre-period."""
    had = np.isfinite(past) & (past > 0)
    return int(np.count_nonzero(had & (sums.hours_treated > 0))), int(np.count_nonzero(had & (sums.hours_control > 0)))


def _log_e(found: Estimate, margin: float) -> float:
    return float(log_e_worse(found.theta - np.log(margin), found.information))


def _speaks(placebo: Estimate) -> bool:
    """The placebo: in the past there was no release, so whatever it finds is a difference between the devices."""
    return float(log_e_different(placebo.theta, placebo.information)) >= PLACEBO_LOG_E


def _ratio(found: Estimate | None) -> Ratio | None:
    if found is None or found.information <= 0:
        return None
    width = float(half_width(found.information, CONFIDENCE_ALPHA))
    return Ratio(float(np.exp(found.theta)), float(np.exp(found.theta - width)), float(np.exp(found.theta + width)))


def _hazard_ratio(logrank: LogrankEvidence) -> Ratio | None:
    return Ratio(*logrank.interval(CONFIDENCE_ALPHA)) if logrank.events else None
