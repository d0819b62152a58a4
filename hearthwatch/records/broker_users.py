"""Who may log in at the broker, as far as Hearthwatch gave the access: never a password, only that there is one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_for, update_at_revision
from hearthwatch.records.tables import broker_users
from hearthwatch.records.tables.columns import fitted

DEVICE, BRIDGE = "device", "bridge"


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of the broker. A ``device`` speaks for itself alone; a ``bridge`` speaks for the devices behind it.

    ``certificate`` is the SHA-256 of its client certificate as hexadecimal digits, where it has one.
    """

    name: str
    role: str
    conventions: Sequence[str]
    password: bool
    certificate: str | None
    enrolled_at: datetime
    enrolled_by: str
    revoked_at: datetime | None
    revision: int


_COLUMNS = tuple(broker_users.c[name] for name in BrokerUser.__dataclass_fields__)


def find(connection: Connection, name: str) -> BrokerUser | None:
    """The user of a name who may still log in, or None."""
    valid = (broker_users.c.name == name, broker_users.c.revoked_at.is_(None))
    row = connection.execute(sa.select(*_COLUMNS).where(*valid)).mappings().one_or_none()
    return None if row is None else BrokerUser(**row)


def enrolled(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of some names that may log in."""
    found: set[str] = set()
    for some in batched(names):
        query = sa.select(broker_users.c.name).where(broker_users.c.name.in_(some), broker_users.c.revoked_at.is_(None))
        found |= set(connection.execute(query).scalars())
    return found


def list_users(connection: Connection, role: str | None = None) -> list[BrokerUser]:
    """All users who may log in, by name."""
    query = sa.select(*_COLUMNS).where(broker_users.c.revoked_at.is_(None)).order_by(broker_users.c.name)
    if role is not None:
        query = query.where(broker_users.c.role == role)
    return [BrokerUser(**row) for row in connection.execute(query).mappings()]


def mark(connection: Connection) -> tuple[Any, ...]:
    """Another value after every change: whoever keeps the users in memory need not read them all to see that they are the same."""
    columns = (sa.func.count(), sa.func.max(broker_users.c.enrolled_at), sa.func.sum(broker_users.c.revision))
    return tuple(connection.execute(sa.select(*columns)).one())


def enroll(connection: Connection, rows: Sequence[Mapping[str, Any]], now: datetime, actor: str) -> None:
    """Note that users (``name``, ``role``, ``conventions``, ``password``, ``certificate``) were given access; again: anew."""
    if not rows:
        return
    insert = insert_for(connection, broker_users)
    changes: dict[str, Any] = {
        name: insert.excluded[name]
        for name in ("role", "conventions", "password", "certificate", "enrolled_at", "enrolled_by")
    }
    changes |= {"revoked_at": None, "revision": broker_users.c.revision + 1}
    by = fitted(broker_users.c.enrolled_by, actor)
    given = [{**row, "enrolled_at": now, "enrolled_by": by} for row in rows]
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changes), given)


def revoke(connection: Connection, name: str, now: datetime) -> None:
    """Note that a user's access was taken away. Raises `Missing`."""
    if find(connection, name) is None:
        raise Missing("the broker has no such user of ours", where=name)
    update_at_revision(connection, broker_users, {"name": name}, None, {"revoked_at": now})
