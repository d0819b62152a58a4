"""Mail that came in: what became of each, and, where nothing could be made of it, all of its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import inbound_mails
from hearthwatch.records.tables.columns import fitted

STATES = ("taken", "ignored", "bounce", "quarantined")


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail and what became of it: ``taken`` into a report, ``ignored`` (written by no person), a ``bounce`` of our letter, or
    ``quarantined``, with the reason. ``text`` is all of its text, with quotes; ``settled_at`` is when a person was done with it."""

    id: int
    fingerprint: str
    received_at: datetime
    source: str
    state: str
    reason: str | None
    sender: str | None
    subject: str
    size: int
    text: str | None
    attachments: Sequence[Mapping[str, Any]]
    report_id: int | None
    notice_id: int | None
    settled_at: datetime | None
    settled_by: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class NewMail:
    """What is written down of a mail."""

    fingerprint: str
    source: str
    state: str
    reason: str | None = None
    sender: str | None = None
    subject: str = ""
    size: int = 0
    text: str | None = None
    attachments: Sequence[Mapping[str, Any]] = ()
    raw: bytes | None = None
    report_id: int | None = None
    notice_id: int | None = None


_COLUMNS = tuple(inbound_mails.c[name] for name in InboundMail.__dataclass_fields__)


def add(connection: Connection, new: NewMail, now: datetime) -> InboundMail | None:
    """Write a mail down; None where it is there already: a mail twice is one."""
    row = {name: getattr(new, name) for name in NewMail.__dataclass_fields__}
    for name in ("reason", "sender", "subject", "text"):
        row[name] = fitted(inbound_mails.c[name], row[name])
    row |= {"attachments": [dict(one) for one in new.attachments], "received_at": now}
    if not insert_missing(connection, inbound_mails, [row]):
        return None
    return find(connection, new.fingerprint)


def find(connection: Connection, fingerprint: str) -> InboundMail | None:
    """The mail of a fingerprint."""
    query = sa.select(*_COLUMNS).where(inbound_mails.c.fingerprint == fingerprint)
    row = connection.execute(query).mappings().one_or_none()
    return InboundMail(**row) if row else None


def get(connection: Connection, mail_id: int) -> InboundMail:
    """One mail. Raises `Missing`."""
    row = connection.execute(sa.select(*_COLUMNS).where(inbound_mails.c.id == mail_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such mail", where=f"mail {mail_id}")
    return InboundMail(**row)


def raw(connection: Connection, mail_id: int) -> bytes:
    """The bytes of a mail in quarantine. Raises `Missing` where none are kept."""
    content = connection.execute(
        sa.select(inbound_mails.c.raw).where(inbound_mails.c.id == mail_id)
    ).scalar_one_or_none()
    if content is None:
        raise Missing("its bytes are not kept", where=f"mail {mail_id}")
    return bytes(content)


def list_mails(
    connection: Connection, *, state: str | None = None, after: int | None = None, limit: int = 100
) -> list[InboundMail]:
    """Mails, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).order_by(inbound_mails.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(inbound_mails.c.state == state)
    if after is not None:
        query = query.where(inbound_mails.c.id < after)
    return [InboundMail(**row) for row in connection.execute(query).mappings()]


def of_reports(connection: Connection, report_ids: Sequence[int]) -> dict[int, InboundMail]:
    """The mail that each of some reports came by."""
    query = sa.select(*_COLUMNS).where(inbound_mails.c.report_id.in_(list(report_ids)))
    return {row["report_id"]: InboundMail(**row) for row in connection.execute(query).mappings()}


def change(connection: Connection, mail_id: int, changes: Mapping[str, Any]) -> InboundMail:
    """Change a mail. Raises `Missing`."""
    update_at_revision(connection, inbound_mails, {"id": mail_id}, None, changes)
    return get(connection, mail_id)


def waiting(connection: Connection) -> int:
    """How many mails in quarantine nobody has looked at."""
    query = sa.select(sa.func.count()).select_from(inbound_mails)
    held = (inbound_mails.c.state == "quarantined", inbound_mails.c.settled_at.is_(None))
    return int(connection.execute(query.where(*held)).scalar_one())


def taken_since(connection: Connection, sender: str, since: datetime) -> int:
    """How many mails of a sender became reports at or after ``since``."""
    theirs = (inbound_mails.c.sender == sender, inbound_mails.c.state == "taken", inbound_mails.c.received_at >= since)
    return int(connection.execute(sa.select(sa.func.count()).select_from(inbound_mails).where(*theirs)).scalar_one())


def held_bytes(connection: Connection) -> int:
    """How many bytes of mails in quarantine nobody has looked at."""
    held = (
        inbound_mails.c.state == "quarantined",
        inbound_mails.c.settled_at.is_(None),
        inbound_mails.c.raw.is_not(None),
    )
    return int(
        connection.execute(sa.select(sa.func.coalesce(sa.func.sum(inbound_mails.c.size), 0)).where(*held)).scalar_one()
    )


def settle(connection: Connection, mail_id: int, actor: str, now: datetime) -> InboundMail:
    """Say that a person is done with a mail in quarantine; its bytes go with time. Raises `Missing`."""
    who = fitted(inbound_mails.c.settled_by, actor)
    return change(connection, mail_id, {"settled_at": now, "settled_by": who})


def forget(connection: Connection, before: datetime) -> int:
    """Drop bytes and words of mails that were ignored, bounced or settled before a time; who they were from goes too. Returns how many."""
    done = sa.or_(inbound_mails.c.state.in_(("ignored", "bounce")), inbound_mails.c.settled_at.is_not(None))
    old = (
        inbound_mails.c.received_at < before,
        done,
        sa.or_(inbound_mails.c.sender.is_not(None), inbound_mails.c.raw.is_not(None)),
    )
    emptied: dict[str, Any] = {"sender": None, "subject": "", "text": None, "raw": None, "attachments": []}
    return connection.execute(sa.update(inbound_mails).where(*old).values(emptied)).rowcount
