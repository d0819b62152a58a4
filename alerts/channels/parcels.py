"""What is delivered, and what some channels can do beside `hearthwatch.ports.Channel`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hearthwatch.ports import Channel

_LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing to deliver. ``key`` is its idempotency key, the same for every attempt.

    Of a letter moreover: ``short`` says it in one short message, ``language`` is its language (``en``, ``zh_Hans``), ``unsubscribe`` the
    web address behind which its reader withdraws consent, ``reply_to`` a mail address, ``headers`` more headers of a mail.
    """

    address: str
    subject: str
    text: str
    html: str
    key: str
    short: str = ""
    language: str = ""
    unsubscribe: str = ""
    reply_to: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_short(self) -> str:
        """The letter for channels that take a line or two: what it is about, and the link."""
        if self.short:
            return self.short
        link = _LINK.search(self.text)
        return f"{self.subject} {link.group()}" if link else self.subject


@runtime_checkable
class BulkChannel(Channel, Protocol):
    """A channel that may be given many parcels before any is marked: sent again, each still arrives once."""

    def deliver_all(self, parcels: Sequence[Parcel]) -> None:
        """Deliver all of them. After an error any part of them may have arrived; errors as of ``deliver``."""
        ...


@runtime_checkable
class LetterChannel(Channel, Protocol):
    """A channel that can use more of a letter than its texts."""

    def deliver_letter(self, parcel: Parcel) -> None:
        """Deliver one letter. Errors as of ``deliver``."""
        ...


def hand_over(channel: Channel, parcel: Parcel) -> None:
    """Deliver a parcel by a channel, with all of it that the channel can use. Errors as of ``Channel.deliver``."""
    if isinstance(channel, LetterChannel):
        channel.deliver_letter(parcel)
        return
    channel.deliver(address=parcel.address, subject=parcel.subject, text=parcel.text, html=parcel.html, key=parcel.key)
