"""Sends what the outbox holds: claim, deliver by idempotency key, mark. A crash in between gives the same key again."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from alerts.addresses import shown
from alerts.issue import put_letter
from alerts.quiet import next_allowed, zone
from hearthwatch.errors import HearthwatchError, Refused, Unavailable
from hearthwatch.ports import Channel
from hearthwatch.records import brakes, notices, outbox
from hearthwatch.records.database import Database
from hearthwatch.records.outbox import OutboxItem

LOG = logging.getLogger(__name__)

BATCH = 20
LEASE = timedelta(minutes=10)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
MAX_ATTEMPTS = 14  # about a day and a half
WORKER = "delivery"


def deliver(database: Database, channels: Mapping[str, Channel], now: datetime, *, worker: str) -> Mapping[str, int]:
    """Send everything that is due. Returns counts: delivered, postponed (quiet hours), retried, refused, broken, paused.

    The outbox's brake is looked at before every single sending. Raises `Unavailable` when the records are away; what was claimed is
    then sent once its lease has run out, with the same keys.
    """
    done: Counter[str] = Counter()
    while True:
        with database.transaction() as connection:
            if brakes.is_paused(connection)[0]:
                return dict(done | Counter(paused=1))
            items = outbox.claim(connection, worker, now, lease=LEASE, limit=BATCH)
        if not items:
            return dict(done)
        for number, item in enumerate(items):
            if _paused(database):
                _give_back(database, items[number:])
                return dict(done | Counter(paused=1))
            done[_deliver_one(database, channels, item, now)] += 1


def _paused(database: Database) -> bool:
    with database.reading() as connection:
        return brakes.is_paused(connection)[0]


def _give_back(database: Database, items: list[OutboxItem]) -> None:
    with database.transaction() as connection:
        for item in items:
            outbox.give_back(connection, item)


def _deliver_one(database: Database, channels: Mapping[str, Channel], item: OutboxItem, now: datetime) -> str:
    allowed = _allowed_at(item, now)
    if allowed > now:
        with database.transaction() as connection:
            outbox.give_back(connection, item, allowed)
        return "postponed"
    try:
        _send(channels, item)
    except Refused as error:
        return _refused(database, item, error.message, now)
    except HearthwatchError as error:
        return _again(database, item, error, now)
    except Exception as error:  # a channel's own bug must not stop the others
        LOG.exception("item %d to %s broke in channel %s", item.id, shown(item.address), item.channel)
        _again(database, item, Unavailable(f"the channel broke: {type(error).__name__}"), now)
        return "broken"
    with database.transaction() as connection:
        if outbox.complete(connection, item, now) and item.notice_id is not None:
            notices.change(connection, item.notice_id, None, {"state": "sent", "sent_at": now, "reason": None})
            notices.note(connection, item.notice_id, now, "sent", WORKER, {"channel": item.channel})
    return "delivered"


def _allowed_at(item: OutboxItem, now: datetime) -> datetime:
    quiet = item.payload.get("quiet")
    if not quiet:
        return now
    start, end = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
    return next_allowed(now, start, end, zone(quiet["timezone"], "UTC"))


def _send(channels: Mapping[str, Channel], item: OutboxItem) -> None:
    channel = channels.get(item.channel)
    if channel is None:
        raise Unavailable(f"there is no channel {item.channel!r} here")
    payload = item.payload
    if item.kind == "command":
        text = json.dumps(payload["body"], separators=(",", ":"))
        channel.deliver(address=item.address, subject="", text=text, html="", key=item.idempotency_key)
        return
    channel.deliver(
        address=item.address,
        subject=payload["subject"],
        text=payload["text"],
        html=payload["html"],
        key=item.idempotency_key,
    )


def _again(database: Database, item: OutboxItem, error: HearthwatchError, now: datetime) -> str:
    if item.attempts >= MAX_ATTEMPTS:
        return _refused(database, item, f"given up after {item.attempts} tries: {error.message}", now)
    pause = min(FIRST_PAUSE * 2 ** (item.attempts - 1), LONGEST_PAUSE)
    asked = getattr(error, "retry_after", None)
    if asked is not None:
        pause = max(pause, timedelta(seconds=asked))
    LOG.warning("item %d to %s waits %s: %s", item.id, shown(item.address), pause, error.message)
    with database.transaction() as connection:
        outbox.retry(connection, item, now + pause, error.message)
    return "retried"


def _refused(database: Database, item: OutboxItem, reason: str, now: datetime) -> str:
    LOG.warning("item %d to %s was refused: %s", item.id, shown(item.address), reason)
    with database.transaction() as connection:
        if outbox.fail(connection, item, reason) and item.notice_id is not None:
            _next_address(connection, item, item.notice_id, reason, now)
    return "refused"


def _next_address(connection: Connection, item: OutboxItem, notice_id: int, reason: str, now: datetime) -> None:
    others = tuple(item.payload.get("others", ()))
    notices.note(connection, notice_id, now, "refused", WORKER, {"channel": item.channel, "reason": reason})
    if others:
        put_letter(connection, notices.get(connection, notice_id), others, item.payload, now=now, next_at=now)
        return
    notices.change(connection, notice_id, None, {"state": "failed", "reason": reason})
    notices.note(connection, notice_id, now, "failed", WORKER, {"reason": reason})
