"""When devices began to run another firmware, as they said so; kept since schema 0023."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched
from hearthwatch.records.tables import firmware_changes


@dataclass(frozen=True, slots=True)
class FirmwareChange:
    """A device ran ``before`` until ``at`` and ``after`` from then on; verbatim."""

    device_id: str
    at: datetime
    before: str | None
    after: str | None


def of_devices(connection: Connection, device_ids: Iterable[str]) -> dict[str, list[FirmwareChange]]:
    """The changes of some devices, in order of time; those without any are absent."""
    found: dict[str, list[FirmwareChange]] = {}
    columns = (firmware_changes.c[name] for name in FirmwareChange.__dataclass_fields__)
    base = sa.select(*columns).order_by(firmware_changes.c.at, firmware_changes.c.id)
    for some in batched(device_ids):
        for row in connection.execute(base.where(firmware_changes.c.device_id.in_(some))).mappings():
            found.setdefault(row["device_id"], []).append(FirmwareChange(**row))
    return found
