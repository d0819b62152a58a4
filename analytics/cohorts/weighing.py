"""From the running sums of a metric to numbers: e-values, ratio with interval, and whether the arms were alike before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.cohorts.spec import CONFIDENCE_ALPHA, PLACEBO_LOG_E, Metric
from analytics.cohorts.streams import Stream
from analytics.sequential.cluster import Estimate, RateSums, estimate, past_difference
from analytics.sequential.detector import late_log_e
from analytics.sequential.logrank import LogrankEvidence
from analytics.sequential.mixture import TAU_RATE, Direction, Floats, half_width, log_e_different, log_e_worse

NO_EVIDENCE = float("-inf")
LOG_2 = float(np.log(2.0))

Assignment = Literal["randomised", "staged", "unknown"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """An effect: what the new firmware has over what the old one has. [low, high] is a 95 % confidence sequence: it holds at all looks
    together."""

    value: float
    low: float
    high: float

    def facing(self, direction: Direction) -> Ratio:
        """The same with more than 1 where it is worse."""
        return self if direction == "more" else Ratio(_inverse(self.value), _inverse(self.high), _inverse(self.low))


@dataclass(frozen=True, slots=True)
class Late:
    """What a late regression looks like: the e-detector's ``log_e``, the hour (since 1970) of the start that says most, and the ratio
    since.

    ``whole``: that start is the beginning, so that nothing began late.
    """

    log_e: float
    since: int
    ratio: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """What the evidence about one metric of one release amounts to.

    ``log_e`` is the stream's: max(e_rate, e_first) / 2 where both may speak. ``rate`` and ``first`` are None where that test may
    not speak; ``unadjusted`` compares without regard to the past. ``arms_differed``: the devices that have the release already had other
    rates (``before`` times) when they did not have it. ``arms_drifted``: they were not even moving in parallel. ``assignment`` is
    the release's, "unknown" where the past refutes it. Numbers of devices, hours and events are (treatment, control). ``found`` is the
    estimate behind ``rate``; ``late`` is what the e-detector says, None where it may not speak. ``suspicion``: where the waves are not
    known to be randomised and nothing else may speak, a difference beyond the margin that who updated first may explain.
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
    found: Estimate | None = None
    late: Late | None = None
    suspicion: Ratio | None = None

    @property
    def ratio(self) -> Ratio | None:
        """The effect to show: the rate where it may speak, else the first events, else what can be said without them."""
        return self.rate or self.first or self.unadjusted


@dataclass(frozen=True, slots=True)
class Basis:
    """What a comparison rests on: randomised arms use everyone, and the past to be sharper; arms that chose themselves are compared with
    their own past, those of them that have one."""

    randomised: bool
    past: Floats

    def of(self, stream: Stream) -> RateSums:
        """The sums it uses."""
        return stream.everyone if self.randomised else stream.known

    @property
    def adjustment(self) -> Literal["cuped", "differences"]:
        """How the past is used."""
        return "cuped" if self.randomised else "differences"

    def estimate(self, sums: RateSums) -> Estimate:
        """The log ratio."""
        return estimate(sums, self.past, self.adjustment)


