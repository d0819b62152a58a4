"""What would be needed for a decision: days at this pace, or devices at once, in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analytics.cohorts.streams import Start, Stream
from analytics.cohorts.weighing import LOG_2, Basis, Weight
from analytics.sequential.cluster import Estimate, RateSums
from analytics.sequential.planning import better_at, devices_needed, hours_needed, needed, same_at
from hearthwatch.said import Said

_MOST_DAYS = 365.0
"""Further ahead nothing is foretold."""
_MOST_DEVICES = 1_000_000
_LEAST_HOURS = 24
"""The pace is taken from two looks that are at least so far apart."""


@dataclass(frozen=True, slots=True)
class Decision:
    """``days`` more at this pace, or ``devices`` instead of as many as there are, each None where that would not do; ``says`` it all."""

    days: float | None
    devices: int | None
    says: Said


def decide(
    stream: Stream, weight: Weight, *, needed_e: float, until: int, first_wave: int, guard: int, margin: float
) -> Decision | None:
    """What the stream still needs if things go on as they did; None where first events alone may speak, which can not be foretold.

    ``needed_e`` is the e-value that pages; ``until`` and ``first_wave`` are hours.
    """
    metric = stream.metric
    if not metric.repeats or weight.arms_drifted or not min(weight.devices):
        return None
    basis = Basis(weight.assignment == "randomised", stream.past.rates)
    if not basis.randomised and not weight.past_known:
        return Decision(None, None, Said("More time will not decide it; waves drawn by lot would."))
    few = min(_devices_with_events(basis.of(stream)))
    then = _earlier(stream, until)
    if few < guard or weight.found is None:
        return _until_guard(basis, then, few, guard, until, weight.devices[0])
    return _until_decided(
        basis, stream, then, weight, needed_e, until - first_wave, first_wave, metric.margin or margin
    )


def _until_guard(basis: Basis, then: Start | None, few: int, guard: int, until: int, treated: int) -> Decision:
    """Until enough devices have had an event."""
    devices = math.ceil(treated * guard / few) if few else None
    days = None
    if then is not None:
        before = min(_devices_with_events(then.everyone if basis.randomised else then.known))
        pace = (few - before) / (until - then.hour) * 24.0
        days = (guard - few) / pace if pace > 0 else None
    return _decision(days, devices, treated, Said("before anything can be said"))


def _until_decided(
    basis: Basis,
    stream: Stream,
    then: Start | None,
    weight: Weight,
    needed_e: float,
    hours: int,
    first_wave: int,
    margin: float,
) -> Decision:
    """Until the evidence or the interval is expected to settle it, whichever comes first."""
    found = weight.found
    if found is None:
        raise ValueError("there is no estimate to foretell from")
    word, target = _nearest(stream, weight, found, needed_e, margin)
    treated = weight.devices[0]
    devices = devices_needed(target, devices=treated, information=found.information)
    days = math.inf
    if then is not None:
        earlier = basis.estimate(then.everyone if basis.randomised else then.known)
        looks = (float(then.hour - first_wave), earlier.information), (float(hours), found.information)
        days = (hours_needed(target, then=looks[0], now=looks[1]) - hours) / 24.0
    return _decision(days, devices if math.isfinite(devices) else None, treated, _ending(word))


def _nearest(stream: Stream, weight: Weight, found: Estimate, needed_e: float, margin: float) -> tuple[str, float]:
    """The verdict that needs least further information if the ratio stays as it is, and how much information that is."""
    metric = stream.metric
    facing = found.facing(metric.direction)
    halved = LOG_2 if weight.log_e_first is not None else 0.0
    low, high = (float(np.log(bound)) for bound in metric.bounds)
    bound = 0.0 if weight.assignment == "randomised" else -float(np.log(margin))
    tau, information = metric.tau, facing.information
    threshold = float(np.log(needed_e)) + halved
    targets = {
        "worse": needed(facing.theta - float(np.log(margin)), information, log_threshold=threshold, tau=tau),
        "better": better_at(facing.theta, information, bound=bound, tau=tau),
        "same": same_at(facing.theta, information, low=low, high=high, tau=tau),
    }
    word = min(targets, key=lambda one: targets[one])
    return word, targets[word]


def _ending(word: str) -> Said:
    return {
        "worse": Said("until it would be called worse, if it stays as it is"),
        "better": Said("until it would be called better, if it stays as it is"),
        "same": Said("until it would be called the same, if it stays as it is"),
    }[word]


def _decision(days: float | None, devices: int | float | None, treated: int, ending: Said) -> Decision:
    shown_days = days if days is not None and 0.0 <= days <= _MOST_DAYS else None
    shown = int(devices) if devices is not None and treated < devices <= _MOST_DEVICES else None
    instead: dict[str, object] = {"devices": shown, "treated": treated}
    if shown_days is None:
        says = Said("It can not be foretold when it is decided.")
        if shown is not None:
            says = Said(
                "These devices alone will not decide it; {devices} devices instead of {treated} would.", **instead
            )
        return Decision(None, shown, says)
    if shown is None:
        return Decision(
            shown_days, None, Said("About {more} at this pace {ending}.", more=_days(shown_days), ending=ending)
        )
    says = Said(
        "About {more} at this pace, or {devices} devices instead of {treated}, {ending}.",
        more=_days(shown_days),
        ending=ending,
        **instead,
    )
    return Decision(shown_days, shown, says)


def _days(days: float) -> Said:
    if days < 1.0:
        hours = max(1, round(days * 24))
        return Said("1 more hour") if hours == 1 else Said("{count} more hours", count=hours)
    whole = round(days)
    return Said("1 more day") if whole == 1 else Said("{count} more days", count=whole)


def _earlier(stream: Stream, until: int) -> Start | None:
    """The start to take the pace from: half-way between the first and now, at least a day ago."""
    usable = [start for start in stream.starts if start.hour <= until - _LEAST_HOURS]
    if not usable:
        return None
    middle = (stream.starts[0].hour + until) / 2
    return min(usable, key=lambda start: abs(start.hour - middle))


def _devices_with_events(sums: RateSums) -> tuple[int, int]:
    return int(np.count_nonzero(sums.events_treated)), int(np.count_nonzero(sums.events_control))
