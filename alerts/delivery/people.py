"""What a person does with what leaves the house: send dead letters again, cancel, pause a channel. Every act is audited."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from alerts.channels import letters
from alerts.policy import budget
from hearthwatch.errors import Conflict, Invalid
from hearthwatch.records import asking, audit, delivery_channels, notices, outbox
from hearthwatch.records.delivery_channels import ChannelState
from hearthwatch.records.outbox import OutboxItem

LONGEST_REASON = 300
MOST = 10_000
"""Dead letters that one act sends again."""


def send_again(
    connection: Connection, item_id: int, actor: str, now: datetime, *, revision: int | None = None
) -> OutboxItem:
    """Let something that was given up or cancelled leave once more, under the same key: a receiver that did get it drops it.

    Raises `Missing`, `Stale`, or `Conflict` where it waits, was delivered, has no text any more, or would be more than the budget of its
    household or of the fleet, which warnings of danger pass.
    """
    _within_budgets(connection, outbox.get(connection, item_id), now)
    item = outbox.send_again(connection, item_id, now, revision=revision)
    _revive(connection, item, actor, now)
    audit.note(connection, at=now, actor=actor, action="outbox.retry", object=f"outbox:{item.id}", detail=_told(item))
    return item


def send_all_again(
    connection: Connection, actor: str, now: datetime, *, channel: str | None = None, since: datetime | None = None
) -> int:
    """Let every dead letter (of one channel, given up at or after a time) leave once more. Returns how many; the others have no text,
    or no budget is left for them."""
    sent = 0
    for dead in outbox.dead_letters(connection, channel=channel, since=since, limit=MOST):
        try:
            _within_budgets(connection, dead, now)
            item = outbox.send_again(connection, dead.id, now)
        except Conflict:
            continue
        _revive(connection, item, actor, now)
        sent += 1
    told = {"channel": channel, "since": since.isoformat() if since else None, "items": sent}
    audit.note(connection, at=now, actor=actor, action="outbox.retry", object="outbox", detail=told)
    return sent


def cancel(
    connection: Connection, item_id: int, actor: str, now: datetime, reason: str, *, revision: int | None = None
) -> OutboxItem:
    """Let something that waits or was given up never leave. Raises `Missing`, `Stale`, `Invalid` without a reason, `Conflict` where it
    is being sent or was."""
    said = _reason(reason)
    item = outbox.cancel_item(connection, item_id, f"cancelled: {said}", revision=revision)
    if item.kind == "command" and "command" in item.payload:
        asking.gave_up(connection, item.payload["command"], f"cancelled: {said}")
    elif item.notice_id is not None:
        _cancelled(connection, item, item.notice_id, actor, said, now)
    told = {**_told(item), "reason": said}
    audit.note(connection, at=now, actor=actor, action="outbox.cancel", object=f"outbox:{item.id}", detail=told)
    return item


def pause_channel(connection: Connection, name: str, actor: str, now: datetime, reason: str) -> ChannelState:
    """Let nothing leave by one channel. Raises `Invalid` without a reason."""
    said = _reason(reason)
    state = delivery_channels.keep(connection, name, {"paused_at": now, "paused_by": actor, "paused_reason": said})
    audit.note(
        connection, at=now, actor=actor, action="channel.pause", object=f"channel:{name}", detail={"reason": said}
    )
    return state


def resume_channel(connection: Connection, name: str, actor: str, now: datetime) -> ChannelState:
    """Let letters leave by a channel again. Where its provider was held for dead, one is sent at once to see."""
    before = delivery_channels.get(connection, name)
    changes = {"paused_at": None, "paused_by": None, "paused_reason": None}
    state = delivery_channels.keep(connection, name, changes | ({"open_until": now} if before.is_open else {}))
    outbox.restart_wait(connection, now, channel=name)
    audit.note(connection, at=now, actor=actor, action="channel.resume", object=f"channel:{name}", detail={})
    return state


def _within_budgets(connection: Connection, item: OutboxItem, now: datetime) -> None:
    if item.notice_id is None or not item.payload.get("quiet"):
        return  # what no quiet time holds back, no budget does
    budget.check(connection, notices.get(connection, item.notice_id), now)


def _revive(connection: Connection, item: OutboxItem, actor: str, now: datetime) -> None:
    """What was given up with it waits again, too."""
    if item.notice_id is None:
        return
    notice = notices.get(connection, item.notice_id)
    if notice.state in {"failed", "cancelled"}:
        notices.change(connection, notice.id, None, {"state": "queued", "reason": None})
    notices.note(connection, notice.id, now, "sent_again", actor, {"channel": item.channel})


def _cancelled(
    connection: Connection, item: OutboxItem, notice_id: int, actor: str, reason: str, now: datetime
) -> None:
    notices.note(connection, notice_id, now, "channel_cancelled", actor, {"channel": item.channel, "reason": reason})
    together = {one.state for one in letters.siblings(connection, item)}
    if together == {"cancelled"}:
        notices.change(connection, notice_id, None, {"state": "cancelled", "reason": reason})
        notices.note(connection, notice_id, now, "cancelled", actor, {"reason": reason})


def _told(item: OutboxItem) -> dict[str, object]:
    return {"channel": item.channel, "kind": item.kind, "notice": item.notice_id}


def _reason(text: str) -> str:
    said = " ".join(text.split())
    if not said or len(said) > LONGEST_REASON:
        raise Invalid(f"say why, in at most {LONGEST_REASON} characters", where="reason")
    return said
