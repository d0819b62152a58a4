"""The telemetry store: readings, events and presence over time, behind one port and an address."""

from __future__ import annotations

from hearthwatch.errors import Invalid
from hearthwatch.ports import TelemetryStore

__all__ = ["open_store"]


def open_store(address: str) -> TelemetryStore:
    """Open ``duckdb:///path`` or ``duckdb://`` (in memory).

    Raises `Invalid` for an address nobody speaks and for a file that is not ours, `Unavailable` while another process has it open.
    """
    scheme, separator, rest = address.partition("://")
    if scheme != "duckdb" or not separator:
        raise Invalid(f"no telemetry store speaks {address.split(':', 1)[0]!r}; use duckdb:///path", where="telemetry")
    # Imported here: a process whose telemetry lies elsewhere need not load the engine.
    from hearthwatch.telemetry.duckdb import DuckDBStore

    if rest in {"", "/", ":memory:", "/:memory:"}:
        return DuckDBStore(None)
    if not rest.startswith("/"):
        raise Invalid(f"an embedded store has no host: {address!r}; use duckdb:///path", where="telemetry")
    return DuckDBStore(rest.removeprefix("/"))
