"""Addresses of people: which channel serves one, and how it may be shown."""

from __future__ import annotations

from collections.abc import Sequence

MAILBOX = "mailbox"
APPRISE = "apprise"

APPRISE_SCHEMES = frozenset(
    {
        "mailto", "mailtos", "tgram", "ntfy", "ntfys", "signal", "signals", "whatsapp", "discord", "slack", "msteams", "matrix",
        "matrixs", "rocket", "rockets", "mmost", "mmosts", "gchat", "wecombot", "lark", "feishu", "dingtalk", "pover", "gotify",
        "gotifys", "twilio", "vonage", "sns", "ses", "sendgrid", "mailgun", "pagerduty", "opsgenie",
    }
)  # fmt: skip
"""Apprise schemes a letter may leave by. Left out on purpose: whatever runs programs, writes to this machine or calls any web address."""


def scheme(address: str) -> str:
    """What stands before the colon, in lower case."""
    return address.partition(":")[0].strip().lower()


def channel_of(address: str) -> str | None:
    """The channel that serves an address, or None when none may."""
    name = scheme(address)
    if name == MAILBOX:
        return MAILBOX
    return APPRISE if name in APPRISE_SCHEMES else None


def usable(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses that some channel serves, in their order, each once."""
    return tuple(dict.fromkeys(address for address in addresses if channel_of(address) is not None))


def shown(address: str) -> str:
    """An address as logs may hold it: its scheme and nothing that could be a name, a password or a token."""
    return f"{scheme(address)}:…"
