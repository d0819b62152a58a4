"""The job that keeps tickets and their mirrors in a desk alike: what happened here is told, what happened there is heard.

Nothing is lost while a desk is away: the ledger of tickets is what is still to tell, and the desk's own words stay there until heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.mirrors.case import Showing, Terms, place_of, showing
from alerts.mirrors.heard import hear
from hearthwatch.errors import Conflict, Missing, Refused, Unavailable
from hearthwatch.ports import ServiceDesk
from hearthwatch.records import mirrors
from hearthwatch.records.database import Database
from hearthwatch.records.mirrors import DeskHealth, Mirror
from hearthwatch.service_desk import DeskPlace

TELL_AT_ONCE = 50
LOOK_AT_ONCE = 20
"""Tickets in one round; a round comes every 15 seconds."""
FOLLOWED = timedelta(days=14)
"""So long after it was closed here a ticket is still looked at: a customer may answer there."""
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=30)


def mirror_tickets(database: Database, desk: ServiceDesk, terms: Terms, now: datetime) -> Mapping[str, int]:
    """One round. Returns counts: told, heard, refused, gone; away is 1 while the desk can not be reached."""
    with database.transaction() as connection:
        mirrors.begin(connection, desk.name, now)
        health = mirrors.desk(connection, desk.name)
    if health is None or (health.next_at is not None and health.next_at > now):
        return {"away": 1}
    done: Counter[str] = Counter()
    try:
        _tell_all(database, desk, terms, health, now, done)
        _hear_all(database, desk, now, done)
    except Unavailable as error:
        _is_away(database, health, error, now)
        return dict(done | Counter(away=1))
    if health.away_since is not None:
        with database.transaction() as connection:
            mirrors.note_desk(connection, desk.name, {"away_since": None, "next_at": None, "tries": 0, "error": None})
    return dict(done)


def _tell_all(
    database: Database, desk: ServiceDesk, terms: Terms, health: DeskHealth, now: datetime, done: Counter[str]
) -> None:
    with database.reading() as connection:
        waiting = mirrors.untold(connection, health, limit=TELL_AT_ONCE)
    for ticket_id in waiting:
        with database.reading() as connection:
            what = showing(connection, ticket_id, terms)
        if what.case.words or what.place is None:
            _tell(database, desk, ticket_id, what, now, done)
        else:
            with database.transaction() as connection:
                mirrors.mark(connection, what.unwanted, "unwanted", now)
    if not waiting:
        with database.transaction() as connection:
            mirrors.settle(connection, health)


def _tell(
    database: Database, desk: ServiceDesk, ticket_id: int, what: Showing, now: datetime, done: Counter[str]
) -> None:
    try:
        place = desk.put(what.case, what.place)
    except Refused as error:
        _end(database, ticket_id, desk.name, "refused", error.message, now)
        done["refused"] += 1
        return
    except Missing:
        _end(database, ticket_id, desk.name, "ended", "the desk has deleted it", now)
        done["gone"] += 1
        return
    with database.transaction() as connection:
        mirrors.save(connection, ticket_id, desk.name, _stands(what.place, place), now)
        mirrors.mark(connection, what.told, "told", now)
        mirrors.mark(connection, what.unwanted, "unwanted", now)
    done["told"] += len(what.told)


def _stands(before: DeskPlace | None, place: DeskPlace) -> Mapping[str, object]:
    stands = {"outside_id": place.id, "number": place.number, "url": place.url, "told": place.told}
    return stands if before is not None and before.told == place.told else {**stands, "outside_state": place.told}


def _end(database: Database, ticket_id: int, desk_name: str, state: str, why: str, now: datetime) -> None:
    with database.transaction() as connection:
        mirrors.save(connection, ticket_id, desk_name, {"state": state, "why": why}, now)


def _hear_all(database: Database, desk: ServiceDesk, now: datetime, done: Counter[str]) -> None:
    with database.reading() as connection:
        some = mirrors.to_look_at(connection, desk.name, closed_after=now - FOLLOWED, limit=LOOK_AT_ONCE)
    for mirror in some:
        place = place_of(mirror)
        if place is None:
            continue
        try:
            side = desk.look(place, mirror.seen)
        except Refused as error:
            _end(database, mirror.ticket_id, desk.name, "refused", error.message, now)
            done["refused"] += 1
            continue
        if side is None:
            return  # it tells by itself
        with database.transaction() as connection:
            fresh = mirrors.find(connection, mirror.ticket_id)
            if fresh is not None and fresh.revision == mirror.revision:
                hear(connection, mirror, side, now)
                done["heard"] += len(side.words)


def _is_away(database: Database, health: DeskHealth, error: Unavailable, now: datetime) -> None:
    """Ask again later, and later still: one request finds out, not one for each ticket."""
    pause = min(FIRST_PAUSE * 2**health.tries, LONGEST_PAUSE)
    if error.retry_after is not None:
        pause = max(pause, timedelta(seconds=error.retry_after))
    changes = {
        "away_since": health.away_since or now,
        "next_at": now + pause,
        "tries": min(health.tries + 1, 16),
        "error": error.message,
    }
    with database.transaction() as connection:
        mirrors.note_desk(connection, health.name, changes)


def show_again(connection: Connection, ticket_id: int, now: datetime) -> Mirror:
    """Try a ticket again that a desk refused. Raises `Missing`, or `Conflict` where it was not refused."""
    mirror = mirrors.find(connection, ticket_id)
    if mirror is None:
        raise Missing("this ticket is shown in no desk", where=f"ticket {ticket_id}")
    if mirror.state != "refused":
        raise Conflict(f"its mirror is {mirror.state}", where=f"ticket {ticket_id}")
    return mirrors.save(connection, ticket_id, mirror.desk, {"state": "standing", "why": None}, now)
