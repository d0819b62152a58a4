"""Refuses words that make a hazard sound smaller than it is, in the languages there are lists for.

Article 36(2)(c) of the General Product Safety Regulation (EU) 2023/988: a recall notice describes the hazard "avoiding any elements
that may decrease consumers' perception of risk", such as "voluntary", "precautionary", "discretionary", "in rare situations", "in specific
situations", or that no accidents were reported. The lists stand beside the translations, ``locale/<language>/softening.toml``; all of them
are looked at in every text, whatever language it is meant to be in.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from alerts.notices import catalogue

FILE = "softening.toml"
_NOT_SEEN = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Softening:
    """A place that softens: in which text, on which line and column (from 1), by which words, and what they do to the reader."""

    field: str
    line: int
    column: int
    words: str
    why: str

    def __str__(self) -> str:
        return f"{self.field}, line {self.line}: {self.words!r} ({self.why})"


def lint(texts: Mapping[str, str]) -> list[Softening]:
    """Every place in some texts (by name) that softens, in order. None of them may stand in a recall or a security notice."""
    return [found for field, text in texts.items() for found in _lint_one(field, text)]


def _lint_one(field: str, text: str) -> list[Softening]:
    plain, places = _as_read(text)
    hits: dict[int, tuple[int, str]] = {}
    for pattern, why in _patterns():
        for match in pattern.finditer(plain):
            begin, end = match.span()
            if end > begin and all(not (start <= begin < stop) for start, (stop, _) in hits.items()):
                hits[begin] = (end, why)
    found = []
    for begin, (end, why) in sorted(hits.items()):
        first, last = places[begin], places[end - 1]
        line = text.count("\n", 0, first) + 1
        column = first - (text.rfind("\n", 0, first) + 1) + 1
        found.append(Softening(field, line, column, " ".join(text[first : last + 1].split()), why))
    return found


def _as_read(text: str) -> tuple[str, list[int]]:
    """A text as a reader sees it, and where each of its characters stands in the original.

    Wide letters are made narrow, characters nobody sees are left out, as is white space between Chinese characters; other white space is
    one blank.
    """
    read: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        if char in _NOT_SEEN:
            continue
        for part in unicodedata.normalize("NFKC", char):
            one = " " if part.isspace() else "'" if part in "’ʼ" else "-" if part in "‐‑" else part.lower()
            if one == " " and read and read[-1] == " ":
                continue
            read.append(one)
            places.append(place)
    kept = [number for number, one in enumerate(read) if one != " " or not _between_han(read, number)]
    return "".join(read[number] for number in kept), [places[number] for number in kept]


def _between_han(read: list[str], number: int) -> bool:
    around = read[number - 1 : number] + read[number + 1 : number + 2]
    return len(around) == 2 and all(_HAN.match(one) for one in around)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    found: list[tuple[re.Pattern[str], str]] = []
    for language in catalogue.languages():
        file = catalogue.FOLDER / language / FILE
        if file.is_file():
            for group in tomllib.loads(file.read_text(encoding="utf-8"))["words"]:
                found.extend((_compiled(pattern), str(group["why"])) for pattern in group["patterns"])
    return tuple(found)


def _compiled(pattern: str) -> re.Pattern[str]:
    whole = pattern if _HAN.search(pattern) else rf"(?<![\w-])(?:{pattern})(?!\w)"
    return re.compile(whole)
