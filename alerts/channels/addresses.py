"""Addresses of people: which channel serves one, and how it may be shown.

An address is ``mailto:kim@example.org``, ``mailbox://c-1``, or the name of a channel in the settings and a receiver there:
``sms:+4917012345``, ``wecom:kim``. Where services are and how to sign in to them stands in the settings alone, so that no customer's row
holds a secret, and nobody who writes an address can make us call another host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAIL = "mail"
MAILBOX = "mailbox"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
"""What a channel in the settings may be called."""
TAKEN = frozenset({MAIL, MAILBOX, "mailto", "mailtos", "mqtt", "rollouts", "webhook", "http", "https", "file", "tel"})
"""Names that mean something else."""
_RECEIVER = re.compile(r"[A-Za-z0-9+@._~|=-]{1,128}")
_MAIL = re.compile(r"mailtos?:(?://)?([^\s/?&:@,;<>\"%]+@[^\s/?&:@,;<>\"%]+)", re.IGNORECASE)


def scheme(address: str) -> str:
    """What stands before the colon, in lower case."""
    return address.partition(":")[0].strip().lower()


def channel_of(address: str) -> str | None:
    """The channel that serves an address, or None where none may.

    Whether a channel of that name stands in the settings is not asked here: a letter to one that does not waits, and doctor tells.
    """
    name = scheme(address)
    if name == MAILBOX:
        return MAILBOX
    if name in {"mailto", "mailtos"}:
        return MAIL if mail_of(address) is not None else None
    if NAME.fullmatch(name) is None or name in TAKEN:
        return None
    return name if receiver_of(address) is not None else None


def mail_of(address: str) -> str | None:
    """The bare mail address of ``mailto:kim@example.org``; None for what holds more than one address, or options."""
    found = _MAIL.fullmatch(address.strip())
    return found.group(1) if found else None


def receiver_of(address: str) -> str | None:
    """Who stands behind the name of a channel; None for what could be read as more than one part of a web address."""
    receiver = address.partition(":")[2].strip().replace(" ", "")
    return receiver if _RECEIVER.fullmatch(receiver) and receiver.strip(".") and ".." not in receiver else None


def usable(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses that some channel may serve, in their order, each once."""
    return tuple(dict.fromkeys(address for address in addresses if channel_of(address) is not None))


def shown(address: str) -> str:
    """An address as logs may hold it: its scheme and nothing that could be a name, a password or a token."""
    return f"{scheme(address)}:…"
