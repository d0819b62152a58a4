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
from typing import Any

from analytics.decision.costs import Costs
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import FAILURE_MODES

KEYS = ("failure", "planned", "effectiveness", "notice", "false_alarm")
_TOP = ("currency", "other_parts", "default", "parts", "models")

Section = Mapping[str, float]


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
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"not TOML: {error}", where=name) from None
    return _Reading(name).sheet(given)


class _Reading:
    """Checks one file; ``name`` begins the place of every error."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._currency = ""
        self._known: frozenset[str] = frozenset()

    def sheet(self, given: Mapping[str, Any]) -> CostSheet:
        self._no_others(given, _TOP, "")
        if "default" not in given:
            raise self._wrong("default", "is missing; every part without a section of its own is judged by it")
        self._currency = self._text(given.get("currency"), "currency")
        self._known = frozenset(mode.part for mode in FAILURE_MODES) | frozenset(self._others(given))
        first = self._section(given["default"], "default", {})
        by_part = {
            part: self._section(section, f"parts.{part}", first)
            for part, section in self._table(given.get("parts", {}), "parts").items()
            if self._is_part(part, f"parts.{part}")
        }
        by_model = {
            (model, part): self._section(section, f"models.{model}.{part}", by_part.get(part, first))
            for model, sections in self._table(given.get("models", {}), "models").items()
            for part, section in self._table(sections, f"models.{model}").items()
            if self._is_part(part, f"models.{model}.{part}")
        }
        return CostSheet(
            self._costs(first, "default"),
            {part: self._costs(one, f"parts.{part}") for part, one in by_part.items()},
            {key: self._costs(one, f"models.{key[0]}.{key[1]}") for key, one in by_model.items()},
        )

    def _section(self, given: object, key: str, above: Section) -> Section:
        table = self._table(given, key)
        self._no_others(table, KEYS, key)
        own = {name: self._amount(table[name], f"{key}.{name}") for name in KEYS if name in table}
        missing = [name for name in KEYS if name not in own and name not in above]
        if missing:
            raise self._wrong(f"{key}.{missing[0]}", "is missing")
        return {**above, **own}

    def _costs(self, section: Section, key: str) -> Costs:
        costs = Costs(**section, currency=self._currency)
        if not 0 < costs.effectiveness <= 1:
            raise self._wrong(f"{key}.effectiveness", "is a share, above 0 and at most 1")
        if costs.failure <= costs.planned:
            raise self._wrong(
                f"{key}.failure",
                f"is {costs.failure:g}, no more than a planned repair ({costs.planned:g}): there is nothing to gain from foresight",
            )
        if costs.notice + costs.false_alarm <= 0:
            raise self._wrong(f"{key}.notice", "and false_alarm are both 0: every device would be flagged")
        if costs.avoidable <= costs.notice:
            raise self._wrong(
                f"{key}.notice",
                f"is {costs.notice:g}, no less than what acting saves ({costs.avoidable:g}): nothing would ever be flagged",
            )
        return costs

    def _amount(self, value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, f"must be a number, not {value!r:.40}")
        if not 0 <= value < 1e12:
            raise self._wrong(key, f"must be 0 or more, and less than 1e12, not {value}")
        return float(value)

    def _text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= 8 or not value.isprintable():
            raise self._wrong(key, "must be a short name of the money all amounts are in, like EUR")
        return value

    def _others(self, given: Mapping[str, Any]) -> list[str]:
        parts = given.get("other_parts", [])
        if not isinstance(parts, list) or not all(isinstance(part, str) and part for part in parts):
            raise self._wrong("other_parts", "must be a list of names of parts")
        return parts

    def _is_part(self, part: str, key: str) -> bool:
        if part not in self._known:
            known = ", ".join(sorted(self._known))
            raise self._wrong(key, f"is no known part; there are {known}. Name parts of your own in other_parts")
        return True

    def _table(self, value: object, key: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(key, f"must be a section, not {value!r:.40}")
        return value

    def _no_others(self, given: Mapping[str, Any], known: tuple[str, ...], key: str) -> None:
        for name in given:
            if name not in known:
                raise self._wrong(f"{key}.{name}".lstrip("."), f"is not known here; there are {', '.join(known)}")

    def _wrong(self, key: str, what: str) -> Invalid:
        return Invalid(f"{key} {what}", where=self._name)
