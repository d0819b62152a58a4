"""What a comparison by batch, region or supplier rests on, said beside its verdict: an association where nothing changed."""

from __future__ import annotations

from typing import Literal

from analytics.cohorts.verdict import Verdict, Word

Basis = Literal["exchangeable", "randomised", "own_past"]
"""Exchangeable: no device ever changed the value. Own past: devices changed it, by a choice that is not known. Randomised: by lot."""

_SAID: frozenset[Word] = frozenset({"worse", "better"})


def basis_of(*, adopted: bool, randomised: bool) -> Basis:
    """What the arms are to each other."""
    if not adopted:
        return "exchangeable"
    return "randomised" if randomised else "own_past"


def with_basis(verdict: Verdict, basis: Basis, by: str) -> str:
    """The verdict's sentence, and that it is an association where it is one."""
    name = spoken(by)
    if basis != "exchangeable":
        return verdict.why
    if verdict.word in _SAID:
        return (
            f"{verdict.why} This is an association: no device changed its {name}, and whatever else came along with it "
            "(age, place, use) is in the difference."
        )
    return f"{verdict.why} Whatever comes out is an association: no device changed its {name}."


def spoken(by: str) -> str:
    """A dimension as a person calls it."""
    if by.startswith("part:"):
        return f"{by.removeprefix('part:')}'s supplier"
    return {"made": "month of making", "hardware": "hardware revision"}.get(by, by.replace("_", " "))


def named(by: str, value: str) -> str:
    """A value as a person calls it: ``batch B7``."""
    return f"{spoken(by)} {value}"
