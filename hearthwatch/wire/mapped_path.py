"""Paths of a mapping file: where in a payload a value stands. A small part of JSONPath (RFC 9535), nothing of it is run.

``$`` is the whole payload, ``@`` one sample of a batch; behind it stand ``.key``, ``['any key']`` and ``[0]`` (``[-1]`` is the last). The
path of a batch holds one ``[*]``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hearthwatch.errors import Invalid
from hearthwatch.wire.limits import shown

MAX_PATH = 256
"""Characters of a path."""
MAX_STEPS = 16
"""Steps of a path."""

MISSING = object()
"""What a path leads to that is not in the payload."""

EACH = "[*]"
_STEP = re.compile(
    r"""\.([A-Za-z_][A-Za-z0-9_-]*) | \[(-?\d{1,6})\] | \['([^'\\]*)'\] | \["([^"\\]*)"\]""", re.VERBOSE | re.ASCII
)

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a payload, or (``of_sample``) in one sample of it."""

    text: str
    steps: Steps
    of_sample: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it stands for a payload that is no JSON: a bare number or text."""
        return not self.steps and not self.of_sample

    def of(self, payload: Any, sample: Any = MISSING) -> Any:
        """The value there, `MISSING` where there is none."""
        return walk(self.steps, sample if self.of_sample else payload)


@dataclass(frozen=True, slots=True)
class BatchPath:
    """The places of several samples in a payload: a list, and where in each of its items the sample stands."""

    text: str
    before: Steps
    behind: Steps

    def of(self, payload: Any) -> list[Any]:
        """The samples, `MISSING` for an item that holds none. Raises `Invalid` where there is no list."""
        found = walk(self.before, payload)
        if not isinstance(found, list):
            raise Invalid(f"no list at {self.text}")
        return [walk(self.behind, item) for item in found]


def parse_path(text: str) -> Path:
    """A path that leads to one value. Raises `Invalid`."""
    if text[:1] not in ("$", "@"):
        raise Invalid(f"a path begins with $ (the payload) or @ (a sample of a batch), not {shown(text)}")
    if EACH in text:
        raise Invalid(f"[*] stands for several values, and only `samples` takes several: {shown(text)}")
    return Path(text, _steps(text[1:], text), of_sample=text[0] == "@")


def parse_batch(text: str) -> BatchPath:
    """The path of a batch. Raises `Invalid`."""
    if not text.startswith("$") or text.count(EACH) != 1:
        raise Invalid(f"the path of a batch begins with $ and holds one [*], like $.data[*], not {shown(text)}")
    before, _, behind = text[1:].partition(EACH)
    return BatchPath(text, _steps(before, text), _steps(behind, text))


def _steps(rest: str, text: str) -> Steps:
    if len(text) > MAX_PATH:
        raise Invalid(f"a path of more than {MAX_PATH} characters")
    steps: list[str | int] = []
    place = 0
    while place < len(rest):
        match = _STEP.match(rest, place)
        if match is None:
            raise Invalid(f"not a path from {shown(rest[place:], 20)} on: {shown(text)}")
        key, index, single, double = match.groups()
        steps.append(int(index) if index is not None else next(k for k in (key, single, double) if k is not None))
        place = match.end()
    if len(steps) > MAX_STEPS:
        raise Invalid(f"a path of more than {MAX_STEPS} steps: {shown(text)}")
    return tuple(steps)


def walk(steps: Sequence[str | int], value: Any) -> Any:
    """What stands behind some steps in a JSON value, `MISSING` where there is nothing."""
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return MISSING
    return value
