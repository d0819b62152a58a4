"""Goals of a suite: what was aimed at, what came out, and by how much it was missed. Declared in the code before a run, never after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Goal = dict[str, Any]
"""``goal`` in words, ``value``, ``met``, ``missed_by`` (in the value's unit, 0 where it is met; null where there is no value)."""


def at_least(bound: float, value: float | None) -> Goal:
    """The value must reach the bound."""
    return _goal(f"at least {bound:g}", value, None if value is None else bound - value)


def above(bound: float, value: float | None) -> Goal:
    """The value must be greater than the bound, or than all of several."""
    told = _goal(f"above {bound:g}", value, None if value is None else bound - value)
    return told | {"met": value is not None and value > bound}


def within(low: float, high: float, value: float | None) -> Goal:
    """The value must not lie outside."""
    return _goal(f"{low:g} to {high:g}", value, None if value is None else max(low - value, value - high))


def at_most(bound: float, value: float | None) -> Goal:
    """The value must not exceed the bound."""
    return _goal(f"at most {bound:g}", value, None if value is None else value - bound)


def holds(number: float, value: float | None, *intervals: tuple[float | None, float | None]) -> Goal:
    """Each of the intervals of the value must hold the number; missed by how far the number lies outside."""
    outside: list[float] = []
    for low, high in intervals:
        if low is None or high is None:
            return _goal(f"its intervals hold {number:g}", value, None)
        outside.append(max(low - number, number - high))
    return _goal(f"its intervals hold {number:g}", value, max(outside))


def _goal(words: str, value: float | None, missed_by: float | None) -> Goal:
    rounded = None if missed_by is None else round(max(missed_by, 0.0), 6)
    return {"goal": words, "value": value, "met": missed_by is not None and missed_by <= 0, "missed_by": rounded}


def lines(goals: Mapping[str, Goal]) -> Iterator[str]:
    """A line for each goal, for people."""
    for name, told in goals.items():
        value = "-" if told["value"] is None else f"{told['value']:.4g}"
        missed = (
            ""
            if told["met"]
            else f"missed by {told['missed_by']:.3g}"
            if told["missed_by"] is not None
            else "nothing to judge"
        )
        yield f"goal {name}: {value}, {told['goal']}: {missed or 'met'}"
