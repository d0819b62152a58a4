"""Rates of events in the field with their intervals, and whether a rate has changed."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95
DAYS_PER_MONTH = 365.25 / 12
PER = 1000
Share = tuple[float, float, float]
"""A share with the ends of its 95 % interval."""
"""Rates are per so many device-months."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` events in ``months`` device-months; ``per_1000`` with its exact interval, None where nothing was under observation."""

    count: int
    months: float
    per_1000: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """The rate of a later time over that of an earlier one, with its exact interval; None where it can not be said."""

    ratio: float | None
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves no change out."""
        return (self.low is not None and self.low > 1) or (self.high is not None and self.high < 1)


def rate(count: int, months: float) -> Rate:
    """A rate with its exact 95 % interval for a Poisson count (Garwood 1936, Biometrika 28, Fiducial limits for the Poisson distribution).

    The interval is right for events that do not depend on one another; a device that fails again and again makes it too narrow.
    """
    if months <= 0:
        return Rate(count, 0.0, None, None, None)
    from scipy.special import gammaincinv  # whoever only asks for the API's pages does not wait for it

    tail = (1 - LEVEL) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    high = float(gammaincinv(count + 1, 1 - tail))
    return Rate(count, months, *(PER * value / months for value in (count, low, high)))


def change(before: Rate, after: Rate) -> Change:
    """How a rate has changed: given their sum, the later count is binomial (Przyborowski, Wilenski 1940, Biometrika 31).

    The interval is the exact one of Clopper and Pearson (1934, Biometrika 26) for its share, turned into a ratio of rates.
    """
    if before.months <= 0 or after.months <= 0 or before.count + after.count == 0:
        return Change(None, None, None)
    from scipy.special import betaincinv

    weight = before.months / after.months
    total, tail = before.count + after.count, (1 - LEVEL) / 2
    low = float(betaincinv(after.count, total - after.count + 1, tail)) if after.count else 0.0
    high = float(betaincinv(after.count + 1, total - after.count, 1 - tail)) if before.count else 1.0
    ratio = weight * after.count / before.count if before.count else None
    return Change(ratio, weight * low / (1 - low), weight * high / (1 - high) if high < 1 else None)


def share(hits: int, total: int) -> Share | None:
    """A share with its 95 % interval (Wilson 1927, Journal of the American Statistical Association 22); None of nothing."""
    if total == 0:
        return None
    z2 = 1.959964**2
    centre = (hits + z2 / 2) / (total + z2)
    half = (z2 * (hits * (total - hits) / total + z2 / 4)) ** 0.5 / (total + z2)
    return hits / total, max(0.0, centre - half), min(1.0, centre + half)
