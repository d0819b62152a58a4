"""Links customers open without a login: a random token each, of which only the hash is kept.

A link belongs to a customer, and to one matter of theirs: a notice, a ticket, or neither (what they agreed to, their devices).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Denied, Missing
from hearthwatch.records.database import insert_missing
from hearthwatch.records.statements import insert_into
from hearthwatch.records.tables import customer_links, notices, tickets, used_nonces

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class CustomerLink:
    """A link of one customer to a notice, to a ticket, or (both None) to their own page."""

    id: int
    customer_id: str
    notice_id: int | None
    ticket_id: int | None
    expires_at: datetime
    revoked_at: datetime | None
    revision: int


_COLUMNS = tuple(customer_links.c[name] for name in CustomerLink.__dataclass_fields__)


def create(
    connection: Connection,
    *,
    customer_id: str,
    expires_at: datetime,
    notice_id: int | None = None,
    ticket_id: int | None = None,
) -> str:
    """Make a link and return its token, which is not kept and cannot be shown again. Raises `Conflict` for a link to two matters."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = {"customer_id": customer_id, "notice_id": notice_id, "ticket_id": ticket_id, "expires_at": expires_at}
    connection.execute(insert_into(customer_links), {"token_hash": _hash(token), **row})
    return token


def of_token(connection: Connection, token: str) -> CustomerLink:
    """The link of a token, also where it opens nothing any more. Raises `Missing` for one that never was."""
    query = sa.select(*_COLUMNS).where(customer_links.c.token_hash == _hash(token))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such link")
    return CustomerLink(**row)


def find(connection: Connection, token: str, now: datetime) -> CustomerLink:
    """The link of a token. Raises `Missing` for one that never was, `Denied` for one that expired or was revoked."""
    link = of_token(connection, token)
    if link.revoked_at is not None:
        raise Denied("this link was withdrawn")
    if link.expires_at <= now:
        raise Denied("this link has expired")
    return link


def revoke(
    connection: Connection,
    *,
    now: datetime,
    notice_id: int | None = None,
    ticket_id: int | None = None,
    customer_id: str | None = None,
) -> int:
    """Withdraw every link to a notice, to a ticket, or of a customer. Returns how many were good."""
    named = {"notice_id": notice_id, "ticket_id": ticket_id, "customer_id": customer_id}
    given = [customer_links.c[name] == value for name, value in named.items() if value is not None]
    if not given:
        raise ValueError("whose links?")
    return _revoke(connection, now, *given)


def revoke_of_device(connection: Connection, device_id: str, customer_id: str, now: datetime) -> int:
    """Withdraw a customer's links to notices and tickets about one device. Returns how many were good."""
    about = sa.or_(
        customer_links.c.notice_id.in_(sa.select(notices.c.id).where(notices.c.device_id == device_id)),
        customer_links.c.ticket_id.in_(sa.select(tickets.c.id).where(tickets.c.device_id == device_id)),
    )
    return _revoke(connection, now, customer_links.c.customer_id == customer_id, about)


def _revoke(connection: Connection, now: datetime, *which: sa.ColumnElement[bool]) -> int:
    changes = {"revoked_at": now, "revision": customer_links.c.revision + 1}
    good = sa.update(customer_links).where(*which, customer_links.c.revoked_at.is_(None))
    return connection.execute(good.values(changes)).rowcount


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
