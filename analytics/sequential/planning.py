"""What is still needed for a decision: the information at which a test or an interval is expected to decide if the ratio stays as it is.

Information is 1 / variance of the log ratio. It grows with hours only up to what the number of devices allows: the variance is about
c + d / t, c being what the devices differ by and d the noise of their events; `hours_needed` and `devices_needed` turn it into either.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from analytics.sequential.mixture import TAU_RATE, half_width, log_e_worse

_MOST_INFORMATION = 1e12  # a log ratio known to one millionth; nothing that is measured gets there
_STEPS = 200


def needed(theta: float, information: float, *, log_threshold: float, tau: float = TAU_RATE) -> float:
    """The information at which the evidence for "theta > 0" is expected to reach ``log_threshold`` if the estimate stays ``theta``.

    ``theta`` is a log ratio with the margin already subtracted, positive where worse; ``log_threshold`` > 0 is the natural logarithm of e.
    ``information`` is what there is now, and the least that is given back. Infinite where it never gets there.
    """
    if theta <= 0.0:
        return math.inf
    return _first(lambda at: float(log_e_worse(theta, at, tau)) >= log_threshold, information)


def clears_at(distance: float, information: float = 0.0, *, alpha: float = 0.05, tau: float = TAU_RATE) -> float:
    """The information, at least ``information``, at which half the width of the confidence sequence is at most ``distance`` > 0.

    With the distance from the estimate to a bound: when the interval leaves that bound behind. Infinite for no distance.
    """
    if distance <= 0.0:
        return math.inf
    return _first(lambda at: float(half_width(at, alpha, tau)) <= distance, information)


def better_at(
    theta: float, information: float, *, bound: float = 0.0, alpha: float = 0.05, tau: float = TAU_RATE
) -> float:
    """The information at which the whole interval is expected to lie below the log ratio ``bound``; infinite if theta does not."""
    return clears_at(bound - theta, information, alpha=alpha, tau=tau)


def same_at(
    theta: float, information: float, *, low: float, high: float, alpha: float = 0.05, tau: float = TAU_RATE
) -> float:
    """The information at which the interval is expected to lie within the log ratios ``low`` and ``high``; infinite if theta does not."""
    return clears_at(min(theta - low, high - theta), information, alpha=alpha, tau=tau)


def hours_needed(target: float, *, then: tuple[float, float], now: tuple[float, float]) -> float:
    """The hours of watching at which the information will be ``target``, from two looks given as (hours watched, information).

    From 1 / information = c + d / hours. Infinite where these devices will never tell, or the two looks do not tell how it grows.
    """
    (hours_then, information_then), (hours, information) = then, now
    if information >= target > 0.0:
        return hours
    if not 0.0 < hours_then < hours or information_then <= 0.0 or information <= information_then:
        return math.inf
    noise = (1.0 / information_then - 1.0 / information) / (1.0 / hours_then - 1.0 / hours)
    between = max(0.0, 1.0 / information - noise / hours)
    left = 1.0 / target - between
    return noise / left if left > 0.0 else math.inf


def devices_needed(target: float, *, devices: int, information: float) -> float:
    """How many treated devices would give ``target`` after the same hours, the control growing alike; infinite without information."""
    return math.ceil(devices * target / information) if information > 0.0 and math.isfinite(target) else math.inf


def _first(reached: Callable[[float], bool], least: float) -> float:
    """The least information from ``least`` on where it is reached, for what stays reached once it is."""
    if least > 0.0 and reached(least):
        return least
    low = max(least, 1e-9)
    high = low
    while not reached(high):
        low, high = high, 2.0 * high
        if high > _MOST_INFORMATION:
            return math.inf
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if high - low <= 1e-12 * high:
            break
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
