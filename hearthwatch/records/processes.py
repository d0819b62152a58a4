"""The processes of the platform: each reports its role and how it does, so that any of them can tell of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import replace_rows
from hearthwatch.records.tables import processes

SILENT_AFTER = timedelta(seconds=30)
"""A process that has not reported for so long is taken for dead; it reports every ten seconds."""
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``health`` maps its parts (``ingest``, ``jobs``) to how they are."""

    id: str
    role: str
    started_at: datetime
    seen_at: datetime
    health: Mapping[str, Any]

    def reports(self, now: datetime) -> bool:
        """Whether it reported a short while ago."""
        return now - self.seen_at <= SILENT_AFTER


def report(connection: Connection, process: Process) -> None:
    """Write down how a process is, and forget those that have been silent for long."""
    row = {name: getattr(process, name) for name in Process.__dataclass_fields__}
    replace_rows(connection, processes, [{**row, "health": dict(process.health)}])
    connection.execute(sa.delete(processes).where(processes.c.seen_at < process.seen_at - FORGOTTEN_AFTER))


def leave(connection: Connection, process_id: str) -> None:
    """A process ended in good order."""
    connection.execute(sa.delete(processes).where(processes.c.id == process_id))


def list_processes(connection: Connection) -> list[Process]:
    """All that reported within the last hour, by role and start."""
    query = sa.select(processes).order_by(processes.c.role, processes.c.started_at, processes.c.id)
    return [Process(**row) for row in connection.execute(query).mappings()]


def samples(running: list[Process]) -> dict[str, int]:
    """The ledgers of several processes added up: samples by where they went. Empty where no process takes anything in."""
    total: dict[str, int] = {}
    for process in running:
        part = process.health.get("ingest")
        counted = part.get("samples") if isinstance(part, Mapping) else None
        for name, count in (counted or {}).items():
            total[name] = total.get(name, 0) + int(count)
    return total