def weigh(stream: Stream, assignment: Assignment, *, margin: float, guard: int) -> Weight:
    """Weigh a metric's evidence. ``guard``: devices with events in each arm below which the rate test may not speak. A metric's own margin
    goes before ``margin``."""
    metric, sums, known = stream.metric, stream.everyone, stream.known
    margin = metric.margin or margin
    past = stream.past.rates
    comparable = metric.repeats and _guarded(_past_events(known, past), guard)
    level = past_difference(known, past) if comparable else None
    differed = level is not None and _speaks(level, metric)
    believed: Assignment = "unknown" if differed else assignment
    basis = Basis(believed == "randomised", past)
    randomised = basis.randomised
    trend = past_difference(known, *reversed(stream.past.halves)) if comparable and not randomised else None
    drifted = trend is not None and _speaks(trend, metric)
    may_speak = metric.repeats and _guarded(_with_events(basis.of(stream)), guard) and (randomised or comparable)
    found = basis.estimate(basis.of(stream)) if may_speak else None
    log_e_rate = _log_e(found, metric, margin) if found is not None and not drifted else None
    log_e_first = stream.logrank.log_e if randomised and metric.has_first_events else None
    unadjusted = _ratio(estimate(sums), metric.tau) if metric.repeats and _guarded(_with_events(sums), guard) else None
    return Weight(
        assignment=believed,
        log_e=_combined(log_e_rate, log_e_first, both=randomised and metric.repeats and metric.has_first_events),
        log_e_rate=log_e_rate,
        log_e_first=log_e_first,
        rate=_ratio(found, metric.tau),
        first=_hazard_ratio(stream.logrank) if log_e_first is not None else None,
        unadjusted=unadjusted,
        before=float(np.exp(level.theta)) if level is not None and level.information > 0 else None,
        arms_differed=differed,
        arms_drifted=drifted,
        past_known=comparable,
        devices=(int(np.count_nonzero(sums.hours_treated)), int(np.count_nonzero(sums.hours_control))),
        hours=(float(sums.hours_treated.sum()), float(sums.hours_control.sum())),
        events=(float(sums.events_treated.sum()), float(sums.events_control.sum())),
        devices_with_events=_with_events(sums),
        beta=found.beta if found is not None else 0.0,
        found=found,
        late=_late(stream, basis, margin, guard) if log_e_rate is not None else None,
        suspicion=None if randomised or log_e_rate is not None else _suspicion(stream, unadjusted, margin),
    )


def _suspicion(stream: Stream, unadjusted: Ratio | None, margin: float) -> Ratio | None:
    """The plain difference, by rates or else by first events, if all of its interval is worse than the margin."""
    seen = unadjusted
    if seen is None and stream.metric.has_first_events:
        seen = _hazard_ratio(stream.logrank)
    return seen if seen is not None and seen.facing(stream.metric.direction).low > margin else None


def _late(stream: Stream, basis: Basis, margin: float, guard: int) -> Late | None:
    """The e-detector over the day ends since the first wave. It may speak where the rate may."""
    metric = stream.metric
    now = basis.of(stream)
    starts = [start.everyone if basis.randomised else start.known for start in stream.starts]
    log_e, index = late_log_e(
        now,
        starts,
        basis.past,
        basis.adjustment,
        margin=margin,
        guard=guard,
        tau=metric.tau,
        direction=metric.direction,
    )
    if index < 0:
        return None
    found = basis.estimate(now.since(starts[index]))
    whole = not starts[index].hours_treated.any()
    return Late(log_e, stream.starts[index].hour, float(np.exp(found.theta)), whole)


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


def _log_e(found: Estimate, metric: Metric, margin: float) -> float:
    facing = found.facing(metric.direction)
    return float(log_e_worse(facing.theta - np.log(margin), facing.information, metric.tau))


def _speaks(placebo: Estimate, metric: Metric) -> bool:
    """The placebo: in the past there was no release, so whatever it finds is a difference between the devices."""
    return float(log_e_different(placebo.theta, placebo.information, metric.tau)) >= PLACEBO_LOG_E


def _ratio(found: Estimate | None, tau: float = TAU_RATE) -> Ratio | None:
    if found is None or found.information <= 0:
        return None
    width = float(half_width(found.information, CONFIDENCE_ALPHA, tau))
    with np.errstate(over="ignore"):
        return Ratio(float(np.exp(found.theta)), float(np.exp(found.theta - width)), float(np.exp(found.theta + width)))


def _hazard_ratio(logrank: LogrankEvidence) -> Ratio | None:
    return Ratio(*logrank.interval(CONFIDENCE_ALPHA)) if logrank.events else None


def _inverse(value: float) -> float:
    return 1.0 / value if value > 0 else float("inf")
