"""One attempt to send something, and what it means for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from alerts.channels.addresses import shown
from alerts.channels.command import BASE64
from alerts.channels.outcomes import NoMatch, outcome_of
from alerts.channels.parcels import BulkChannel, Parcel, hand_over
from alerts.delivery.patience import Patience
from alerts.policy.quiet import from_payload
from hearthwatch.errors import HearthwatchError, Unavailable
from hearthwatch.ports import Channel
from hearthwatch.records.outbox import OutboxItem

LOG = logging.getLogger(__name__)

What = Literal["delivered", "postponed", "unwanted", "retried", "refused", "given_up", "broken"]


@dataclass(frozen=True, slots=True)
class Result:
    """How it went with one item, and when to try again. ``outcome`` is the word of the ledger; empty where nothing was tried."""

    item: OutboxItem
    what: What
    outcome: str = ""
    reason: str = ""
    next_at: datetime | None = None
    retry_after: float | None = None


def attempt_bulk(channel: BulkChannel, items: Sequence[OutboxItem]) -> list[Result] | None:
    """Send several as one. None where that failed: one by one then, to see which; sent again, they arrive once."""
    try:
        channel.deliver_all([parcel_of(item) for item in items])
    except HearthwatchError as error:
        LOG.info("%d items for %s one by one: %s", len(items), channel.name, error.message)
        return None
    return [Result(item, "delivered", "delivered") for item in items]


def attempt(channel: Channel | None, item: OutboxItem, now: datetime, patience: Patience) -> Result:
    """Send one item, unless its receiver sleeps."""
    allowed = allowed_at(item, now)
    if allowed > now:
        return Result(item, "postponed", next_at=allowed)
    try:
        if channel is None:
            raise NoMatch(_no_channel(item))
        hand_over(channel, parcel_of(item))
    except HearthwatchError as error:
        return _failed(item, error, now, patience)
    except Exception as error:  # a channel's own bug must not stop the others
        LOG.exception("item %d to %s broke in channel %s", item.id, shown(item.address), item.channel)
        broke = Unavailable(f"the channel broke: {type(error).__name__}")
        return _failed(item, broke, now, patience, outcome="broken")
    return Result(item, "delivered", "delivered")


def allowed_at(item: OutboxItem, now: datetime) -> datetime:
    """When its receiver may be reached: now, or at the end of the quiet hours."""
    quiet = item.payload.get("quiet")
    return from_payload(quiet).next_allowed(now) if quiet else now


def parcel_of(item: OutboxItem) -> Parcel:
    """What the channel gets."""
    payload = item.payload
    if item.kind == "command":
        return _command(item)
    return Parcel(
        address=item.address,
        subject=payload["subject"],
        text=payload["text"],
        html=payload["html"],
        key=item.idempotency_key,
        short=payload.get("short") or "",
        language=payload.get("language") or "",
        unsubscribe=payload.get("unsubscribe") or "",
        reply_to=payload.get("reply_to") or "",
        headers=payload.get("headers") or {},
    )


def _command(item: OutboxItem) -> Parcel:
    """What is published; the subject of bytes that are no text says that they are written in base64."""
    payload = item.payload
    if "base64" in payload:
        return Parcel(item.address, BASE64, payload["base64"], "", item.idempotency_key)
    said = payload["said"] if "said" in payload else json.dumps(payload["body"], separators=(",", ":"))
    return Parcel(item.address, "", said, "", item.idempotency_key)


def _failed(
    item: OutboxItem, error: HearthwatchError, now: datetime, patience: Patience, outcome: str | None = None
) -> Result:
    word = outcome or outcome_of(error)
    to = shown(item.address)
    if word == "refused" or (word == "nomatch" and item.payload.get("others")):
        LOG.warning("item %d to %s was refused: %s", item.id, to, error.message)
        return Result(item, "refused", word, error.message)
    if patience.is_over(item, now):
        LOG.warning("item %d to %s is given up after %d tries: %s", item.id, to, item.attempts, error.message)
        return Result(item, "given_up", word, f"given up after {item.attempts} tries: {error.message}")
    retry_after = getattr(error, "retry_after", None)
    again = patience.next_at(item, now, retry_after)
    LOG.warning("item %d to %s waits %s: %s", item.id, to, again - now, error.message)
    what: What = "broken" if word == "broken" else "retried"
    return Result(item, what, word, error.message, again, retry_after)


def _no_channel(item: OutboxItem) -> str:
    if "://" in item.address and item.channel not in {"mail", "mailbox"}:
        return "addresses of services stand in the settings: name a channel there, and write NAME:receiver"
    return f"there is no channel {item.channel!r} in the settings"
