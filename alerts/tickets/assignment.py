"""Who gets a ticket: by skill, place and load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.tickets.ledger import record
from hearthwatch.records import technicians, tickets
from hearthwatch.records.technicians import Technician
from hearthwatch.values import Ticket

EVERY = 10_000
ANY = "*"


def best(
    people: Sequence[Technician], load: Mapping[str, int], *, skills: Sequence[str], region: str | None
) -> Technician | None:
    """Of those who can (one of ``skills``), go there and have room, the one with the fewest open tickets; ties by id."""
    fit = [
        one
        for one in people
        if one.active
        and _has(one.skills, skills)
        and (region is None or _has(one.regions, [region]))
        and load.get(one.id, 0) < one.capacity
    ]
    return min(fit, key=lambda one: (load.get(one.id, 0), one.id), default=None)


def _has(offered: Sequence[str], wanted: Sequence[str]) -> bool:
    return not offered or ANY in offered or any(name in offered for name in wanted)


def assign(
    connection: Connection, ticket: Ticket, *, skills: Sequence[str], region: str | None, actor: str, now: datetime
) -> Ticket:
    """Give an open ticket to the best technician; without one it stays open for a person to assign."""
    people = technicians.list_technicians(connection, active=True, limit=EVERY)
    if not people:
        return ticket
    chosen = best(people, tickets.load_by_technician(connection), skills=skills, region=region)
    if chosen is None:
        return ticket
    detail = {"technician_id": chosen.id, "skills": list(skills), "region": region}
    return record(connection, ticket, "assigned", actor, now, detail)
