"""The brakes a person pulls: stop all sending, and release a round that was too large for one person alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Denied, Missing
from hearthwatch.records import audit, brakes, outbox


def pause(connection: Connection, actor: str, now: datetime, reason: str) -> None:
    """Stop all sending at once."""
    brakes.put(connection, brakes.OUTBOX, on=True, detail={"reason": reason}, actor=actor, now=now)
    audit.note(connection, at=now, actor=actor, action="outbox.pause", object="outbox", detail={"reason": reason})


def resume(connection: Connection, actor: str, now: datetime) -> None:
    """Send again."""
    brakes.put(connection, brakes.OUTBOX, on=False, detail={}, actor=actor, now=now)
    outbox.restart_wait(connection, now)
    audit.note(connection, at=now, actor=actor, action="outbox.resume", object="outbox", detail={})


def hold_round(connection: Connection, now: datetime, *, notices: int, first: str) -> str:
    """Hold a round of notices for a second person; ``first`` set the policy live that wants them. Returns the round's id."""
    round_id = now.strftime("%Y%m%dT%H%M%S%fZ")
    detail = {"notices": notices, "first": first}
    brakes.put(connection, brakes.ROUND + round_id, on=True, detail=detail, actor="policy", now=now)
    return round_id


def release_round(connection: Connection, round: str, actor: str, now: datetime) -> None:  # noqa: A002 - its name at the API
    """Let a held round go. Raises `Missing`, `Conflict` when it went before, `Denied` for the one who set the policy live."""
    round_id = round.removeprefix(brakes.ROUND)
    brake = brakes.find(connection, brakes.ROUND + round_id)
    if brake is None:
        raise Missing("no such round", where=round_id)
    if not brake.on:
        raise Conflict(f"round {round_id} was released by {brake.changed_by}")
    if brake.detail.get("first") == actor:
        raise Denied("a round this large needs a second person: you set its policy live", where=round_id)
    detail = {**brake.detail, "second": actor}
    brakes.put(connection, brake.name, on=False, detail=detail, actor=actor, now=now)
    audit.note(connection, at=now, actor=actor, action="round.release", object=brake.name, detail=detail)
