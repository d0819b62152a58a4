"""One mail (RFC 5322, MIME) as what we need of it. Any bytes give a `Mail` or a clear `Invalid`, and bounded work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import collapse_rfc2231_value, getaddresses, parseaddr

from alerts.intake.mail import charsets, html, quotes
from hearthwatch.errors import Invalid

LARGEST = 25 * 1024 * 1024
MOST_PARTS = 200
MOST_HEADERS = 1000
LONGEST_HEADER = 100_000
LONGEST_TEXT = 100_000
"""Characters of a mail's text that are kept."""

_ID = re.compile(r"<([^<>\s]{1,400})>")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[A-Za-z0-9.-]{1,255}")
_PICTURES = frozenset({"image/jpeg", "image/jpg", "image/png", "image/webp", "image/heic", "image/heif", "image/pjpeg"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a mail that is no text. ``content`` is kept of pictures alone, for the moment of taking them in."""

    name: str
    mime: str
    size: int
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail. Ids are without angle brackets; ``sender`` is in lower case; ``text`` is all of its text, ``said`` what was written anew.

    ``fields`` are the headers that tell whether a person wrote it, by their names in lower case; ``status`` holds the fields of a delivery
    status (RFC 3464), ``returned`` the headers and words of the letter that came back.
    """

    fingerprint: str
    message_id: str | None
    sender: str | None
    sender_name: str
    recipients: tuple[str, ...]
    subject: str
    references: tuple[str, ...]
    text: str
    said: str
    photos: tuple[Attachment, ...]
    attachments: tuple[Attachment, ...]
    fields: Mapping[str, str]
    mime: str
    status: Mapping[str, str]
    returned: str
    size: int


def fingerprint(raw: bytes) -> str:
    """What tells one mail from another: its Message-ID, else all of its bytes. Never fails."""
    head = re.split(rb"\r?\n\r?\n", raw[:LONGEST_HEADER], maxsplit=1)[0]
    found = re.search(rb"^message-id:\s*<([^<>\s]{1,400})>", head, re.IGNORECASE | re.MULTILINE)
    return hashlib.sha256(b"id:" + found.group(1) if found else b"raw:" + raw).hexdigest()


def read(raw: bytes) -> Mail:
    """Make sense of a mail. Raises `Invalid` for what is too large, too deep or no mail at all."""
    if len(raw) > LARGEST:
        raise Invalid(f"it has {len(raw):,} bytes; at most {LARGEST:,}", where="mail.size")
    if b"\x00" in raw[:LONGEST_HEADER] and b":" not in raw[:1000]:
        raise Invalid("it is no mail", where="mail")
    try:
        return _read(raw)
    except Invalid:
        raise
    except RecursionError:
        raise Invalid("its parts are nested too deeply", where="mail.parts") from None
    except Exception as error:  # noqa: BLE001  # the standard library's parser raises anything on what was made to break it
        raise Invalid(f"it can not be read ({type(error).__name__})", where="mail") from None


def _read(raw: bytes) -> Mail:
    message = BytesParser(policy=compat32).parsebytes(raw)
    fields = _fields(message)
    if "from" not in fields and "subject" not in fields and "received" not in fields:
        raise Invalid("it has no headers of a mail", where="mail.headers")
    parts = list(_leaves(message))
    texts, attachments, status, returned = _sorted(message, parts)
    text = "\n\n".join(filter(None, texts))[:LONGEST_TEXT]
    name, sender = _sender(fields)
    return Mail(
        fingerprint=fingerprint(raw),
        message_id=next(iter(_ids(fields.get("message-id", ""))), None),
        sender=sender,
        sender_name=name,
        recipients=_recipients(fields),
        subject=charsets.header(fields.get("subject", ""))[:400],
        references=tuple(
            dict.fromkeys([*_ids(fields.get("in-reply-to", "")), *reversed(_ids(fields.get("references", "")))])
        ),
        text=text,
        said=quotes.said(text),
        photos=tuple(one for one in attachments if one.content),
        attachments=tuple(attachments),
        fields=fields,
        mime=message.get_content_type(),
        status=status,
        returned=returned[:LONGEST_TEXT],
        size=len(raw),
    )


def _fields(message: Message) -> dict[str, str]:
    """The headers by name, the first of each; several Received and To count once."""
    items = list(message.raw_items())
    if len(items) > MOST_HEADERS:
        raise Invalid(f"it has {len(items)} headers; at most {MOST_HEADERS}", where="mail.headers")
    found: dict[str, str] = {}
    for name, value in items:
        text = str(value)
        if len(text) > LONGEST_HEADER:
            raise Invalid(f"its header {name[:40]} has {len(text):,} characters", where="mail.headers")
        found.setdefault(name.lower(), text)
    return found


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something, without those of mails that are attached."""
    waiting: list[Message] = [message]
    seen = 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > MOST_PARTS:
            raise Invalid(f"it has more than {MOST_PARTS} parts", where="mail.parts")
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            within = [one for one in part.get_payload() if isinstance(one, Message)]
            chosen = _alternative(within) if part.get_content_subtype() == "alternative" else within
            waiting.extend(reversed(chosen))
        else:
            yield part


def _alternative(parts: Sequence[Message]) -> Sequence[Message]:
    """Of several forms of the same text the plain one, if it says anything; else the last, which is the richest."""
    for part in parts:
        if part.get_content_type() == "text/plain" and _text(part).strip():
            return [part]
    return parts[-1:]


def _sorted(message: Message, parts: Sequence[Message]) -> tuple[list[str], list[Attachment], dict[str, str], str]:
    texts: list[str] = []
    attachments: list[Attachment] = []
    status: dict[str, str] = {}
    returned = ""
    for part in parts:
        mime = part.get_content_type()
        if mime == "message/delivery-status":
            status |= _status(part)
        elif mime in {"message/rfc822", "text/rfc822-headers", "message/global"}:
            returned += part.as_bytes(policy=compat32).decode("utf-8", errors="replace")
            attachments.append(Attachment(_name(part), mime, len(returned)))
        elif (
            part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment" and not _name(part)
        ):
            texts.append(_text(part))
        elif part is not message or part.get_content_maintype() != "multipart":
            attachments.append(_attachment(part, mime))
    return texts, attachments, status, charsets.plain(returned)


def _attachment(part: Message, mime: str) -> Attachment:
    content = _bytes(part)
    return Attachment(
        _name(part), mime, len(content), content if mime in _PICTURES or _looks_like_picture(part) else b""
    )


def _looks_like_picture(part: Message) -> bool:
    """Some programs send photos as ``application/octet-stream`` under their names."""
    return _name(part).lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".heic"))


def _text(part: Message) -> str:
    text = charsets.decoded(_bytes(part), _charset(part))
    return html.text_of(text) if part.get_content_subtype() == "html" else text.strip()


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (TypeError, ValueError, LookupError):  # one that is written in parts and broken
        return None


def _bytes(part: Message) -> bytes:
    """The part's bytes, its transfer encoding undone. Its type is hidden meanwhile: the library would decode by its charset first."""
    kept = part["Content-Type"]
    if kept is not None:
        part.replace_header("Content-Type", "application/octet-stream")
    content = part.get_payload(decode=True)
    if kept is not None:
        part.replace_header("Content-Type", kept)
    return content if isinstance(content, bytes) else b""


def _name(part: Message) -> str:
    given = part.get_param("filename", None, "content-disposition") or part.get_param("name", None)
    if given is None:
        return ""
    return charsets.header(collapse_rfc2231_value(given) if isinstance(given, tuple) else str(given))[:120]


def _status(part: Message) -> dict[str, str]:
    """The fields of a delivery status; those of the recipient win over those of the message."""
    blocks = [one for one in part.get_payload() if isinstance(one, Message)] if part.is_multipart() else []
    return {name.lower(): charsets.header(str(value))[:400] for block in blocks for name, value in block.raw_items()}


def _sender(fields: Mapping[str, str]) -> tuple[str, str | None]:
    name, address = parseaddr(charsets.header(fields.get("from", ""))[:1000])
    found = _ADDRESS.fullmatch(address.strip())
    return name[:200], found.group().lower() if found else None


def _recipients(fields: Mapping[str, str]) -> tuple[str, ...]:
    names = ("delivered-to", "x-original-to", "envelope-to", "to", "cc")
    given = getaddresses([charsets.header(fields[name])[:10_000] for name in names if name in fields])
    return tuple(dict.fromkeys(address.lower() for _, address in given if _ADDRESS.fullmatch(address)))


def _ids(value: str) -> list[str]:
    return _ID.findall(value[:10_000])
