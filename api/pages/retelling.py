"""Sentences that the records keep in English (why a model was demoted, what a backtest found), said in another language.

They are known by their patterns: messages with the context ``kept`` in the catalogues. A name in braces stands for what differs; what it
holds is retold in turn. A name that ends in ``_list`` holds several things with commas between them, one that ends in ``count`` a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CONTEXT = "kept"
LIST, COUNT = "_list", "count"
COMMA = ", "
WHERE = ": "
"""Before it errors name the place; that is not retold."""
NUMBER = r"-?(?:[\d.,]+(?:e[-+]?\d+)?|nan|inf)"
NAME = re.compile(r"\{(\w+)\}")
DEEPEST = 8
"""How many sentences may stand in one another, places before them included; what lies deeper stays as it is. A device's own words can be
among what is retold, and nobody bounds what these repeat."""


class Retelling:
    """Retells the sentences of some patterns; that of ``", "`` stands between the things of a list."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._comma = patterns.get(COMMA, COMMA)
        self._fixed = {kept: said for kept, said in patterns.items() if not NAME.search(kept)}
        known = [kept for kept in patterns if kept not in self._fixed]
        self._patterns = [(pattern_of(kept), patterns[kept]) for kept in sorted(known, key=_wordiness)]

    def __call__(self, text: str) -> str:
        """The sentence in the language of the patterns; one that fits none of them as it is."""
        return self._told(text, DEEPEST)

    def _told(self, text: str, depth: int) -> str:
        if text in self._fixed:
            return self._fixed[text]
        if depth == 0:
            return text
        for pattern, said in self._patterns:
            found = pattern.fullmatch(text)
            if found is not None:
                held = {name: self._part(name, part, depth - 1) for name, part in found.groupdict().items()}
                return said.format(**held)
        where, colon, message = text.partition(WHERE)
        told = self._told(message, depth - 1) if colon else message
        return f"{where}{colon}{told}" if told != message else text

    def _part(self, name: str, held: str, depth: int) -> str:
        if name.endswith(LIST):
            return self._comma.join(self._told(one, depth) for one in held.split(COMMA))
        return self._told(held, depth)


def pattern_of(kept: str) -> re.Pattern[str]:
    """What a sentence looks like, with a group for each of its names.

    Each name but the last that holds any text ends for good where what follows it stands first (an atomic group): whatever comes later is
    the next one's to hold. So a text is looked through once, and not once for every way to divide it.
    """
    texts = NAME.split(kept)
    written, stretch, open_ = [], "", False
    for place, one in enumerate(texts):
        if place % 2 and not one.endswith(COUNT):
            written.append(f"(?>{stretch})" if open_ else stretch)
            stretch, open_ = f"(?P<{one}>.+?)", True
        else:
            stretch += f"(?P<{one}>{NUMBER})" if place % 2 else re.escape(one)
    return re.compile("".join([*written, stretch]), re.DOTALL)


def _wordiness(kept: str) -> int:
    """The pattern that says most itself is tried first."""
    return -len(NAME.sub("", kept))
