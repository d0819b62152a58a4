"""Brings the schema from one migration to another, by Alembic, on a connection of the caller's."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from hearthwatch.errors import Invalid


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Up to a migration, in the connection's transaction. Raises `Invalid` where there is no way to it."""
    try:
        command.upgrade(_config(connection), revision)
    except CommandError as error:
        raise _no_way(error) from error


def downgrade(connection: Connection, revision: str) -> None:
    """Back to a migration (``base``: empty), in the connection's transaction. Raises `Invalid` where there is no way to it."""
    try:
        command.downgrade(_config(connection), revision)
    except CommandError as error:
        raise _no_way(error) from error


def _no_way(error: CommandError) -> Invalid:
    return Invalid(f"the schema can not be brought there: {error}", where="records")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("hearthwatch.records") / "migrations"))
    config.attributes["connection"] = connection
    return config
