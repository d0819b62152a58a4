"""Policies, every version of them. One may be live; the others observe, or are retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import insert_missing, update_at_revision
from hearthwatch.records.tables import policies


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy's text as it was given. ``mode``: observe (shown, not sent), live, retired; ``live_by`` is who set it live."""

    version: int
    name: str
    text: str
    digest: str
    mode: str
    created_at: datetime
    created_by: str
    live_since: datetime | None
    live_by: str | None
    revision: int


def add(connection: Connection, *, name: str, text: str, digest: str, actor: str, now: datetime) -> PolicyVersion:
    """Keep a policy as a new version that observes; a text that is there already stays the version it is."""
    row = {"name": name, "text": text, "digest": digest, "mode": "observe", "created_at": now, "created_by": actor}
    insert_missing(connection, policies, [row])
    query = sa.select(policies).where(policies.c.digest == digest)
    return PolicyVersion(**connection.execute(query).mappings().one())


def get(connection: Connection, version: int) -> PolicyVersion:
    """One version. Raises `Missing`."""
    row = connection.execute(sa.select(policies).where(policies.c.version == version)).mappings().one_or_none()
    if row is None:
        raise Missing("no such policy", where=f"policy {version}")
    return PolicyVersion(**row)


def with_digest(connection: Connection, digest: str) -> PolicyVersion | None:
    """The version whose text has a fingerprint, if there is one."""
    row = connection.execute(sa.select(policies).where(policies.c.digest == digest)).mappings().one_or_none()
    return PolicyVersion(**row) if row else None


def current(connection: Connection) -> PolicyVersion | None:
    """The policy that counts: the live one, else the newest that observes."""
    query = (
        sa.select(policies)
        .where(policies.c.mode != "retired")
        .order_by(sa.case((policies.c.mode == "live", 0), else_=1), policies.c.version.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return PolicyVersion(**row) if row else None


def list_versions(connection: Connection) -> list[PolicyVersion]:
    """Every version, newest first."""
    rows = connection.execute(sa.select(policies).order_by(policies.c.version.desc()))
    return [PolicyVersion(**row) for row in rows.mappings()]


def set_mode(connection: Connection, version: int, mode: str, actor: str, now: datetime) -> PolicyVersion:
    """Change what a version is for; where it becomes live, the one that was live is retired. Raises `Missing`."""
    changes: dict[str, object] = {"mode": mode}
    if mode == "live":
        connection.execute(
            sa.update(policies)
            .where(policies.c.mode == "live", policies.c.version != version)
            .values(mode="retired", revision=policies.c.revision + 1)
        )
        changes |= {"live_since": now, "live_by": actor}
    update_at_revision(connection, policies, {"version": version}, None, changes)
    return get(connection, version)
