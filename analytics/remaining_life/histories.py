"""Histories of units as what remaining life is learned from.

A unit is one life of one part: an engine, the battery of a lock from the day it was put in. Its rows are moments at which it was
looked at, in the order of its age. A unit that was still at work when it was last looked at is right-censored: it lived *longer* than
that, and is never taken as failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hearthwatch.errors import Invalid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One life: ``age`` (n,) in cycles or days, growing; ``settings`` (n, k), the operating conditions, and ``signals`` (n, m), what was
    measured, NaN where nothing was; ``failed_at`` the age at which it failed, None when it was still at work at its last row.

    ``stands_for`` is how many units of a large fleet this one was drawn for. ``name`` is for messages only: nothing is learned from it.
    Raises `Invalid` when the shapes do not agree, ages do not grow, a setting is not finite, or rows lie after the failure.
    """

    name: str
    age: Floats
    settings: Floats
    signals: Floats
    failed_at: float | None = None
    stands_for: float = 1.0

    def __post_init__(self) -> None:
        rows = len(self.age)
        if not rows:
            raise Invalid("the history has no rows", where=f"unit {self.name}")
        if self.settings.ndim != 2 or self.signals.ndim != 2 or {len(self.settings), len(self.signals)} != {rows}:
            raise Invalid("ages, settings and signals differ in their number of rows", where=f"unit {self.name}")
        if not (np.isfinite(self.age).all() and (np.diff(self.age) > 0).all()):
            raise Invalid("ages must be finite and grow from row to row", where=f"unit {self.name}")
        if not np.isfinite(self.settings).all():
            raise Invalid("an operating condition is not a finite number", where=f"unit {self.name}")
        if self.failed_at is not None and not self.failed_at >= self.age[-1]:
            raise Invalid(f"rows after the failure at age {self.failed_at:g}", where=f"unit {self.name}")

    @property
    def known_until(self) -> float:
        """The age up to which it is known whether the unit failed."""
        return float(self.age[-1]) if self.failed_at is None else self.failed_at

    def until(self, rows: int) -> History:
        """What was known after so many rows: the future, and that it failed, is cut off."""
        return History(self.name, self.age[:rows], self.settings[:rows], self.signals[:rows], None, self.stands_for)


def in_order(histories: Sequence[History]) -> list[History]:
    """The same units in an order that depends on what they hold alone, not on the order given or on their names."""
    return sorted(histories, key=lambda unit: (unit.known_until, unit.failed_at is None, _digest(unit)))


def _digest(unit: History) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in (unit.age, unit.settings, unit.signals):
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.digest()


def same_columns(histories: Sequence[History]) -> tuple[int, int]:
    """How many settings and signals all units have. Raises `Invalid` when there are no units or they differ."""
    if not histories:
        raise Invalid("there are no histories to learn from")
    shapes = {(unit.settings.shape[1], unit.signals.shape[1]) for unit in histories}
    if len(shapes) > 1:
        raise Invalid(f"units differ in their numbers of settings and signals: {sorted(shapes)}")
    return shapes.pop()


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """For every row of all units, one after the other: ``life``, what was left, capped; ``known``, whether that is known; ``weight``, the
    inverse of the chance that it became known (1 where nobody was censored); ``unit``, the index of the row's unit."""

    life: Floats
    known: Flags
    weight: Floats
    unit: Ints


MOST_WEIGHT = 10.0
"""A row stands for at most so many whose end is not known; more would let few units decide."""


def targets_of(histories: Sequence[History], cap: float) -> Targets:
    """What was left at every row, capped at ``cap``.

    Of a censored unit the capped life is known where it was followed for ``cap`` more, and only there. Long lives are therefore known less
    often than short ones, and what is known is weighed by the inverse probability of not being censored until then, by a Kaplan-Meier
    estimate of the censoring over age (IPCW; Robins and Finkelstein, Biometrics 2000).
    """
    age = np.concatenate([unit.age for unit in histories])
    unit = np.repeat(np.arange(len(histories)), [len(one.age) for one in histories])
    end = np.array([one.known_until for one in histories])[unit]
    failed = np.array([one.failed_at is not None for one in histories])[unit]
    left = end - age
    life = np.minimum(left, cap)
    known = failed | (left >= cap)
    weight = np.exp(_followed(histories, age) - _followed(histories, age + life))
    drawn = np.array([one.stands_for for one in histories])[unit]
    return Targets(life, known, np.where(known, np.minimum(weight, MOST_WEIGHT) * drawn, 0.0), unit.astype(np.int64))


def _followed(histories: Sequence[History], at: Floats) -> Floats:
    """The logarithm of the chance to be followed to just before each age in ``at``, by Kaplan-Meier with censoring as the event.

    A unit is at risk from the age at which it was first seen (left truncation). One that fails at the age at which another is censored was
    not at risk any more: failures come first. Where all at risk were censored at once the chance would be 0; only differences between
    ages through which some unit was followed are used, so that any small number will do.
    """
    begins, ends = (np.array([pick(unit) for unit in histories]) for pick in (_begin, _end))
    weight = np.array([unit.stands_for for unit in histories])
    failing = np.array([unit.failed_at is not None for unit in histories])
    if failing.all():
        return np.zeros(len(at))
    ages = np.unique(ends[~failing])
    events = _weight_until(ends[~failing], weight[~failing], ages, "right")
    events = np.diff(events, prepend=0.0)
    at_risk = _weight_until(begins, weight, ages, "right") - _weight_until(ends, weight, ages, "left")
    at_risk -= _weight_until(ends[failing], weight[failing], ages, "right")
    at_risk += _weight_until(ends[failing], weight[failing], ages, "left")
    stayed = np.maximum(1.0 - events / np.maximum(at_risk, events), 1e-9)
    result: Floats = np.concatenate([[0.0], np.cumsum(np.log(stayed))])[np.searchsorted(ages, at, side="left")]
    return result


def _begin(unit: History) -> float:
    return float(unit.age[0])


def _end(unit: History) -> float:
    return unit.known_until


def _weight_until(values: Floats, weight: Floats, at: Floats, side: Literal["left", "right"]) -> Floats:
    """The weight of all values up to each in ``at``, without (left) or with (right) those that equal it."""
    order = np.argsort(values, kind="stable")
    total: Floats = np.concatenate([[0.0], np.cumsum(weight[order])])
    return total[np.searchsorted(values[order], at, side=side)]
