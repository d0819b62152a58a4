"""The devices of a history: gathered from the readings as they pass, completed by master data."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from hearthwatch.history.columns import UTC_TIME
from hearthwatch.history.mapping import TIME_ATTRIBUTES

COMPACT_ROWS = 400_000
_KNOWN = ("model", "hardware", "firmware", "region")


class Gathered:
    """First and last reading of each device, and the last known value of its attributes."""

    def __init__(self, attributes: Sequence[str], times: Sequence[str]) -> None:
        """``attributes`` are text columns of the readings (with firmware), ``times`` columns of times."""
        self._carried = [*attributes, *times]
        schema = [
            ("device", pa.string()),
            *((name, pa.string()) for name in attributes),
            *((name, UTC_TIME) for name in times),
        ]
        self._parts = [pa.schema([*schema, ("first_at", UTC_TIME), ("last_at", UTC_TIME)]).empty_table()]
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        """Take in readings: device, at, attributes, times."""
        seen = table.select(["device", "at", *self._carried]).append_column("last_at", table["at"])
        self._parts.append(self._grouped(seen.rename_columns(["device", "first_at", *self._carried, "last_at"])))
        self._rows += len(self._parts[-1])
        if self._rows > COMPACT_ROWS:
            self._parts = [self.table()]
            self._rows = 0

    def table(self) -> pa.Table:
        """One row for each device."""
        return self._grouped(pa.concat_tables([part.select(self._parts[0].column_names) for part in self._parts]))

    def _grouped(self, table: pa.Table) -> pa.Table:
        in_time = table.take(pc.sort_indices(table, [("last_at", "ascending")]))
        found = in_time.group_by("device", use_threads=False).aggregate(
            [("first_at", "min"), ("last_at", "max"), *((name, "last") for name in self._carried)]
        )
        return found.rename_columns(
            [name.removesuffix("_min").removesuffix("_max").removesuffix("_last") for name in found.column_names]
        )


def devices(gathered: pa.Table, master: pa.Table | None) -> pa.Table:
    """Both together, sorted by device; master data win."""
    further = [
        name
        for table in (gathered, master)
        if table is not None
        for name in table.column_names
        if name not in {"device", *_KNOWN, *TIME_ATTRIBUTES, "first_at", "last_at"}
    ]
    order = ["device", *_KNOWN, *TIME_ATTRIBUTES, "first_at", "last_at", *dict.fromkeys(further)]
    joined = gathered if master is None else _joined(gathered, _last_rows(master))
    arrays = [
        joined[name]
        if name in joined.column_names
        else pa.nulls(len(joined), UTC_TIME if _is_time(name) else pa.string())
        for name in order
    ]
    return pa.table(arrays, names=order).sort_by("device").combine_chunks()


def _joined(gathered: pa.Table, master: pa.Table) -> pa.Table:
    both = gathered.join(master, keys="device", join_type="full outer", right_suffix=" of master")
    names = []
    arrays = []
    for name in both.column_names:
        if name.endswith(" of master"):
            continue
        other = f"{name} of master"
        arrays.append(pc.coalesce(both[other], both[name]) if other in both.column_names else both[name])
        names.append(name)
    return pa.table(arrays, names=names)


def _last_rows(master: pa.Table) -> pa.Table:
    names = [name for name in master.column_names if name != "device"]
    found = master.group_by("device", use_threads=False).aggregate([(name, "last") for name in names])
    return found.select(["device", *(f"{name}_last" for name in names)]).rename_columns(["device", *names])


def _is_time(name: str) -> bool:
    return name in {*TIME_ATTRIBUTES, "first_at", "last_at"}
