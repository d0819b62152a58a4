"""Which remedy is proposed, and why. Pure: what is known of the case and the terms go in, ranked options with their reasons come out.

Under the warranty the maker pays, so what it is expected to cost the maker decides; outside it the customer's price does. Both count that a
remedy may not be enough: what follows then is a visit. Safety comes before either: nobody is left without a device that protects them, and
nobody repairs one such with their own hands, but for parts that the maker has named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.remedies.terms import REMEDIES, RemedyName, RemedyTerms

NEEDS_PART = frozenset({"ship_part", "visit", "return"})
CAUTIOUS = frozenset({"property", "injury"})
LAST_RESORT: RemedyName = "visit"


@dataclass(frozen=True, slots=True)
class Known:
    """What a proposal needs to know.

    ``covered``: whether the warranty still lasts, None where nobody knows; ``safety_class`` is the model's (none, property, injury);
    ``update`` is the version that puts it right and can be installed; ``reachable``: a home is known.
    """

    part: str | None
    mode: str | None
    covered: bool | None
    safety_class: str = "none"
    update: str | None = None
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, or why not: a code that `alerts.remedies.words` and pages know sentences for, and what is filled into them."""

    code: str
    given: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Option:
    """One remedy for this case. ``cost`` is what it costs us with its part, ``price`` what the customer pays (0 under the warranty; the
    price without it where nobody knows), ``expected`` what decides: cost or price, and what may follow; all in minor units."""

    remedy: RemedyName
    possible: bool
    cost: int
    price: int
    expected: int
    why: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The options, the best first, those that are not possible last."""

    covered: bool | None
    currency: str
    options: tuple[Option, ...]

    @property
    def best(self) -> Option | None:
        """What is proposed; None where nothing is possible."""
        return self.options[0] if self.options and self.options[0].possible else None

    def of(self, remedy: str) -> Option:
        """The option of a remedy's name."""
        return next(one for one in self.options if one.remedy == remedy)


def propose(known: Known, terms: RemedyTerms) -> Proposal:
    """Rank all remedies for a case; the first is proposed."""
    options = [_option(name, known, terms) for name in REMEDIES]
    order = sorted(options, key=lambda one: (not one.possible, one.expected, one.cost, REMEDIES.index(one.remedy)))
    return Proposal(known.covered, terms.currency, tuple(_compared(order, known)))


def _option(name: RemedyName, known: Known, terms: RemedyTerms) -> Option:
    remedy, part = terms.of(name), terms.of_part(known.part if name in NEEDS_PART else None)
    cost = remedy.cost + part.cost
    price = 0 if known.covered else remedy.price + part.price
    fallback, its_part = terms.of(LAST_RESORT), terms.of_part(known.part)
    after = fallback.cost + its_part.cost if known.covered else fallback.price + its_part.price
    missed = 0 if name == LAST_RESORT else (100 - remedy.helps) * after // 100
    obstacle = _obstacle(name, known, terms)
    why = (obstacle,) if obstacle else ()
    return Option(name, obstacle is None, cost, price, (cost if known.covered else price) + missed, why)


def _obstacle(name: RemedyName, known: Known, terms: RemedyTerms) -> Reason | None:
    cautious = known.safety_class in CAUTIOUS
    if name == "update" and known.update is None:
        return Reason("no_update")
    if name == "remote_fix" and not (known.mode in terms.remote_modes or (known.mode is None and known.part is None)):
        return Reason("not_remote", {"mode": known.mode or known.part or ""})
    if name == "ship_part":
        if known.part is None:
            return Reason("part_unknown")
        if known.part not in terms.self_service_parts:
            return Reason("needs_hands", {"part": known.part})
        if cautious and known.part not in terms.self_service_safety_parts:
            return Reason("safety_hands", {"part": known.part})
    if name == "return" and cautious:
        return Reason("safety_without")
    if name == "visit" and not known.reachable:
        return Reason("no_home")
    return None


def _compared(order: list[Option], known: Known) -> list[Option]:
    """The options with the sentences that compare them to the first."""
    best = order[0]
    found = []
    for one in order:
        why = list(one.why)
        if one.possible and one is best:
            why.append(Reason("cheapest_for_us" if known.covered else "cheapest_for_customer"))
            if one.remedy == "update" and known.update:
                why.append(Reason("update_fixes", {"version": known.update}))
            if known.safety_class in CAUTIOUS:
                why.append(Reason("safety_class", {"safety_class": known.safety_class}))
        elif one.possible:
            why.append(Reason("dearer", {"more": one.expected - best.expected}))
        found.append(Option(one.remedy, one.possible, one.cost, one.price, one.expected, tuple(why)))
    return found
