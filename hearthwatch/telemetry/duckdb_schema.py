"""The tables of the DuckDB store, and its dictionary of names.

Readings lie in one wide table for each family of streams (``native``, ``tasmota``, ``import:backblaze``): a row is a reading, a
column a metric. At most 64 metrics get a column; those beyond lie in ``overflow``, a row for each value. Devices, streams,
firmwares and metrics are small integers everywhere; ``names`` says what they mean. Rows carry the number of the batch that
brought them, so that a rollup finds what is new. No table has an index: row groups know their own minima and maxima.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from hearthwatch.errors import Invalid
from hearthwatch.telemetry.checks import metric_name
from hearthwatch.telemetry.duckdb_file import Cursor
from hearthwatch.telemetry.duckdb_newest import Newest

SCHEMA_VERSION = 1
WIDE_METRICS = 64
UNKNOWN_FIRMWARE = 0
KINDS = ("device", "stream", "firmware", "metric", "family")

_ROW = "device INTEGER, stream INTEGER, stamp TIMESTAMP, hour INTEGER, firmware INTEGER, batch BIGINT"
_ROLLUP = "n BIGINT, mean DOUBLE, minimum DOUBLE, maximum DOUBLE, last DOUBLE, last_at TIMESTAMP"
_TABLES = (
    "meta (key VARCHAR, value BIGINT)",
    "names (kind VARCHAR, id INTEGER, name VARCHAR)",
    f"overflow ({_ROW}, metric INTEGER, value DOUBLE)",
    f"events ({_ROW}, boot VARCHAR, seq BIGINT, kind VARCHAR, code VARCHAR, detail VARCHAR)",
    f"presence ({_ROW}, boot VARCHAR, online BOOLEAN)",
    f"hourly (device INTEGER, firmware INTEGER, hour INTEGER, metric INTEGER, {_ROLLUP})",
    "hours (device INTEGER, firmware INTEGER, hour INTEGER, readings BIGINT, last_at TIMESTAMP)",
    "dirty (device INTEGER, hour INTEGER)",
    "clustered (family INTEGER, day INTEGER)",
)
_WIDE = f"({_ROW}, boot VARCHAR, seq BIGINT, clockless BOOLEAN)"


def wide(family: int) -> str:
    """Name of a family's wide table."""
    return f"readings_{int(family)}"


def column(metric: str) -> str:
    """Quoted name of a metric's column in the wide tables. Raises `Invalid` for what is not a metric name."""
    return f'"m_{metric_name(metric)}"'


