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


class Retelling:
    """Retells the sentences of some patterns; that of ``", "`` stands between the things of a list."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._comma = patterns.get(COMMA, COMMA)
        self._fixed = {kept: said for kept, said in patterns.items() if not NAME.search(kept)}
        known = [kept for kept in patterns if kept not in self._fixed]
        self._patterns = [(_pattern(kept), patterns[kept]) for kept in sorted(known, key=_wordiness)]

    def __call__(self, text: str) -> str:
        """The sentence in the language of the patterns; one that fits none of them as it is."""
        if text in self._fixed:
            return self._fixed[text]
        for pattern, said in self._patterns:
            found = pattern.fullmatch(text)
            if found is not None:
                return said.format(**{name: self._part(name, held) for name, held in found.groupdict().items()})
        where, colon, message = text.partition(WHERE)
        told = self(message) if colon else message
        return f"{where}{colon}{told}" if told != message else text

    def _part(self, name: str, held: str) -> str:
        if name.endswith(LIST):
            return self._comma.join(self(one) for one in held.split(COMMA))
        return self(held)


def _pattern(kept: str) -> re.Pattern[str]:
    """What a sentence looks like, with a group for each of its names."""
    texts = NAME.split(kept)
    held = [NUMBER if name.endswith(COUNT) else ".+?" for name in texts]
    return re.compile(
        "".join(f"(?P<{one}>{held[place]})" if place % 2 else re.escape(one) for place, one in enumerate(texts)),
        re.DOTALL,
    )


def _wordiness(kept: str) -> int:
    """The pattern that says most itself is tried first."""
    return -len(NAME.sub("", kept))
