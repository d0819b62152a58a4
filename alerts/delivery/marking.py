"""Writes down how a sending went: in the outbox, in the ledger of attempts, and in what it was sent for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.channels import letters
from alerts.delivery.attempts import Result
from hearthwatch.records import asking, delivery_attempts, notices, outbox
from hearthwatch.records.delivery_attempts import Attempt
from hearthwatch.records.outbox import OutboxItem

WORKER = "delivery"


def mark(connection: Connection, results: Sequence[Result], now: datetime) -> None:
    """Write down how it went; where the claim was lost meanwhile, another worker does."""
    arrived = [one.item for one in results if one.what == "delivered"]
    held = outbox.complete(connection, arrived, now) if arrived else set()
    for result in results:
        if result.what != "delivered":
            _mark_one(connection, result, now)
        elif result.item.id in held:
            _arrived(connection, result.item, now)
    tried = [
        Attempt(one.item.id, one.item.channel, one.item.attempts, now, one.outcome, one.reason or None)
        for one in results
        if one.outcome
    ]
    delivery_attempts.note(connection, tried)


def _mark_one(connection: Connection, result: Result, now: datetime) -> None:
    item = result.item
    if result.what in {"refused", "given_up"}:
        if outbox.fail(connection, item, result.reason, now, outcome=result.outcome):
            gave_up(connection, item, result.reason, now)
    elif result.what == "unwanted":
        if outbox.call_off(connection, item, result.reason) and item.notice_id is not None:
            _unwanted(connection, item, item.notice_id, result.reason, now)
    elif result.what == "postponed":
        outbox.give_back(connection, item, result.next_at)
    else:
        outbox.retry(connection, item, result.next_at or now, result.reason, outcome=result.outcome)


def _arrived(connection: Connection, item: OutboxItem, now: datetime) -> None:
    if item.kind == "command":
        asking.left(connection, item.payload["command"], now) if "command" in item.payload else None
    elif item.notice_id is not None:
        _notice_arrived(connection, item, item.notice_id, now)


def gave_up(connection: Connection, item: OutboxItem, reason: str, now: datetime) -> None:
    """What follows where an item was refused or given up: its customer's next address, else whoever waits for it is told."""
    if item.kind == "command":
        asking.gave_up(connection, item.payload["command"], reason) if "command" in item.payload else None
    elif item.notice_id is not None:
        told = {"channel": item.channel, "reason": reason}
        notices.note(connection, item.notice_id, now, "refused", WORKER, told)
        if not letters.put_next(connection, item, now):
            settle(connection, item, item.notice_id, now)


def _unwanted(connection: Connection, item: OutboxItem, notice_id: int, reason: str, now: datetime) -> None:
    """The customer does not want it this way any more: their next address is tried, which they may still want."""
    notices.note(connection, notice_id, now, "channel_cancelled", WORKER, {"channel": item.channel, "reason": reason})
    if not letters.put_next(connection, item, now):
        settle(connection, item, notice_id, now)


def _notice_arrived(connection: Connection, item: OutboxItem, notice_id: int, now: datetime) -> None:
    if item.payload.get("reach") == "all":
        notices.note(connection, notice_id, now, "arrived", WORKER, {"channel": item.channel})
    settle(connection, item, notice_id, now)


def settle(connection: Connection, item: OutboxItem, notice_id: int, now: datetime) -> None:
    """Bring a notice into the state that its channels make together.

    It is sent when one arrived, or all of them where it leaves by all at once; failed when that can not be any more; suppressed when its
    customer agrees to none of them any more.
    """
    together = letters.siblings(connection, item)
    arrived = [one for one in together if one.state == "delivered"]
    open_ = [one for one in together if one.state in {"pending", "claimed"}]
    dead = [one for one in together if one.state == "failed"]
    notice = notices.get(connection, notice_id)
    first = {"sent_at": now} if arrived and notice.sent_at is None else {}
    if arrived and (item.payload.get("reach") != "all" or not (open_ or dead)):
        if notice.state != "sent":
            sent = {"state": "sent", "reason": None, "sent_at": notice.sent_at or now}
            notices.change(connection, notice_id, None, sent)
            notices.note(connection, notice_id, now, "sent", WORKER, {"channel": item.channel})
    elif dead and not open_:
        reason = _why(arrived, dead)
        notices.change(connection, notice_id, None, {"state": "failed", "reason": reason} | first)
        notices.note(connection, notice_id, now, "failed", WORKER, {"reason": reason})
    elif not (arrived or open_):
        told = {"reason": next(one.last_error for one in together if one.id == item.id)}
        notices.change(connection, notice_id, None, {"state": "suppressed", **told})
        notices.note(connection, notice_id, now, "suppressed", WORKER, told)
    elif first:
        notices.change(connection, notice_id, None, first)


def _why(arrived: Sequence[OutboxItem], dead: Sequence[OutboxItem]) -> str:
    """The reason of a failure; where it arrived in part, by which channels it did and did not."""
    if not arrived and len(dead) == 1:
        return dead[0].last_error or ""
    not_by = "; ".join(f"{one.channel}: {one.last_error}" for one in dead)
    return f"arrived by {', '.join(one.channel for one in arrived)}; not by {not_by}" if arrived else not_by
