"""What is wrong with a policy's text: every fault with its key, its line, and the rule it is in."""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pydantic import BaseModel, ValidationError

from alerts.policy.toml_lines import Place, line_of, lines_of
from hearthwatch.errors import Invalid
from hearthwatch.said import Said

SHOWN = 5
"""Faults that the error's message tells; all of them are in ``faults``."""
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_AT_END = " (at end of document)"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. ``line`` counts from 1, None where the text has no such place; ``rule`` is the name of the rule it is in.
    ``message`` remembers its gaps, so that a page can tell it in another language."""

    key: str
    line: int | None
    message: Said
    rule: str | None = None

    def __str__(self) -> str:
        return self.told

    @property
    def told(self) -> Said:
        """All of it in one sentence."""
        gaps: dict[str, object] = {"line": self.line, "key": self.key, "rule": repr(self.rule), "message": self.message}
        if self.line is not None and self.key:
            return (
                Said("line {line}, {key} (rule {rule}): {message}", **gaps)
                if self.rule
                else Said("line {line}, {key}: {message}", **gaps)
            )
        if self.key:
            return Said("{key} (rule {rule}): {message}", **gaps) if self.rule else Said("{key}: {message}", **gaps)
        return Said("line {line}: {message}", **gaps) if self.line is not None else self.message


class InvalidPolicy(Invalid):
    """A policy that is refused; ``faults`` are all the reasons, by line."""

    def __init__(self, message: str, *, where: str | None = None, faults: Iterable[Fault] = ()) -> None:
        super().__init__(message, where=where)
        self.faults = tuple(faults)

    @property
    def problems(self) -> list[Mapping[str, Any]]:
        """The faults as a problem document lists them."""
        return [as_problem(fault) for fault in self.faults]


def as_problem(fault: Fault) -> Mapping[str, Any]:
    """A fault as a problem document lists it."""
    return {"where": fault.key, "line": fault.line, "rule": fault.rule, "message": fault.message}


def refused(faults: Iterable[Fault]) -> InvalidPolicy:
    """The error that tells of some faults; its message of the first ones."""
    found = sorted(faults, key=lambda one: (one.line or 0, one.key))
    told = reduce(
        lambda before, fault: Said("{first}; {second}", first=before, second=fault.told), found[1:SHOWN], found[0].told
    )
    more = len(found) - SHOWN
    message = Said("{faults}; and {more} more", faults=told, more=more) if more > 0 else told
    return InvalidPolicy(message, where="policy", faults=found)


def of_syntax(error: tomllib.TOMLDecodeError, text: str) -> InvalidPolicy:
    """A text that is not TOML."""
    told = str(error)
    match = _AT_LINE.search(told)
    line = int(match.group(1)) if match else text.count("\n") + 1
    what = Said(_AT_LINE.sub("", told).removesuffix(_AT_END))
    return refused([Fault("", line, Said("not TOML: {what}", what=what))])


def of_values(error: ValidationError, kind: type[BaseModel], text: str, given: Mapping[str, Any]) -> InvalidPolicy:
    """A text whose keys or values are not those of a policy."""
    found, errors = lines_of(text), error.errors(include_url=False)
    inside = {one["loc"][:1] for one in errors if len(one["loc"]) > 1}
    return refused(
        fault_at(one["loc"], _message(one, kind), found, given)
        for one in errors
        if not (one["type"] == "too_short" and one["loc"] in inside)  # it is short because of those
    )


def fault_at(place: Place, message: Said, found: dict[Place, int], given: Mapping[str, Any]) -> Fault:
    """A fault at a place of the text."""
    return Fault(".".join(str(step) for step in place), line_of(found, place), message, _rule_at(place, given))


def _rule_at(place: Place, given: Mapping[str, Any]) -> str | None:
    if len(place) < 2 or place[0] != "rules" or not isinstance(place[1], int):
        return None
    rule = given["rules"][place[1]]
    name = rule.get("name") if isinstance(rule, dict) else None
    return name if isinstance(name, str) and name else Said("number {place}", place=place[1] + 1)


def _message(error: Any, kind: type[BaseModel]) -> Said:
    value, place = error["input"], error["loc"]
    if error["type"] == "extra_forbidden":
        return Said("there is no such key{nearest}", nearest=_nearest(str(place[-1]), _keys_at(kind, place[:-1])))
    if error["type"] in {"missing", "too_short"}:
        return Said("is missing") if error["type"] == "missing" else Said("there must be more of them")
    if error["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return Said(
            "must be {expected}, not {value}{nearest}",
            expected=_any_of(allowed),
            value=f"{value!r:.60}",
            nearest=_nearest(str(value), allowed),
        )
    if error["type"] == "value_error":
        (said,) = error["ctx"]["error"].args
        return said if isinstance(said, Said) else Said(str(said))
    told = Said(str(error["msg"]).replace("Input should be", "must be"))
    if isinstance(value, str | int | float | bool):
        return Said("{what}, not {value}", what=told, value=f"{value!r:.60}")
    return told


def _any_of(words: Sequence[str]) -> str:
    *first, last = [repr(word) for word in words]
    return Said("{first} or {last}", first=", ".join(first), last=last) if first else last


def _nearest(word: str, known: Sequence[str]) -> Said:
    """What was probably meant."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return Said("; did you mean {near}?", near=repr(near[0])) if near else Said("")


def _keys_at(kind: type[BaseModel], place: Place) -> list[str]:
    """The keys that a table of the policy has."""
    here: Any = kind
    steps = iter(place)
    for step in steps:
        field = next((one for name, one in here.model_fields.items() if (one.alias or name) == step), None)
        annotation = field.annotation if field else None
        here = _model_in(annotation)
        if here is None:
            return []
        if here is not annotation:
            next(steps, None)  # its number in a list, or its own name in a table
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or that it holds many of."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for one in typing.get_args(annotation) if (model := _model_in(one)) is not None), None)
