"""What a campaign holds: which devices, what is wrong, what to do, in which languages. Checked key by key; a draft may be unfinished."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hearthwatch.errors import Invalid
from hearthwatch.records.campaigns import RECALL

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000, pattern=r"^(https://[^\s\"<>]+)?$")]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[0-9+() ./-]*$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z][a-z]{3})?$")]
Weakness = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{1,63}$")]

Remedy = Literal["repair", "replacement", "refund"]
LISTED = 100_000
"""Serial numbers or devices one campaign may name."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Selection(_Part):
    """Which devices: those that fit everything given. Empty lists fit all; ``attributes`` are batch, supplier and what a registry knows.

    ``firmware_from`` is the first version concerned, ``firmware_below`` the first that is not any more; ``made_to`` is the last day.
    """

    models: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    hardware: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    attributes: dict[Id, Annotated[tuple[Id, ...], Field(min_length=1, max_length=10_000)]] = {}
    firmware_from: Name = ""
    firmware_below: Name = ""
    made_from: date | None = None
    made_to: date | None = None
    serials: Annotated[tuple[Id, ...], Field(max_length=LISTED)] = ()
    devices: Annotated[tuple[Id, ...], Field(max_length=LISTED)] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Selection:
        if self.made_from and self.made_to and self.made_from > self.made_to:
            raise ValueError("made_from is after made_to")
        return self


class RecallTexts(_Part):
    """A recall in one language, in the maker's words. ``sold`` says when, where and by whom; ``find_number`` where the number stands."""

    hazard: Text = ""
    what_to_do: Text = ""
    sold: Text = ""
    find_number: Text = ""


class AdvisoryTexts(_Part):
    """A security notice in one language: ``what`` has happened, and the ``mitigation`` users can take themselves."""

    what: Text = ""
    mitigation: Text = ""


class _Common(_Part):
    """What both kinds have. ``repeat_days``: when those who did not answer are written to again, at most ``repeats`` times."""

    selection: Selection = Selection()
    product: Name = ""
    brand: Name = ""
    phone: Phone = ""
    url: Url = ""
    repeat_days: Annotated[int, Field(ge=1, le=365)] = 14
    repeats: Annotated[int, Field(ge=0, le=20)] = 3


class RecallContent(_Common):
    """A product safety recall (Regulation (EU) 2023/988, Articles 35 to 37)."""

    kind: Literal["recall"] = "recall"
    picture_url: Url = ""
    remedies: Annotated[tuple[Remedy, ...], Field(max_length=3)] = ("repair", "replacement", "refund")
    one_remedy_because: Text = ""
    texts: dict[Language, RecallTexts] = {}


class AdvisoryContent(_Common):
    """An exploited vulnerability or a severe incident (Regulation (EU) 2024/2847, Article 14(8)). ``fixed_version`` mends it."""

    kind: Literal["advisory"] = "advisory"
    weaknesses: Annotated[tuple[Weakness, ...], Field(max_length=50)] = ()
    exploited: bool = False
    fixed_version: Name = ""
    texts: dict[Language, AdvisoryTexts] = {}


Content = RecallContent | AdvisoryContent


def parse(kind: str, content: Mapping[str, Any]) -> Content:
    """The content of a campaign. Raises `Invalid`, which names the key."""
    try:
        if kind == RECALL:
            return RecallContent.model_validate({**content, "kind": kind})
        return AdvisoryContent.model_validate({**content, "kind": kind})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(step) for step in first["loc"])
        raise Invalid(first["msg"].removeprefix("Value error, "), where=f"content.{key}") from None


def kept(content: Content) -> dict[str, Any]:
    """A content as the records keep it; only what differs from an empty one."""
    return content.model_dump(mode="json", exclude_defaults=True)


def written_in(content: Content, wanted: str) -> str | None:
    """The language to write in for a reader: theirs, else English, else the first there are texts in; None where there are none."""
    there = list(content.texts)
    return next((one for one in (wanted, "en", *there) if one in content.texts), None)
