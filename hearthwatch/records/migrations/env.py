"""Runs migrations on the connection that `hearthwatch.records.database` hands over."""

from alembic import context

from hearthwatch.records.migrations.collation import sort_by_bytes
from hearthwatch.records.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
    if connection.dialect.name == "postgresql":
        sort_by_bytes(connection)
