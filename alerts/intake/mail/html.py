"""The text of a mail that is only HTML: blocks become lines, what others wrote keeps its marks, and nothing is loaded or run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LARGEST = 512 * 1024
"""Characters that are read: a longer page is a newsletter, not a complaint."""

_BLOCKS = frozenset(
    {"p", "div", "br", "li", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote", "ul", "ol", "pre", "section"}
)  # fmt: skip
_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "math"})
_VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "col", "area", "base", "source", "wbr"})
_SPACE = re.compile(r"\s+")
_TAGS = re.compile(r"<[^<>]*>")


def text_of(html: str) -> str:
    """What a person reads of a page. Quoted parts (``blockquote``) come out with ``> `` before each line."""
    reader = _Reader()
    try:
        reader.feed(html[:LARGEST])
        reader.close()
    except (AssertionError, ValueError, RecursionError):  # the parser gives up on some broken declarations
        return _tidy(_TAGS.sub(" ", html[:LARGEST]))
    return _tidy("".join(reader.said))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if tag == "blockquote":
            self._quoted += 1
        if tag in _BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag == "blockquote":
            self._quoted = max(0, self._quoted - 1)
        if tag in _BLOCKS and tag not in _VOID:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(_SPACE.sub(" ", data))

    def _break(self) -> None:
        self.said.append("\n" + "> " * min(self._quoted, 5))


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.split("\n")]
    kept: list[str] = []
    for line in lines:
        if line.strip("> ") or (kept and kept[-1].strip("> ")):
            kept.append(line)
    return "\n".join(kept).strip()
