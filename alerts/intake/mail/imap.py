"""Fetches new mail from a mailbox by IMAP (RFC 3501). A mail is marked as seen only after it was taken in: a crash in between repeats it.

Bodies are read without marking them (``BODY.PEEK``) and never more of them than is allowed, whatever the server says their size is.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from alerts.intake.mail.parsing import LARGEST
from hearthwatch.errors import Invalid, Unavailable

SECONDS = 30
AT_ONCE = 50
HEAD = 64 * 1024
PORTS = {"imap": 143, "imaps": 993}
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail is fetched from."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Taker:
    """What is done with a mail: ``whole`` with all of its bytes, ``head`` with the beginning of one that is too large, and its size."""

    whole: Callable[[bytes], object]
    head: Callable[[bytes, int], object]


def mailbox_of(address: str) -> Mailbox:
    """A mailbox by its address, ``imaps://user:password@host[:port]/Folder``. Raises `Invalid`; the message holds no part of it."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise Invalid("not an address of a mailbox", where="inbound_mailbox") from None
    if parts.scheme not in PORTS or not parts.hostname or not parts.username or parts.password is None:
        raise Invalid("a mailbox is imaps://user:password@host/Folder", where="inbound_mailbox")
    folder = unquote(parts.path.strip("/")) or "INBOX"
    return Mailbox(
        parts.hostname,
        port or PORTS[parts.scheme],
        unquote(parts.username),
        unquote(parts.password),
        folder,
        parts.scheme == "imaps",
    )


def fetch(mailbox: Mailbox, taker: Taker, *, most: int = AT_ONCE) -> int:
    """Take in up to ``most`` mails that are not marked as seen, oldest first; returns how many.

    What ``taker`` raises ends it, and that mail stays unseen. Raises `Unavailable` when the server is away, too slow, or refuses us.
    """
    done = 0
    with _opened(mailbox) as server:
        for uid in _unseen(server)[:most]:
            size = _size(server, uid)
            if size > LARGEST:
                taker.head(_bytes(server, uid, "BODY.PEEK[HEADER]", HEAD), size)
            else:
                taker.whole(_bytes(server, uid, "BODY.PEEK[]", LARGEST))
            _check(server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"))
            done += 1
    return done


@contextmanager
def _opened(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    try:
        server = _connected(mailbox)
    except (OSError, imaplib.IMAP4.error) as error:
        raise Unavailable(f"the mailbox can not be reached ({type(error).__name__})", where="inbound_mailbox") from None
    try:
        _log_in(server, mailbox)
        yield server
    except (OSError, imaplib.IMAP4.error) as error:
        raise Unavailable(f"the mail server broke off ({type(error).__name__})", where="inbound_mailbox") from None
    finally:
        _leave(server)


def _connected(mailbox: Mailbox) -> imaplib.IMAP4:
    if mailbox.tls:
        trusted = ssl.create_default_context()
        return imaplib.IMAP4_SSL(mailbox.host, mailbox.port, ssl_context=trusted, timeout=SECONDS)
    return imaplib.IMAP4(mailbox.host, mailbox.port, timeout=SECONDS)


def _log_in(server: imaplib.IMAP4, mailbox: Mailbox) -> None:
    try:
        server.login(mailbox.user, mailbox.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise Unavailable("the mail server refuses the user or password", where="inbound_mailbox") from None
    quoted = '"' + mailbox.folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
    answer, _ = server.select(quoted)
    if answer != "OK":
        raise Unavailable("the mail server has no such folder", where="inbound_mailbox")


def _leave(server: imaplib.IMAP4) -> None:
    try:
        server.logout()
    except (OSError, imaplib.IMAP4.error):
        server.shutdown()


def _unseen(server: imaplib.IMAP4) -> list[str]:
    found = _check(server.uid("SEARCH", None, "UNSEEN"))  # type: ignore[arg-type]  # None: no charset
    return sorted((uid.decode() for uid in (found[0] or b"").split() if uid.isdigit()), key=int)


def _size(server: imaplib.IMAP4, uid: str) -> int:
    for part in _check(server.uid("FETCH", uid, "(RFC822.SIZE)")):
        match = _SIZE.search(part if isinstance(part, bytes) else part[0]) if part else None
        if match:
            return int(match.group(1))
    return 0


def _bytes(server: imaplib.IMAP4, uid: str, section: str, most: int) -> bytes:
    for part in _check(server.uid("FETCH", uid, f"({section}<0.{most}>)")):
        if isinstance(part, tuple):
            return bytes(part[1])
    raise Unavailable("the mail server did not give a mail it has", where="inbound_mailbox")


def _check(answer: tuple[str, list[Any]]) -> list[Any]:
    status, data = answer
    if status != "OK":
        raise Unavailable("the mail server refused a command", where="inbound_mailbox")
    return data
