"""Which migration a database stands at, and which is the newest: asked at every start, and answered without Alembic.

Alembic is imported by who migrates (`hearthwatch.records.migrating`): it takes as long to import as all of SQLAlchemy.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import sqlalchemy as sa
from sqlalchemy import Connection

_STANDING = sa.table("alembic_version", sa.column("version_num"))


def standing_at(connection: Connection) -> str | None:
    """The migration the schema is at; None for a database without one."""
    if not sa.inspect(connection).has_table(_STANDING.name):
        return None
    at: str | None = connection.execute(sa.select(_STANDING.c.version_num)).scalar()
    return at


@cache
def known() -> tuple[str, ...]:
    """The migrations that this version knows, oldest first: ``m0007_rollouts.py`` is ``0007``, and they stand in a row."""
    folder = resources.files("hearthwatch.records.migrations.versions")
    names = (one.name for one in folder.iterdir())
    return tuple(sorted(name[1:5] for name in names if name.startswith("m") and name.endswith(".py")))
