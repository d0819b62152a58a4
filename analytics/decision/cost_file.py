"""The costs file: what failures, repairs, notices and false alarms of each part cost. TOML, checked key by key.

`docs/examples/costs.toml` explains every key. A section needs only the keys in which it differs from the one above it:
``[default]``, then ``[parts.<part>]``, then ``[models.<model>.<part>]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analytics.decision.costs import Costs
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import FAILURE_MODES

KEYS = ("failure", "planned", "effectiveness", "notice", "false_alarm")
_UNKNOWN = "extra_forbidden"

Amount = Annotated[float, Field(ge=0, lt=1e12, allow_inf_nan=False)]
Amounts = Mapping[str, float]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Section(_Part):
    """What one section says; the rest comes from the section above it."""

    failure: Amount | None = None
    planned: Amount | None = None
    effectiveness: Annotated[float, Field(gt=0, le=1)] | None = None
    notice: Amount | None = None
    false_alarm: Amount | None = None

    def over(self, above: Amounts) -> Amounts:
        """The amounts above, with those of this section in their place."""
        return {**above, **self.model_dump(exclude_none=True)}


class _File(_Part):
    """A file as it is written."""

    currency: Annotated[str, Field(pattern=r"^\S{1,8}$")]
    other_parts: Annotated[tuple[str, ...], Field(strict=False)] = ()
    default: _Section
    parts: Mapping[str, _Section] = {}
    models: Mapping[str, Mapping[str, _Section]] = {}


@dataclass(frozen=True, slots=True)
class CostSheet:
    """A whole costs file, checked. ``parts`` and ``models`` hold complete costs; by part, and by (device model, part)."""

    default: Costs
    parts: Mapping[str, Costs]
    models: Mapping[tuple[str, str], Costs]

    def of(self, model: str, part: str) -> Costs:
        """The costs of a part in a device model: its own section, else its part's, else the default."""
        return self.models.get((model, part)) or self.parts.get(part) or self.default


def read_costs(path: Path) -> CostSheet:
    """The costs in a file. Raises `Invalid`, which names the file and the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Invalid(f"the costs cannot be read: {reason}", where=str(path)) from None
    return parse_costs(text, str(path))


@lru_cache(maxsize=8)
def parse_costs(text: str, name: str) -> CostSheet:
    """The costs in a text; ``name`` is what errors call it. Raises `Invalid`, which names the line or the key."""
    try:
        return _sheet(_File.model_validate(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"not TOML: {error}", where=name) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(step) for step in first["loc"])
        said = (
            "there is no such key" if first["type"] == _UNKNOWN else f"{first['msg']} (given: {first['input']!r:.40})"
        )
        raise Invalid(said, where=f"{name}: {key}") from None
    except _Senseless as error:
        raise Invalid(error.message, where=f"{name}: {error.key}") from None


class _Senseless(Exception):
    """What can be read and cannot be meant."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key, self.message = key, message


def _sheet(given: _File) -> CostSheet:
    known = sorted({mode.part for mode in FAILURE_MODES} | set(given.other_parts))
    first = given.default.over({})
    for key in KEYS:
        if key not in first:
            raise _Senseless(f"default.{key}", "is missing; every part without a section of its own needs it")
    parts = {part: section.over(first) for part, section in given.parts.items()}
    models = {
        (model, part): section.over(parts.get(part, first))
        for model, sections in given.models.items()
        for part, section in sections.items()
    }
    for key, part in [(f"parts.{one}", one) for one in parts] + [
        (f"models.{model}.{one}", one) for model, one in models
    ]:
        if part not in known:
            raise _Senseless(key, f"no such part; there are {', '.join(known)}. Name parts of your own in other_parts")
    return CostSheet(
        _costs(first, given.currency, "default"),
        {part: _costs(one, given.currency, f"parts.{part}") for part, one in parts.items()},
        {key: _costs(one, given.currency, f"models.{key[0]}.{key[1]}") for key, one in models.items()},
    )


def _costs(amounts: Amounts, currency: str, key: str) -> Costs:
    costs = Costs(**amounts, currency=currency)
    if costs.failure <= costs.planned:
        raise _Senseless(
            f"{key}.failure",
            f"{costs.failure:g} is no more than a planned repair costs ({costs.planned:g}): there is nothing to gain from foresight",
        )
    if costs.notice + costs.false_alarm <= 0:
        raise _Senseless(f"{key}.notice", "notice and false_alarm are both 0: every device would be flagged")
    if costs.avoidable <= costs.notice:
        raise _Senseless(
            f"{key}.notice",
            f"{costs.notice:g} is no less than what acting saves ({costs.avoidable:g}): nothing would ever be flagged",
        )
    return costs
