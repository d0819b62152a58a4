"""What a preventive replacement is offered for: part, day, warranty and price, as letters say it and as it is kept with the notice.

A price is told only where the policy's text names it, for the visit and for the part: what Hearthwatch assumes where nothing is said serves
to compare remedies, and is no offer to a customer. Where none is named, letters say that the price comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from alerts.notices.subjects import Cost
from alerts.remedies.money import told
from alerts.remedies.terms import RemedyTerms
from hearthwatch.records.warranties import Warranty

KEY = "replacement"
"""Where it stands among a notice's reasons."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """An offer. ``covered``: whether the warranty lasts, None where nobody knows; ``warranty_until``: when it ends or ended.

    ``price`` is what a visit with the part costs outside the warranty, in minor units of ``currency``; both are None where no price is
    named, or none is to be paid because the warranty lasts.
    """

    part: str
    act_by: datetime | None
    covered: bool | None
    warranty_until: datetime | None
    price: int | None
    currency: str | None

    @property
    def kept(self) -> dict[str, Any]:
        """As JSON, for the reasons of a notice."""
        days = {name: getattr(self, name) for name in ("act_by", "warranty_until")}
        return asdict(self) | {name: day.isoformat() if day else None for name, day in days.items()}

    def cost(self, language: str) -> Cost:
        """Who pays how much, for readers of a language (a catalogue's name)."""
        if self.price == 0:
            return Cost(covered=True)
        price = told(self.price, self.currency, language) if self.price and self.currency else None
        return Cost(self.covered, self.warranty_until, price)


def offered(terms: RemedyTerms, warranty: Warranty, part: str, act_by: datetime | None, now: datetime) -> Replacement:
    """What is offered today: free under the warranty, else at the price that the policy names, if it names one."""
    covered = warranty.covers(now)
    price = None if covered else _price(terms, part)
    currency = terms.currency if price is not None else None
    return Replacement(part, act_by, covered, warranty.until, price, currency)


def of_reasons(why: Mapping[str, Any] | None) -> Replacement | None:
    """What a notice offered, read from its reasons; None where that was not kept."""
    kept = (why or {}).get(KEY)
    if not kept:
        return None
    days = {name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("act_by", "warranty_until")}
    return Replacement(**{**kept, **days})


def _price(terms: RemedyTerms, part: str) -> int | None:
    named = terms.model_fields_set
    if "visit" not in named or not (part in terms.parts or "part" in named):
        return None
    return terms.visit.price + terms.of_part(part).price