def family_of(stream: str) -> str:
    """The family a stream's readings lie in: its convention, or the import's own source."""
    return stream.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the store knows by number: names of each kind (which only grow), and the metric columns of each family. As committed."""

    generation: int
    ids: dict[str, dict[str | None, int]]
    columns: dict[int, list[str]]
    batch: int
    newest: Newest = field(default_factory=Newest)

    def known(self, kind: str, names: Iterable[str]) -> list[int]:
        """Ids of those names that are known."""
        ids = self.ids[kind]
        return [ids[name] for name in names if name in ids]


def create_or_check(cursor: Cursor) -> None:
    """Create the tables of an empty database. Raises `Invalid` for a database of another schema."""
    cursor.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT internal AND NOT temporary")
    if count(cursor) == 0:
        for table in _TABLES:
            cursor.execute(f"CREATE TABLE {table}")
        cursor.execute(
            "INSERT INTO meta VALUES ('schema', ?), ('rolled', 0), ('raw_before', 0), ('rollups_before', 0)",
            [SCHEMA_VERSION],
        )
        return
    cursor.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta' AND NOT temporary")
    if count(cursor) == 0 or meta(cursor, "schema") != SCHEMA_VERSION:
        raise Invalid("the file holds other tables than this version's telemetry", where="telemetry")


def load(cursor: Cursor, generation: int) -> Catalogue:
    """Read the dictionary of a database."""
    ids: dict[str, dict[str | None, int]] = {kind: {} for kind in KINDS}
    ids["firmware"][None] = UNKNOWN_FIRMWARE
    for kind, number, name in cursor.execute("SELECT kind, id, name FROM names").fetchall():
        ids[kind][name] = number
    rows = cursor.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE starts_with(table_name, 'readings_')"
        " AND starts_with(column_name, 'm_') ORDER BY table_name, column_index"
    ).fetchall()
    columns: dict[int, list[str]] = {number: [] for number in ids["family"].values()}
    for table, name in rows:
        columns[int(table.removeprefix("readings_"))].append(name.removeprefix("m_"))
    tables = [*(wide(family) for family in columns), "events", "presence"]
    newest = " UNION ALL ".join(f"SELECT max(batch) AS b FROM {table}" for table in tables)
    cursor.execute(f"SELECT coalesce(max(b), 0) FROM ({newest})")
    batch = max(count(cursor), meta(cursor, "rolled"))
    return Catalogue(generation, ids, columns, batch)


class Draft:
    """Names and columns that one transaction adds to the catalogue; taken over only once it is committed."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._new: dict[str, dict[str | None, int]] = {kind: {} for kind in KINDS}
        self._columns: dict[int, list[str]] = {}
        self._added: list[tuple[str, pa.Table]] = []
        self.newest = catalogue.newest
        self.batch = catalogue.batch + 1

    def ids(self, kind: str, names: Collection[str | None]) -> list[int]:
        """The number of each name; unknown ones get the next."""
        known = self._catalogue.ids[kind]
        try:
            return [known[name] for name in names]  # as nearly always
        except KeyError:
            return [known[name] if name in known else self._add(kind, name) for name in names]

    def _add(self, kind: str, name: str | None) -> int:
        new = self._new[kind]
        if name not in new:
            # Firmware 0 is "unknown" and stands among the known ones.
            offset = 0 if kind == "firmware" else 1
            new[name] = len(self._catalogue.ids[kind]) + len(new) + offset
        return new[name]

    def prepare_family(self, cursor: Cursor, family: int, metrics: Iterable[str]) -> tuple[list[str], list[str]]:
        """Create the family's table and columns as needed. Returns the metrics with a column, and those without."""
        known = self._catalogue.columns.get(family)
        if known is None and family not in self._columns:
            cursor.execute(f"CREATE TABLE {wide(family)} {_WIDE}")
        columns = self._columns.setdefault(family, list(known or ()))
        having = set(columns)
        inside: list[str] = []
        outside: list[str] = []
        for metric in metrics:
            if metric not in having and len(columns) < WIDE_METRICS:
                cursor.execute(f"ALTER TABLE {wide(family)} ADD COLUMN {column(metric)} DOUBLE")
                columns.append(metric)
                having.add(metric)
            (inside if metric in having else outside).append(metric)
        return inside, outside

    def added(self, table: str, rows: pa.Table) -> None:
        """Remember rows that the transaction adds to a table."""
        self._added.append((table, rows))

    def store(self, cursor: Cursor) -> None:
        """Write the new names, as part of the transaction."""
        rows = [(kind, number, name) for kind, new in self._new.items() for name, number in new.items()]
        if rows:
            kinds, numbers, names = zip(*rows, strict=True)
            cursor.register(
                "new_names", pa.table({"kind": kinds, "id": pa.array(numbers, pa.int32()), "name": texts(names)})
            )
            cursor.execute("INSERT INTO names SELECT kind, id, name FROM new_names")
            cursor.unregister("new_names")

    def committed(self) -> Catalogue:
        """The catalogue after the transaction was committed. Questions that are running keep the columns they began with."""
        for kind, new in self._new.items():
            self._catalogue.ids[kind].update(new)
        for table, rows in self._added:
            self.newest.note(table, rows)
        return replace(self._catalogue, columns={**self._catalogue.columns, **self._columns}, batch=self.batch)


def texts(values: Iterable[str | None], where: str = "name") -> pa.Array:
    """A column of text. Raises `Invalid` for what is none (lone surrogates)."""
    try:
        return pa.array(list(values), pa.string())
    except (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Invalid(f"not text: {error}", where=where) from None


def count(cursor: Cursor) -> int:
    """The one number a statement gave. All of the answer is fetched: the connection is not free before."""
    return int(cursor.fetchall()[0][0])


def meta(cursor: Cursor, key: str) -> int:
    """A number the store keeps about itself."""
    cursor.execute("SELECT value FROM meta WHERE key = ?", [key])
    return count(cursor)


def set_meta(cursor: Cursor, values: Mapping[str, int]) -> None:
    """Change numbers the store keeps about itself."""
    for key, value in values.items():
        cursor.execute("UPDATE meta SET value = ? WHERE key = ?", [value, key])
