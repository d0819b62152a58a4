"""Answers to requests that carried an idempotency key: the same request again gets the same answer and does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict
from hearthwatch.records.tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What was answered."""

    status: int
    response: Any


def find(connection: Connection, key: str, caller: str, digest: str) -> StoredResponse | None:
    """The answer kept under a caller's key. Raises `Conflict` when the key was used for another request."""
    columns = (idempotency_keys.c.request_digest, idempotency_keys.c.status, idempotency_keys.c.response)
    query = sa.select(*columns).where(idempotency_keys.c.key == key, idempotency_keys.c.caller == caller)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.request_digest != digest:
        raise Conflict("this idempotency key was used for another request", where=key)
    return StoredResponse(row.status, row.response)


def keep(
    connection: Connection, key: str, caller: str, digest: str, *, status: int, response: Any, at: datetime
) -> None:
    """Keep an answer, in the transaction of what it answers: of two at once, one fails with `Conflict` and does nothing."""
    row = {"key": key, "caller": caller, "request_digest": digest, "status": status, "response": response, "at": at}
    connection.execute(sa.insert(idempotency_keys).values(row))


def forget(connection: Connection, before: datetime) -> int:
    """Delete answers older than a time. Returns how many."""
    return connection.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.at < before)).rowcount
