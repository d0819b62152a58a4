"""What a desk's people did with a ticket, done here: their words, its waiting, its closing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.mirrors.case import state_of
from alerts.tickets import acts, conversation, ending
from alerts.tickets.ledger import record
from hearthwatch.errors import Conflict, Denied, Invalid
from hearthwatch.records import mirrors, tickets
from hearthwatch.records.mirrors import Mirror
from hearthwatch.service_desk import DeskSide, DeskWord
from hearthwatch.values import CLOSING_CODES, Ticket

LOOKED_AGAIN = timedelta(days=7)
"""How long a ticket waits here where the desk does not say until when it waits there."""
AT_WORK = {
    "scheduled": "It waits there; the visit that is agreed here stays.",
    "in_progress": "It waits there; the work that has begun here goes on.",
}
"""What a desk's waiting does not end: desks wait for the day of a visit, and the customer was promised that day."""
OVER = {"merged": "the desk put it into another ticket of its own", "gone": "the desk has deleted it"}


def hear(connection: Connection, mirror: Mirror, side: DeskSide, now: datetime) -> Mirror:
    """Do what a desk tells of a ticket, once. What our ticket's state does not allow is a note on it, never lost."""
    actor = f"desk:{mirror.desk}"
    newest = max((event.id for event in tickets.events(connection, mirror.ticket_id)), default=0)
    for word in side.words:
        _say(connection, mirror.ticket_id, word, actor, now)
    changes = {**_follow(connection, mirror, side, actor, now), "seen": side.seen, "looked_at": now}
    mirrors.mark(connection, mirrors.events_by(connection, mirror.ticket_id, actor, newest), "heard", now)
    return mirrors.save(connection, mirror.ticket_id, mirror.desk, changes, now)


def _say(connection: Connection, ticket_id: int, word: DeskWord, actor: str, now: datetime) -> None:
    ticket = tickets.get(connection, ticket_id)
    if word.kind == "message":
        try:
            conversation.message(connection, ticket_id, text=_fit(word.text), author=actor, now=now, verified=True)
        except Conflict:  # it was closed long ago; who wrote at the desk is answered there
            _note(connection, ticket, _fit(f"{word.author}: {word.text}"), actor, now)
    elif word.kind == "reply" and ticket.customer_id is not None:
        kept = conversation.keep(connection, ticket, "out", _fit(word.text), actor, now)
        record(connection, ticket, "replied", actor, now, {"message_id": kept, "delivered": word.delivered})
    else:
        _note(connection, ticket, _fit(f"{word.author}: {word.text}"), actor, now)


def _fit(text: str) -> str:
    """A desk's words at the length of ours; what is empty, such as a picture alone, is seen to be."""
    said = text.strip() or "–"
    return said if len(said) <= conversation.LONGEST_TEXT else f"{said[: conversation.LONGEST_TEXT - 1]}…"


def _follow(connection: Connection, mirror: Mirror, side: DeskSide, actor: str, now: datetime) -> Mapping[str, Any]:
    """Bring our ticket where the desk has it. Returns what changes about the mirror."""
    ticket = tickets.get(connection, mirror.ticket_id)
    if side.state in OVER:
        _note(connection, ticket, f"It is no longer followed there: {OVER[side.state]}.", actor, now)
        return {"state": "ended", "why": OVER[side.state], "outside_state": side.state}
    changed = side.state != (mirror.outside_state or mirror.told)
    missing = mirror.outcome_missing and side.state == "closed"
    if side.state == "closed" and (changed or missing):
        missing = _close(connection, mirror, ticket, side, actor, now)
    elif changed and ticket.state == "closed":
        _reopen(connection, ticket, actor, now)
    elif changed and side.state == "waiting" and ticket.state in AT_WORK:
        _note(connection, ticket, AT_WORK[ticket.state], actor, now)
    elif changed and side.state == "waiting" and ticket.state != "waiting":
        until = side.waits_until if side.waits_until is not None and side.waits_until > now else now + LOOKED_AGAIN
        acts.wait(connection, ticket.id, None, "third_party", until, actor, now)
    elif changed and side.state == "open" and ticket.state == "waiting":
        acts.resume(connection, ticket.id, None, actor, now)
    changes: dict[str, Any] = {"outside_state": side.state, "outcome_missing": missing}
    if changed:  # where we do not follow, the desk is left in peace until something happens here
        changes["told"] = state_of(tickets.get(connection, ticket.id))
    return changes


def _close(connection: Connection, mirror: Mirror, ticket: Ticket, side: DeskSide, actor: str, now: datetime) -> bool:
    """Close it with the desk's outcome; without one it stays open here and says so once. Returns whether the outcome is missing."""
    if ticket.state == "closed":
        return False
    wrong = _cannot_close(side)
    if wrong is None:
        code = str(side.outcome)
        try:
            ending.close(connection, ticket.id, None, code=code, part=side.part, note=None, actor=actor, now=now)
        except (Conflict, Denied, Invalid) as error:
            wrong = error.message
        else:
            return False
    if not mirror.outcome_missing:
        _note(connection, ticket, f"It was closed there, and is still open here: {wrong}.", actor, now)
    return True


def _cannot_close(side: DeskSide) -> str | None:
    if side.outcome is None:
        return "nobody said there how it ended (an outcome, such as confirmed and the part)"
    if side.outcome not in CLOSING_CODES:
        return f"{side.outcome!r} is no outcome; there are {', '.join(CLOSING_CODES)}"
    return None


def _reopen(connection: Connection, ticket: Ticket, actor: str, now: datetime) -> None:
    try:
        ending.reopen(connection, ticket.id, None, "It was opened again in the desk.", actor, now)
    except (Conflict, Denied) as error:
        _note(connection, ticket, f"It was opened again there, and stays closed here: {error.message}.", actor, now)


def _note(connection: Connection, ticket: Ticket, text: str, actor: str, now: datetime) -> None:
    conversation.note(connection, ticket.id, None, text, actor, now)
