"""The mailbox: a channel whose letters stay in the house, for the demo, for trials and for engineers' alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import mailbox


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it was delivered."""

    id: int
    idempotency_key: str
    address: str
    subject: str
    text: str
    html: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter to put in; ``idempotency_key`` says which it is, however often it comes."""

    idempotency_key: str
    address: str
    subject: str
    text: str
    html: str


def put(connection: Connection, *, key: str, address: str, subject: str, text: str, html: str, at: datetime) -> bool:
    """Put a letter in; False where one with this key is there already."""
    return put_all(connection, [NewLetter(key, address, subject, text, html)], at) == 1


def put_all(connection: Connection, letters: Sequence[NewLetter], at: datetime) -> int:
    """Put letters in, but those whose key is there already; returns how many were new."""
    rows = [{name: getattr(one, name) for name in NewLetter.__dataclass_fields__} | {"at": at} for one in letters]
    return insert_missing(connection, mailbox, rows)


def list_letters(
    connection: Connection, *, address: str | None = None, after: int | None = None, limit: int = 100
) -> list[Letter]:
    """Letters, newest first; ``after`` is the id to go on from."""
    query = sa.select(mailbox).order_by(mailbox.c.id.desc()).limit(limit)
    if address is not None:
        query = query.where(mailbox.c.address == address)
    if after is not None:
        query = query.where(mailbox.c.id < after)
    return [Letter(**row) for row in connection.execute(query).mappings()]
