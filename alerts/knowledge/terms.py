"""The terms a text is found by, in any language: words where blanks separate them, pairs of characters where nothing does.

Chinese, Japanese and Korean are indexed by bigrams, as Lucene's CJKAnalyzer does (lucene.apache.org, `CJKBigramFilter`): every word of two
characters is found, without a dictionary and alike in both stores. A run of one character is a term of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

LONGEST_TERM = 40
_RUNS = re.compile(
    r"(?P<cjk>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+)|(?P<word>[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)"
)


def terms(text: str) -> Counter[str]:
    """Terms with how often each occurs. Case, width (ｗｉｆｉ, wifi) and punctuation do not count."""
    return Counter(_terms(unicodedata.normalize("NFKC", text).casefold()))


def _terms(text: str) -> Iterator[str]:
    for run in _RUNS.finditer(text):
        cjk = run["cjk"]
        if cjk is None:
            yield run["word"][:LONGEST_TERM]
        elif len(cjk) == 1:
            yield cjk
        else:
            yield from (cjk[place : place + 2] for place in range(len(cjk) - 1))
