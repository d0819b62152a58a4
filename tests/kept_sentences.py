"""Sentences that records and reports keep in English: whether the pages can say them in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable

from api.pages.language import Speaker

ENGLISH = re.compile(r"\b(?:a|an|and|are|as|at|by|for|in|is|it|no|not|of|on|or|that|the|to|was|were|with|which)\b")


def left_in_english(kept: Iterable[str]) -> list[str]:
    """The sentences of which some words stay English; names of columns, models and the like do not count."""
    retell = Speaker("zh_Hans").retell
    return [one for one in kept if one and ENGLISH.search(retell(one))]
