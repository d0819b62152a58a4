"""The telemetry store: readings, events and presence over time, behind one port and an address."""

from __future__ import annotations

from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore

__all__ = ["open_store"]


def open_store(address: str) -> TelemetryStore:
    """Open ``duckdb:///path``, ``duckdb://`` (in memory) or ``influxdb://HOST:PORT/ORG/BUCKET?token_file=PATH`` (``influxdbs`` for TLS).

    Raises `Invalid` for an address nobody speaks and for a file that is not ours, `Unavailable` while another process has it open.
    An InfluxDB server is asked for nothing before the first use.
    """
    scheme, separator, rest = address.partition("://")
    # Imported here: a process need not load the client of a store it does not use.
    if scheme in {"influxdb", "influxdbs"} and separator:
        from hearthwatch.telemetry.influxdb import InfluxDBStore

        return InfluxDBStore(address)
    if scheme != "duckdb" or not separator:
        known = "duckdb:///path or influxdb://host:port/org/bucket?token_file=path"
        raise Invalid(f"no telemetry store speaks {address.split(':', 1)[0]!r}; use {known}", where="telemetry")
    from hearthwatch.telemetry.duckdb import DuckDBStore

    if rest in {"", "/", ":memory:", "/:memory:"}:
        return DuckDBStore(None)
    if not rest.startswith("/"):
        raise Invalid(f"an embedded store has no host: {address!r}; use duckdb:///path", where="telemetry")
    return DuckDBStore(rest.removeprefix("/"))
