"""Bytes of mail as text: what they claim to be is tried first, and a wrong claim loses nothing.

Labels as browsers read them (WHATWG Encoding): GB2312 and GBK are read as GB18030, ISO 8859-1 and US-ASCII as windows-1252.
"""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header

_READ_AS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "hz",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_KNOWN = re.compile(
    r"utf-8|utf-16(-[lb]e)?|gb18030|hz|big5|big5hkscs|euc_jp|cp932|cp949|iso2022_(jp|kr)(_\d+|_ext)?|koi8-[ru]|cp125\d|iso8859-\d+|tis-620"
)
_TOLERATED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def decoded(content: bytes, label: str | None = None) -> str:
    """Bytes as text. A label that is unknown or wrong gives way to UTF-8, then GB18030, then windows-1252, which reads anything."""
    for name in (_codec(label), "utf-8", "gb18030"):
        if name is None or (name == "cp1252" and _is_utf8(content)):
            continue
        try:
            return plain(content.decode(name))
        except (UnicodeError, ValueError):
            continue
    return plain(content.decode("cp1252", errors="replace"))


def header(value: str) -> str:
    """A header's value as text: encoded words (RFC 2047) decoded, bare 8-bit bytes guessed, on one line."""
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError, LookupError):
        parts = [(value, None)]
    words = [
        decoded(_bytes(part), label) if label or not isinstance(part, str) else _bare(part) for part, label in parts
    ]
    return " ".join("".join(words).split())


def plain(text: str) -> str:
    """Text without control characters and halves of characters, which no store and no page wants."""
    return _TOLERATED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _bare(part: str) -> str:
    content = _bytes(part)
    return plain(part) if content.isascii() else decoded(content)


def _bytes(part: str | bytes) -> bytes:
    return part if isinstance(part, bytes) else part.encode("utf-8", errors="surrogateescape")


def _codec(label: str | None) -> str | None:
    try:
        name = codecs.lookup((label or "").strip().strip("'\"").lower()).name
    except (LookupError, ValueError):
        return None
    name = _READ_AS.get(name, name)
    return name if _KNOWN.fullmatch(name) else None


def _is_utf8(content: bytes) -> bool:
    """Whether bytes beyond ASCII are UTF-8 that only claims to be western: nobody writes such a text by chance."""
    try:
        return not content.isascii() and bool(content.decode("utf-8"))
    except UnicodeError:
        return False
