"""What the API works with, built once in the roof, and how an endpoint gets hold of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection

from hearthwatch.ports import Clock, TelemetryStore
from hearthwatch.records.database import Database
from hearthwatch.settings import Settings


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The stores, the clock, the settings and what else an endpoint needs.

    ``health`` maps a part's name (``ingest``) to how it is: a value, or a function that tells it. ``backup`` makes a backup of both
    stores beside them, for the person who is named, and tells of it. ``replay`` tries again what quarantine holds, and counts.
    """

    database: Database
    store: TelemetryStore
    clock: Clock
    settings: Settings
    registry: CollectorRegistry
    secret_key: str
    health: Mapping[str, object] = field(default_factory=dict)
    backup: Callable[[str], Mapping[str, Any]] | None = None
    replay: Callable[[], Mapping[str, int]] | None = None


def context_of(connection: HTTPConnection) -> ApiContext:
    """The context of the application that a request or websocket came to."""
    context: ApiContext = connection.app.state.context
    return context


Context = Annotated[ApiContext, Depends(context_of)]
