"""Takes a person out of the records, and keeps that it was done, without the person: a backup that is restored is erased again by it.

What stays stands under the customer's id alone, a pseudonym: that there was a customer with these devices, tickets and their outcomes,
consents and when. Ledgers hold ids and codes, so that they can stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records import outbox as outgoing
from hearthwatch.records import personal, reports, surveys, ticket_messages
from hearthwatch.records.database import Database, batched, translated
from hearthwatch.records.personal import Person
from hearthwatch.records.tables import (
    commands,
    customer_links,
    customers,
    erasures,
    homes,
    idempotency_keys,
    mailbox,
    notices,
    outbox,
    ownerships,
    ticket_approvals,
    tickets,
    used_nonces,
)
from hearthwatch.records.tables.columns import fitted

ERASED = ""
"""The name of a customer who was erased."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a person was erased: under which pseudonym, when, by whom, why, and how many rows of which table it touched."""

    id: int
    customer_id: str
    at: datetime
    by: str
    reason: str
    counts: Mapping[str, int]


def is_erased(connection: Connection, customer_id: str) -> bool:
    """Whether a person was erased; their id is not given to anybody again."""
    return customer_id in erased_among(connection, [customer_id])


def erased_among(connection: Connection, customer_ids: Iterable[str]) -> set[str]:
    """Those of some customers who were erased."""
    found: set[str] = set()
    for some in batched(sorted(set(customer_ids))):
        query = sa.select(erasures.c.customer_id).where(erasures.c.customer_id.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def list_erasures(connection: Connection) -> list[Erasure]:
    """Every erasure, oldest first."""
    return [Erasure(**row) for row in connection.execute(sa.select(erasures).order_by(erasures.c.id)).mappings()]


def note(
    connection: Connection, customer_id: str, *, by: str, reason: str, counts: Mapping[str, int], at: datetime
) -> None:
    """Keep that a person was erased."""
    row = {"customer_id": customer_id, "at": at, "by": fitted(erasures.c.by, by), "counts": dict(counts)}
    connection.execute(sa.insert(erasures).values(**row, reason=fitted(erasures.c.reason, reason)))


def remember(connection: Connection, told: Iterable[Erasure]) -> list[Erasure]:
    """Keep erasures that other records knew of, each once. Returns those that were not known here."""
    known = {(one.customer_id, one.at) for one in list_erasures(connection)}
    new = [one for one in told if (one.customer_id, one.at) not in known]
    rows = [
        {"customer_id": one.customer_id, "at": one.at, "by": one.by, "reason": one.reason, "counts": dict(one.counts)}
        for one in {(one.customer_id, one.at): one for one in new}.values()
    ]
    if rows:
        connection.execute(sa.insert(erasures), rows)
    return new


def take_out(connection: Connection, person: Person, now: datetime) -> dict[str, int]:
    """Take a person out of every table; returns how many rows of each. What is under way with them must have ended before.

    On SQLite what is overwritten is overwritten in the file, too; what the file's log still holds goes with `sweep`.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    addresses = _addresses(connection, person)
    their_notices = list(connection.execute(personal.their_notices(person)).scalars())
    their_tickets = list(connection.execute(personal.their_tickets(person)).scalars())
    counts = {
        "notices": _blank(connection, notices, their_notices, {"subject": "", "body": "", "html": "", "why": None}),
        "outbox": outgoing.forget_people(connection, their_notices),
        "tickets": _blank(connection, tickets, their_tickets, {"closing_note": None}),
        "titles": _requests(connection, their_tickets),
        "ticket_messages": ticket_messages.erase(connection, personal.their_messages(person), now),
        "ticket_approvals": _approvals(connection, their_tickets),
        "reports": reports.forget_person(connection, person.id, person.emails, now),
        "surveys": surveys.forget_person(connection, person.id),
        "commands": _commands(connection, person, their_tickets),
        "customer_links": _links(connection, person),
        "mailbox": connection.execute(sa.delete(mailbox).where(personal.their_letters(person))).rowcount,
        "homes": _homes(connection, person),
    }
    counts["mentions"] = _mentions(connection, person.id, person.words(addresses))
    nobody: dict[str, Any] = {"name": ERASED, "language": "en", "email": None, "phone": None, "channels": []}
    counts["customers"] = _blank(connection, customers, [person.id], nobody)
    return {name: count for name, count in counts.items() if count}


def sweep(database: Database) -> None:
    """Let the database's files forget what was overwritten: SQLite's log now, PostgreSQL's dead rows by a vacuum."""
    with translated(), closing(database.engine.raw_connection()) as raw:
        if database.engine.dialect.name != "postgresql":
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        driver: Any = raw.driver_connection
        driver.autocommit = True  # a vacuum is no part of a transaction
        try:
            for name in _VACUUMED:
                driver.cursor().execute(f"VACUUM {name}")
        finally:
            driver.autocommit = False


_VACUUMED = (
    "notices", "outbox", "mailbox", "ticket_messages", "ticket_reports", "report_photos", "inbound_mails", "customers", "homes",
    "commands", "idempotency_keys", "customer_links", "surveys",
)  # fmt: skip


def _blank(connection: Connection, table: sa.Table, ids: Sequence[Any], values: Mapping[str, Any]) -> int:
    changes = {**values, "revision": table.c.revision + 1}
    return sum(
        connection.execute(sa.update(table).where(table.c.id.in_(some)).values(changes)).rowcount
        for some in batched(ids)
    )


def _addresses(connection: Connection, person: Person) -> tuple[str, ...]:
    query = sa.select(homes.c.address).where(homes.c.id.in_(personal.their_homes(person)), homes.c.address.is_not(None))
    return tuple(connection.execute(query).scalars())


def _requests(connection: Connection, ticket_ids: Sequence[int]) -> int:
    """What a person asked for may stand in the title of their request; of the others it names device and fault."""
    return sum(
        connection.execute(
            sa.update(tickets).where(tickets.c.id.in_(some), tickets.c.kind == "request").values(title="request")
        ).rowcount
        for some in batched(ticket_ids)
    )


def _approvals(connection: Connection, ticket_ids: Sequence[int]) -> int:
    """The wording may greet the person; its digest, remedy, price and answer stay."""
    return sum(
        connection.execute(
            sa.update(ticket_approvals).where(ticket_approvals.c.ticket_id.in_(some)).values(wording="")
        ).rowcount
        for some in batched(ticket_ids)
    )


def _commands(connection: Connection, person: Person, ticket_ids: Sequence[int]) -> int:
    """What the devices of a household answered while they were theirs, and what staff gave as the reason."""
    theirs = [personal.their_commands(person), commands.c.ticket_id.in_(ticket_ids[:500])]
    told = {"answer": sa.null(), "why": "erased", "reason": None, "revision": commands.c.revision + 1}
    return connection.execute(sa.update(commands).where(sa.or_(*theirs)).values(told)).rowcount


def _links(connection: Connection, person: Person) -> int:
    theirs = sa.select(customer_links.c.id).where(customer_links.c.customer_id == person.id)
    connection.execute(sa.delete(used_nonces).where(used_nonces.c.link_id.in_(theirs)))
    return connection.execute(sa.delete(customer_links).where(customer_links.c.customer_id == person.id)).rowcount


def _homes(connection: Connection, person: Person) -> int:
    """Addresses of homes that are nobody else's; region and time zone stay for the statistics."""
    others = sa.select(ownerships.c.home_id).where(
        ownerships.c.customer_id != person.id, ownerships.c.home_id.is_not(None)
    )
    alone = list(connection.execute(personal.their_homes(person).where(ownerships.c.home_id.not_in(others))).scalars())
    return _blank(connection, homes, sorted({one for one in alone if one}), {"address": None, "city": None})


def _mentions(connection: Connection, person_id: str, words: Sequence[str]) -> int:
    """Letters to others than customers (staff, desks) and kept answers of the API that name the person."""
    to_staff = sa.not_(mailbox.c.idempotency_key.startswith("notice:"))
    gone = 0
    for some in batched(_naming(connection, mailbox, ("subject", "text", "html"), words, to_staff)):
        gone += connection.execute(sa.delete(mailbox).where(mailbox.c.id.in_(some))).rowcount
    waits = outbox.c.state.in_(("pending", "claimed", "failed"))
    nothing: dict[str, Any] = {"address": "erased:", "payload": {}, "last_error": None}
    nothing |= {"state": sa.case((waits, "cancelled"), else_=outbox.c.state), "revision": outbox.c.revision + 1}
    letters = _naming(connection, outbox, ("address", "payload", "last_error"), words, outbox.c.notice_id.is_(None))
    for some in batched(letters):
        gone += connection.execute(sa.update(outbox).where(outbox.c.id.in_(some)).values(nothing)).rowcount
    answers = _holding(idempotency_keys, ("response",), [*words, f'"{person_id}"'])
    return gone + connection.execute(sa.delete(idempotency_keys).where(answers)).rowcount


def _naming(
    connection: Connection,
    table: sa.Table,
    columns: Sequence[str],
    words: Sequence[str],
    where: sa.ColumnElement[bool],
) -> list[int]:
    """Ids of rows that name the person; a word that only holds their name names nobody."""
    spelled = sorted({spelling for word in words for spelling in _spellings(word)})
    texts = [sa.cast(table.c[name], sa.Text) for name in columns]
    query = sa.select(table.c.id, *texts).where(where, _holding(table, columns, words))
    return [
        number
        for number, *told in connection.execute(query)
        if any(personal.names(str(text), spelled) for text in told if text)
    ]


def _holding(table: sa.Table, columns: Sequence[str], words: Sequence[str]) -> sa.ColumnElement[bool]:
    """Rows that hold one of some words, also as JSON writes them."""
    spelled = {spelling for word in words for spelling in _spellings(word)}
    texts = [sa.cast(table.c[name], sa.Text) for name in columns]
    return sa.or_(sa.false(), *(text.contains(word, autoescape=True) for text in texts for word in sorted(spelled)))


def _spellings(word: str) -> Iterator[str]:
    yield word
    for ascii_only in (True, False):
        yield json.dumps(word, ensure_ascii=ascii_only)[1:-1]
