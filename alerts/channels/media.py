"""Which way an address reaches a person, as consents name it: mail, sms, push, app, or chat."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.channels.addresses import MAILBOX, channel_of, scheme, usable

_BEGINS: Sequence[tuple[str, str]] = (
    ("mailto", "mail"),
    ("sms", "sms"),
    ("twilio", "sms"),
    ("vonage", "sms"),
    ("sns", "sms"),
    ("push", "push"),
    ("pover", "push"),
    ("ntfy", "push"),
    ("gotify", "push"),
    ("app", "app"),
)
"""What an address begins with, which is a channel's name in the settings (``sms``, ``sms-china``), and what that is."""
OTHERWISE = "chat"


def medium(address: str) -> str | None:
    """The way an address reaches a person (`hearthwatch.records.consents.CHANNELS`); None for one that no channel may serve."""
    if channel_of(address) is None:
        return None
    name = scheme(address)
    if name == MAILBOX:
        return "app"
    return next((kind for begin, kind in _BEGINS if name.startswith(begin)), OTHERWISE)


def media(addresses: Sequence[str]) -> tuple[str, ...]:
    """The ways in which some addresses reach a person, in their order, each once."""
    return tuple(dict.fromkeys(kind for address in usable(addresses) if (kind := medium(address)) is not None))
