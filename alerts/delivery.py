"""Sends what the outbox holds: claim, deliver by idempotency key, mark. A crash in between gives the same key again."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import Literal

from sqlalchemy import Connection

from alerts.channels.addresses import shown
from alerts.channels.command import BASE64
from alerts.channels.parcels import BulkChannel, Parcel
from alerts.notices.issue import put_letter
from alerts.policy.quiet import next_allowed, zone
from hearthwatch.errors import HearthwatchError, Refused, Unavailable
from hearthwatch.ports import Channel
from hearthwatch.records import asking, brakes, notices, outbox
from hearthwatch.records.database import Database
from hearthwatch.records.outbox import OutboxItem

LOG = logging.getLogger(__name__)

BATCH = 25
LEASE = timedelta(minutes=15)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
MAX_ATTEMPTS = 14  # about a day and a half
WORKER = "delivery"


@dataclass(frozen=True, slots=True)
class Result:
    """How one sending went, and when to try again."""

    item: OutboxItem
    what: Literal["delivered", "postponed", "retried", "refused", "broken"]
    reason: str = ""
    next_at: datetime | None = None


def deliver(database: Database, channels: Mapping[str, Channel], now: datetime, *, worker: str) -> Mapping[str, int]:
    """Send everything that is due. Returns counts: delivered, postponed (quiet hours), retried, refused, broken, paused.

    The outbox's brake, and whether the claim is still ours, are looked at before every sending. Raises `Unavailable` when the records
    are away; what was claimed is then sent once its lease has run out, with the same keys.
    """
    done: Counter[str] = Counter()
    while True:
        with database.transaction(alone=False) as connection:
            if brakes.is_paused(connection)[0]:
                return dict(done | Counter(paused=1))
            items = outbox.claim(connection, worker, now, lease=LEASE, limit=BATCH)
        if not items:
            return dict(done)
        results, left = _send_batch(database, channels, items, now)
        done.update(result.what for result in results)
        if left:
            with database.transaction(alone=False) as connection:
                for item in left:
                    outbox.give_back(connection, item)
            return dict(done | Counter(paused=1))


def _send_batch(
    database: Database, channels: Mapping[str, Channel], items: Sequence[OutboxItem], now: datetime
) -> tuple[list[Result], Sequence[OutboxItem]]:
    """Send items in their order, marking each before the next is sent. Returns the results and what the brake left unsent.

    A row of items for one channel that takes many at once is sent and marked as one.
    """
    done: list[Result] = []
    begun = 0
    for name, row in groupby(items, key=lambda item: item.channel):
        channel = channels.get(name)
        group = list(row)
        shares = [group] if isinstance(channel, BulkChannel) else [[item] for item in group]
        for share in shares:
            with database.reading() as connection:
                if brakes.is_paused(connection)[0]:
                    return done, items[begun:]
                ours = outbox.still_claimed(connection, share)
            begun += len(share)
            results = _attempt_all(channel, [item for item in share if item.id in ours], now)
            _mark(database, results, now)
            done.extend(results)
    return done, ()


def _attempt_all(channel: Channel | None, items: Sequence[OutboxItem], now: datetime) -> list[Result]:
    due = [item for item in items if _allowed_at(item, now) <= now]
    if isinstance(channel, BulkChannel) and len(due) > 1:
        try:
            channel.deliver_all([_parcel(item) for item in due])
        except HearthwatchError as error:  # one by one then, to see which: sent again, they arrive once
            LOG.info("%d items for %s one by one: %s", len(due), channel.name, error.message)
        else:
            sent = {item.id for item in due}
            return [Result(item, "delivered") if item.id in sent else _attempt(channel, item, now) for item in items]
    return [_attempt(channel, item, now) for item in items]


def _attempt(channel: Channel | None, item: OutboxItem, now: datetime) -> Result:
    allowed = _allowed_at(item, now)
    if allowed > now:
        return Result(item, "postponed", next_at=allowed)
    try:
        if channel is None:
            raise Unavailable(f"there is no channel {item.channel!r} here")
        channel.deliver(**asdict(_parcel(item)))
    except Refused as error:
        return _refused(item, error.message)
    except HearthwatchError as error:
        return _again(item, error, "retried", now)
    except Exception as error:  # a channel's own bug must not stop the others
        LOG.exception("item %d to %s broke in channel %s", item.id, shown(item.address), item.channel)
        return _again(item, Unavailable(f"the channel broke: {type(error).__name__}"), "broken", now)
    return Result(item, "delivered")


def _allowed_at(item: OutboxItem, now: datetime) -> datetime:
    quiet = item.payload.get("quiet")
    if not quiet:
        return now
    start, end = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
    return next_allowed(now, start, end, zone(quiet["timezone"], "UTC"))


def _parcel(item: OutboxItem) -> Parcel:
    payload = item.payload
    if item.kind == "command":
        return _command(item)
    return Parcel(item.address, payload["subject"], payload["text"], payload["html"], item.idempotency_key)


def _command(item: OutboxItem) -> Parcel:
    """What is published; the subject of bytes that are no text says that they are written in base64."""
    payload = item.payload
    if "base64" in payload:
        return Parcel(item.address, BASE64, payload["base64"], "", item.idempotency_key)
    said = payload["said"] if "said" in payload else json.dumps(payload["body"], separators=(",", ":"))
    return Parcel(item.address, "", said, "", item.idempotency_key)


def _again(item: OutboxItem, error: HearthwatchError, what: Literal["retried", "broken"], now: datetime) -> Result:
    if item.attempts >= MAX_ATTEMPTS:
        return _refused(item, f"given up after {item.attempts} tries: {error.message}")
    pause = min(FIRST_PAUSE * 2 ** (item.attempts - 1), LONGEST_PAUSE)
    asked = getattr(error, "retry_after", None)
    if asked is not None:
        pause = max(pause, timedelta(seconds=asked))
    LOG.warning("item %d to %s waits %s: %s", item.id, shown(item.address), pause, error.message)
    return Result(item, what, error.message, now + pause)


def _refused(item: OutboxItem, reason: str) -> Result:
    LOG.warning("item %d to %s was refused: %s", item.id, shown(item.address), reason)
    return Result(item, "refused", reason)


def _mark(database: Database, results: Sequence[Result], now: datetime) -> None:
    if not results:
        return
    with database.transaction() as connection:
        for result in results:
            _mark_one(connection, result, now)


def _mark_one(connection: Connection, result: Result, now: datetime) -> None:
    """Write down how it went; where the claim was lost meanwhile, another worker does."""
    item = result.item
    command = item.payload.get("command") if item.kind == "command" else None
    if command is not None:
        _mark_command(connection, result, command, now)
    elif result.what == "delivered":
        if outbox.complete(connection, item, now) and item.notice_id is not None:
            notices.change(connection, item.notice_id, None, {"state": "sent", "sent_at": now, "reason": None})
            notices.note(connection, item.notice_id, now, "sent", WORKER, {"channel": item.channel})
    elif result.what == "refused":
        if outbox.fail(connection, item, result.reason) and item.notice_id is not None:
            _next_address(connection, item, item.notice_id, result.reason, now)
    elif result.what == "postponed":
        outbox.give_back(connection, item, result.next_at)
    else:
        outbox.retry(connection, item, result.next_at or now, result.reason)


def _mark_command(connection: Connection, result: Result, command: int, now: datetime) -> None:
    """As `_mark_one`, of something that was asked of a device."""
    item = result.item
    if result.what == "delivered":
        if outbox.complete(connection, item, now):
            asking.left(connection, command, now)
    elif result.what == "refused":
        if outbox.fail(connection, item, result.reason):
            asking.gave_up(connection, command, result.reason)
    else:
        outbox.retry(connection, item, result.next_at or now, result.reason)


def _next_address(connection: Connection, item: OutboxItem, notice_id: int, reason: str, now: datetime) -> None:
    others = tuple(item.payload.get("others", ()))
    notices.note(connection, notice_id, now, "refused", WORKER, {"channel": item.channel, "reason": reason})
    if others:
        put_letter(connection, notices.get(connection, notice_id), others, item.payload, now=now, next_at=now)
        return
    notices.change(connection, notice_id, None, {"state": "failed", "reason": reason})
    notices.note(connection, notice_id, now, "failed", WORKER, {"reason": reason})
