"""The part ``[remedies]`` of the policy's text: what each remedy costs the maker, what the customer pays for it outside the warranty.

Money is whole numbers of the currency's smallest unit (cents, fen; yen have none below them): ISO 4217 names currency and unit. Sums of
whole numbers are exact, those of binary fractions are not.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from babel.numbers import is_currency
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hearthwatch.said import Said

RemedyName = Literal["remote_fix", "update", "ship_part", "swap", "visit", "return"]
REMEDIES: tuple[RemedyName, ...] = get_args(RemedyName)


def _known_currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError(Said("{code} is no currency of ISO 4217 (EUR, CNY, USD, ...)", code=repr(code)))
    return code


Currency = Annotated[str, AfterValidator(_known_currency)]
Money = Annotated[int, Field(ge=0, le=10**12)]
"""Minor units of the currency."""


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Remedy(_Terms):
    """``cost`` is ours, ``price`` the customer's outside the warranty, both without parts; of a hundred cases it is enough in ``helps``."""

    cost: Money
    price: Money
    helps: int = Field(ge=1, le=100)


class Part(_Terms):
    """What a spare part costs us, and the customer outside the warranty."""

    cost: Money
    price: Money


class RemedyTerms(_Terms):
    """All of it. Parts without an entry cost what ``part`` says.

    ``self_service_parts`` are those that customers may put in themselves, ``self_service_safety_parts`` the ones of them that they may
    also put into a device whose failure may do harm. ``remote_modes`` are failure modes that can be put right from afar. An approval that
    nobody gives, or that nobody makes use of, ends after ``approval_days``.
    """

    currency: Currency = "EUR"
    approval_days: float = Field(14, gt=0, le=365, strict=False)
    remote_fix: Remedy = Remedy(cost=900, price=0, helps=45)
    update: Remedy = Remedy(cost=100, price=0, helps=90)
    ship_part: Remedy = Remedy(cost=600, price=500, helps=85)
    swap: Remedy = Remedy(cost=7500, price=8900, helps=98)
    visit: Remedy = Remedy(cost=8500, price=9500, helps=95)
    return_: Remedy = Field(Remedy(cost=4500, price=5500, helps=95), alias="return")
    part: Part = Part(cost=900, price=1500)
    parts: dict[str, Part] = Field(default_factory=dict)
    self_service_parts: tuple[str, ...] = Field(("battery", "filter", "brush"), strict=False)
    self_service_safety_parts: tuple[str, ...] = Field(("battery",), strict=False)
    remote_modes: tuple[str, ...] = Field(("memory_leak", "reboots", "wifi_failing"), strict=False)

    def of(self, name: str) -> Remedy:
        """The terms of a remedy by its name."""
        found: Remedy = getattr(self, "return_" if name == "return" else name)
        return found

    def of_part(self, part: str | None) -> Part:
        """What a part costs; nothing where no part is needed."""
        return Part(cost=0, price=0) if part is None else self.parts.get(part, self.part)
