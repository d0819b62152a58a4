"""A person is forgotten (Regulation (EU) 2016/679, Art. 17): what is under way with them ends, then they are taken out of every table.

Why statistics stay, and what of the telemetry is personal: docs/adr/0016-erasing-a-person.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.customers import transfer
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import audit, consents, customers, erasures, personal
from hearthwatch.records.erasures import Erasure
from hearthwatch.records.personal import Person

WHY = "erased"
LONGEST_REASON = 400


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure did: the pseudonym that is left, rows by table, and tickets that ended."""

    customer_id: str
    counts: dict[str, int]
    closed: tuple[int, ...]


def erase(connection: Connection, customer_id: str, *, reason: str, by: str, now: datetime) -> Forgotten:
    """Forget a person. Done again it clears what came back meanwhile.

    Raises `Missing` for no such customer, `Invalid` without a reason or with one that names the person: it is kept for ever.
    """
    person = personal.person(connection, customer_id)
    _check(reason, person)
    return _forget(connection, person, reason, by, now)


def _forget(connection: Connection, person: Person, reason: str, by: str, now: datetime) -> Forgotten:
    customer_id = person.id
    closed = _end(connection, person, by, now)
    counts = erasures.take_out(connection, person, now)
    erasures.note(connection, customer_id, by=by, reason=reason.strip(), counts=counts, at=now)
    named = f"customer:{customer_id}"
    audit.note(connection, at=now, actor=by, action="customer.erase", object=named, detail={"rows": counts})
    return Forgotten(customer_id, counts, closed)


def _check(reason: str, person: Person) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"say why, in 1 to {LONGEST_REASON} letters", where="reason")
    if personal.names(reason, person.words()):
        raise Invalid("the reason is kept: it must not name the person", where="reason")


def _end(connection: Connection, person: Person, by: str, now: datetime) -> tuple[int, ...]:
    closed: list[int] = []
    for held in person.ownerships:
        if held.to_at is None or held.to_at > now:
            customers.end_ownership(connection, held.device_id, now, ended=WHY)
        closed += transfer.end_matters(connection, held.device_id, person.id, WHY, by, now)
    closed += transfer.end_tickets(connection, person.id, WHY, by, now)
    holds = consents.standing(connection, person.id)
    for purpose in (one for one in consents.PURPOSES if one != consents.SAFETY):
        if any(holds.allows(purpose, way) for way in (None, *consents.CHANNELS)):
            consents.record(connection, person.id, purpose, False, now, WHY, by=by)
    return tuple(dict.fromkeys(closed))


def erase_again(connection: Connection, told: Iterable[Erasure], now: datetime, by: str) -> int:
    """Repeat erasures on records that came from a backup made before them. Returns how many persons were there again."""
    done = 0
    for one in {erasure.customer_id: erasure for erasure in told}.values():
        try:
            person = personal.person(connection, one.customer_id)
        except Missing:
            continue
        if person.customer.name == erasures.ERASED:
            continue
        reason = f"again, after a restore: {one.reason}"[:LONGEST_REASON]
        _forget(connection, person, reason, by, now)
        done += 1
    return done
