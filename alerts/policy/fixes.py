"""Releases that fix things, each looked up once."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from hearthwatch.records import releases, rollouts
from hearthwatch.values import Release


class Fixes:
    """Remembers the answers of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], Release | None] = {}
        self._staged: dict[int, bool] = {}

    def find(self, model: str | None, what: str) -> Release | None:
        """The release that fixes a failure mode or a version of a model, if there is one."""
        if model is None:
            return None
        if (model, what) not in self._known:
            self._known[model, what] = releases.fix_for(self._connection, model, what)
        return self._known[model, what]

    def open_to(self, fix: Release | None, device_ids: Iterable[str]) -> set[str]:
        """Those of some devices that may be offered a fix now: a roll-out of it may be held, or not have come to their wave."""
        if fix is None:
            return set()
        if fix.id not in self._staged:
            self._staged[fix.id] = rollouts.of_release(self._connection, fix.id) is not None
        return rollouts.open_to(self._connection, fix.id, device_ids) if self._staged[fix.id] else set(device_ids)
