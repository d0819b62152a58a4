"""What a customer agrees to, as they choose it themselves: on their page, or by the button their mail program shows (RFC 8058)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.channels.media import media
from hearthwatch.records import audit, consents
from hearthwatch.records.customers import Customer

BY_CHANNEL = ("service", "marketing")
"""Purposes that are messages, so that each way of being reached can be chosen; the others hold or do not."""
CHOSEN = (*BY_CHANNEL, "analytics")
"""Purposes a customer can choose; safety is none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A purpose as it stands: for each channel the customer has an address in, whether it is allowed; without any, as a whole."""

    purpose: str
    channels: Sequence[tuple[str, bool]]
    allowed: bool


def choices(connection: Connection, customer: Customer) -> list[Choice]:
    """What a customer can choose, and how it stands."""
    holds = consents.standing(connection, customer.id)
    ways = media(customer.channels)
    return [
        Choice(
            purpose,
            [(way, holds.allows(purpose, way)) for way in ways] if purpose in BY_CHANNEL else [],
            holds.allows(purpose),
        )
        for purpose in CHOSEN
    ]


def choose(
    connection: Connection, customer: Customer, wanted: Collection[tuple[str, str | None]], now: datetime
) -> int:
    """Write down what a customer chose: (purpose, channel) of everything wanted, (purpose, None) for one as a whole. Returns new words.

    A purpose of which nothing is wanted is withdrawn for good; of one that is wanted some ways, the others are withdrawn.
    """
    written = 0
    for choice in choices(connection, customer):
        ways = {way for way, _ in choice.channels}
        chosen = {
            way for purpose, way in wanted if purpose == choice.purpose and (way in ways if ways else way is None)
        }
        written += _say(connection, customer, choice.purpose, bool(chosen), None, now)
        if chosen:
            for way in sorted(ways):
                written += _settle(connection, customer, choice.purpose, way, way in chosen, now)
    if written:
        _note(connection, customer, "page", written, now)
    return written


def unsubscribe(connection: Connection, customer: Customer, channel: str, now: datetime) -> bool:
    """Withdraw service notices for one channel, as a mail provider's button asks. Returns whether they had been allowed."""
    written = consents.record(
        connection, customer.id, "service", False, now, "unsubscribe", channel=channel, by=f"customer:{customer.id}"
    )
    if written:
        _note(connection, customer, "unsubscribe", 1, now)
    return written


def _settle(connection: Connection, customer: Customer, purpose: str, way: str, granted: bool, now: datetime) -> bool:
    holds = consents.standing(connection, customer.id)
    if holds.allows(purpose, way) == granted:
        return False
    return _say(connection, customer, purpose, granted, way, now)


def _say(
    connection: Connection, customer: Customer, purpose: str, granted: bool, channel: str | None, now: datetime
) -> bool:
    holds = consents.standing(connection, customer.id)
    if not granted and not any(holds.allows(purpose, way) for way in (channel, *consents.CHANNELS)):
        return False  # what was never agreed to needs no withdrawal
    by = f"customer:{customer.id}"
    return consents.record(connection, customer.id, purpose, granted, now, "page", channel=channel, by=by)


def _note(connection: Connection, customer: Customer, source: str, words: int, now: datetime) -> None:
    detail = {"source": source, "words": words}
    audit.note(
        connection,
        at=now,
        actor=f"customer:{customer.id}",
        action="customer.consent",
        object=f"customer:{customer.id}",
        detail=detail,
    )
