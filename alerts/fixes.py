"""Releases that fix things, each looked up once."""

from __future__ import annotations

from sqlalchemy import Connection

from hearthwatch.records import releases
from hearthwatch.values import Release


class Fixes:
    """Remembers the answers of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Release | None] = {}

    def find(self, model: str | None, what: str) -> Release | None:
        """The release that fixes a failure mode or a version of a model, if there is one."""
        if model is None:
            return None
        if (model, what) not in self._known:
            self._known[model, what] = releases.fix_for(self._connection, model, what)
        return self._known[model, what]
