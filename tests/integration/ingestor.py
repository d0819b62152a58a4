"""An ingestor at a real broker, with the stores it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hearthwatch.messaging import open_subscriber
from hearthwatch.ports import Clock, TelemetryStore
from hearthwatch.records import decoder_states
from hearthwatch.records.database import Database
from hearthwatch.wire.registry import Decoder, conventions
from ingest.ledger import Ledger
from ingest.runner import Limits, Runner

ALL = ("native", "tasmota", "shelly_gen1", "shelly_gen2")


@dataclass(frozen=True, slots=True)
class Ingestor:
    """A running ingestor and what it counts."""

    runner: Runner
    ledger: Ledger


@contextmanager
def ingesting(
    address: str,
    store: TelemetryStore,
    database: Database,
    clock: Clock,
    *,
    limits: Limits | None = None,
    spoken: Sequence[str] = ALL,
) -> Iterator[Ingestor]:
    """Connected and subscribed when the block begins; stopped in good order when it ends."""
    chosen = conventions(spoken)
    bounds = limits or Limits()
    subscriber = open_subscriber(
        address,
        client_id="ingest",
        filters=[topic for convention in chosen for topic in convention.filters],
        session_expiry_s=3600,
        receive_maximum=bounds.receive_maximum,
        clock=clock,
    )
    with database.reading() as connection:
        decoder = Decoder(chosen, decoder_states.load(connection))
    ledger = Ledger()
    runner = Runner(subscriber, decoder, store, database, clock, bounds, ledger)
    runner.start()
    try:
        yield Ingestor(runner, ledger)
    finally:
        runner.stop()
