"""Links customers open without a login: a random token each, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Denied, Missing
from hearthwatch.records.database import insert_missing
from hearthwatch.records.tables import customer_links, used_nonces

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class CustomerLink:
    """A link to one notice of one customer."""

    id: int
    notice_id: int
    customer_id: str
    expires_at: datetime
    revoked_at: datetime | None
    revision: int


_COLUMNS = tuple(customer_links.c[name] for name in CustomerLink.__dataclass_fields__)


def create(connection: Connection, *, notice_id: int, customer_id: str, expires_at: datetime) -> str:
    """Make a link and return its token, which is not kept and cannot be shown again."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = {"token_hash": _hash(token), "notice_id": notice_id, "customer_id": customer_id, "expires_at": expires_at}
    connection.execute(sa.insert(customer_links).values(row))
    return token


def find(connection: Connection, token: str, now: datetime) -> CustomerLink:
    """The link of a token. Raises `Missing` for one that never was, `Denied` for one that expired or was revoked."""
    query = sa.select(*_COLUMNS).where(customer_links.c.token_hash == _hash(token))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such link")
    link = CustomerLink(**row)
    if link.revoked_at is not None:
        raise Denied("this link was withdrawn")
    if link.expires_at <= now:
        raise Denied("this link has expired")
    return link


def revoke(connection: Connection, *, notice_id: int, now: datetime) -> int:
    """Withdraw every link to a notice. Returns how many were good."""
    good = (customer_links.c.notice_id == notice_id, customer_links.c.revoked_at.is_(None))
    changes = {"revoked_at": now, "revision": customer_links.c.revision + 1}
    return connection.execute(sa.update(customer_links).where(*good).values(changes)).rowcount


def use_nonce(connection: Connection, link_id: int, nonce: str, now: datetime) -> None:
    """Use up a nonce of a link. Raises `Conflict` where it was used before."""
    row = {"nonce": hashlib.sha256(f"{link_id}:{nonce}".encode()).hexdigest(), "link_id": link_id, "used_at": now}
    if not insert_missing(connection, used_nonces, [row]):
        raise Conflict("this form was sent before")


def forget_nonces(connection: Connection, before: datetime) -> int:
    """Delete nonces used before a time at which they have run out anyway. Returns how many."""
    return connection.execute(sa.delete(used_nonces).where(used_nonces.c.used_at < before)).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
