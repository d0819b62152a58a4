"""Codes printed on devices: each opens an empty form about one device. Only hashes are kept, so a code is shown once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.tables import report_attempts, report_codes
from hearthwatch.records.tables.columns import fitted

CODE_BYTES = 16  # 128 bits: nobody finds one by trying
HINT = 4


@dataclass(frozen=True, slots=True)
class ReportCode:
    """A code as it may be shown: ``hint`` is how it begins."""

    id: int
    hint: str
    device_id: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str | None
    revision: int


_COLUMNS = tuple(report_codes.c[name] for name in ReportCode.__dataclass_fields__)


def create(connection: Connection, device_id: str, actor: str, now: datetime) -> str:
    """Make a code for a device and return it; it is not kept and cannot be shown again."""
    code = secrets.token_urlsafe(CODE_BYTES)
    who = fitted(report_codes.c.created_by, actor)
    row = {
        "code_hash": digest(code),
        "hint": code[:HINT],
        "device_id": device_id,
        "created_at": now,
        "created_by": who,
    }
    connection.execute(sa.insert(report_codes).values(row))
    return code


def find(connection: Connection, code: str) -> ReportCode:
    """The good code that was scanned. Raises `Missing`, the same for one that never was and one that was revoked."""
    query = sa.select(*_COLUMNS).where(report_codes.c.code_hash == digest(code), report_codes.c.revoked_at.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("no such code")
    return ReportCode(**row)


def of_device(connection: Connection, device_id: str) -> list[ReportCode]:
    """Every code a device ever had, newest first."""
    query = sa.select(*_COLUMNS).where(report_codes.c.device_id == device_id).order_by(report_codes.c.id.desc())
    return [ReportCode(**row) for row in connection.execute(query).mappings()]


def any_good(connection: Connection) -> bool:
    """Whether there is a code that opens a form."""
    query = sa.select(sa.literal(1)).where(report_codes.c.revoked_at.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def revoke(connection: Connection, device_id: str, actor: str, now: datetime, *, code_id: int | None = None) -> int:
    """Withdraw the good codes of a device, or one of them. Returns how many were good."""
    good = [report_codes.c.device_id == device_id, report_codes.c.revoked_at.is_(None)]
    if code_id is not None:
        good.append(report_codes.c.id == code_id)
    changes = {
        "revoked_at": now,
        "revoked_by": fitted(report_codes.c.revoked_by, actor),
        "revision": report_codes.c.revision + 1,
    }
    return connection.execute(sa.update(report_codes).where(*good).values(changes)).rowcount


# -- how often somebody reports by a code


def note_attempt(connection: Connection, code: str, place: str, now: datetime) -> None:
    """Count one report by a code from a place (a keyed hash of the address it came from)."""
    row = {"at": now, "code_hash": digest(code), "place": place}
    connection.execute(sa.insert(report_attempts).values(row))


def attempts(connection: Connection, code: str, place: str, since: datetime) -> tuple[int, int]:
    """How many reports came by a code, and how many from a place, at or after ``since``."""
    counts = []
    for condition in (report_attempts.c.code_hash == digest(code), report_attempts.c.place == place):
        query = sa.select(sa.func.count()).select_from(report_attempts).where(condition, report_attempts.c.at >= since)
        counts.append(int(connection.execute(query).scalar_one()))
    return counts[0], counts[1]


def forget_attempts(connection: Connection, before: datetime) -> int:
    """Delete counts that matter no more. Returns how many."""
    return connection.execute(sa.delete(report_attempts).where(report_attempts.c.at < before)).rowcount


def digest(code: str) -> str:
    """What is kept of a code."""
    return hashlib.sha256(f"report-code:{code}".encode()).hexdigest()
