"""Firmware strings as devices write them, made comparable; the verbatim string is always kept beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# The last dotted number wins: Shelly Gen1 puts a build date and a slash before it.
_DOTTED = re.compile(r"(?<![0-9.])v?(\d{1,9}(?:\.\d{1,9}){1,5})(?![0-9])")
_PRERELEASE = re.compile(r"^[-_.]?(alpha|beta|rc|dev|pre|preview|a|b)[-_.]?(\d{0,9})", re.IGNORECASE)
_RANK = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "pre": 3, "preview": 3, "rc": 3}
_RELEASED = 9


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A comparable firmware version.

    ``key`` orders versions as text, in a database too; ``text`` is the normalised spelling (``14.2.0``). Strings that hold no
    dotted number have an empty number part: they sort first and among themselves by their text.
    """

    key: str
    text: str


@lru_cache(maxsize=4096)
def version(verbatim: str) -> Version:
    """Normalise a firmware string.

    ``14.2.0(release-tasmota)`` gives ``14.2.0``, ``20220209-092750/v1.11.8-g8c7bb8d`` gives ``1.11.8``, ``2.4.1-beta2``
    gives ``2.4.1-beta2``, which sorts before ``2.4.1``. Never fails.
    """
    cleaned = verbatim.strip()
    found = list(_DOTTED.finditer(cleaned))
    if not found:
        return Version(key="!" + cleaned.lower()[:64] if cleaned else "", text=cleaned[:64])
    match = found[-1] if "/" in cleaned else found[0]
    numbers = [int(part) for part in match.group(1).split(".")]
    while len(numbers) > 3 and numbers[-1] == 0:
        numbers.pop()
    text = ".".join(str(part) for part in numbers)
    rank, counter = _RELEASED, 0
    early = _PRERELEASE.match(cleaned[match.end() :])
    if early and not cleaned[match.end() + early.end() : match.end() + early.end() + 1].isalpha():
        label = early.group(1).lower()
        rank, counter = _RANK[label], int(early.group(2) or 0)
        text = f"{text}-{label}{early.group(2)}"
    padded = (numbers + [0] * 6)[:6]
    key = ".".join(f"{part:010d}" for part in padded) + f".{rank}.{counter:010d}"
    return Version(key=key, text=text)
