"""What a comparison by batch, region or supplier rests on, said beside its verdict: an association where nothing changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from analytics.cohorts.verdict import Verdict, Word
from hearthwatch.said import Said

Basis = Literal["exchangeable", "randomised", "own_past"]
"""Exchangeable: no device ever changed the value. Own past: devices changed it, by a choice that is not known. Randomised: by lot."""

_SAID: frozenset[Word] = frozenset({"worse", "better"})


def basis_of(*, adopted: bool, randomised: bool) -> Basis:
    """What the arms are to each other."""
    if not adopted:
        return "exchangeable"
    return "randomised" if randomised else "own_past"


def with_basis(verdict: Verdict, basis: Basis, by: str) -> Verdict:
    """The verdict, which says that it is an association where it is one."""
    if basis != "exchangeable":
        return verdict
    name = spoken(by)
    if verdict.word in _SAID:
        more = Said(
            "This is an association: no device changed its {name}, and whatever else came along with it "
            "(age, place, use) is in the difference.",
            name=name,
        )
    else:
        more = Said("Whatever comes out is an association: no device changed its {name}.", name=name)
    return replace(verdict, why=f"{verdict.why} {more}", said=(*verdict.said, more))


def spoken(by: str) -> Said:
    """A dimension as a person calls it."""
    if by.startswith("part:"):
        return Said("{part}'s supplier", part=Said(by.removeprefix("part:")))
    return {"made": Said("month of making"), "hardware": Said("hardware revision")}.get(by, Said(by.replace("_", " ")))


def named(by: str, value: str) -> Said:
    """A value as a person calls it: ``batch B7``."""
    return Said("{dimension} {value}", dimension=spoken(by), value=value)
