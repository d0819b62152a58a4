"""A fleet whose messages come when the test wants, through the real ingestor into stores in memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from hearthwatch.clock import SteppedClock
from hearthwatch.messaging import open_publisher, open_subscriber
from hearthwatch.ports import TelemetryStore
from hearthwatch.records import late_days
from hearthwatch.records.database import Database
from hearthwatch.records.late_days import LateDay
from hearthwatch.wire.registry import Decoder, conventions
from ingest.ledger import Ledger
from ingest.runner import Limits, Runner
from ingest.spool import Spool

PATIENCE_S = 20.0
DAY = timedelta(days=1)


class LateFleet:
    """Devices that speak natively; `deliver` returns when all that was sent is stored."""

    def __init__(
        self, store: TelemetryStore, database: Database, clock: SteppedClock, *, spool: Spool | None = None
    ) -> None:
        self.store, self.database, self.clock = store, database, clock
        self._address = f"local://{uuid.uuid4()}"
        self._publisher = open_publisher(self._address, client_id="devices")
        self._sent = 0
        spoken = conventions(("native",))
        limits = Limits(batch_seconds=60.0, spool_after_failures=1)
        subscriber = open_subscriber(
            self._address,
            client_id="ingest",
            filters=[topic for convention in spoken for topic in convention.filters],
            session_expiry_s=3600,
            receive_maximum=limits.receive_maximum,
            clock=clock,
        )
        self.runner = Runner(subscriber, Decoder(spoken), store, database, clock, limits, Ledger(), spool=spool)
        self.runner.start()

    def tell(self, device: str, at: datetime, metrics: Mapping[str, float]) -> None:
        """Publish one sample, measured at a time."""
        samples = [{"at": at.isoformat(), "m": dict(metrics)}]
        self._send(device, "telemetry", {"samples": samples, "fw": "1.0.0", "boot": "b1"})

    def reboot(self, device: str, at: datetime) -> None:
        """Publish that it rebooted unasked."""
        self._send(device, "event", {"at": at.isoformat(), "kind": "reboot", "code": "watchdog"})

    def come(self, device: str, online: bool = True) -> None:
        """Publish its presence."""
        self._send(device, "presence", {"online": online, "boot": "b1"})

    def _send(self, device: str, kind: str, what: object) -> None:
        self._publisher.publish(f"hearthwatch/v1/{device}/{kind}", msgspec.json.encode(what))
        self._sent += 1

    def deliver(self) -> None:
        """Wait until all of it was handled."""
        self.runner.drain(self._sent, PATIENCE_S)

    def late_days(self) -> Sequence[LateDay]:
        """What is written down of late days."""
        now = self.clock.now()
        with self.database.reading() as connection:
            return late_days.list_days(connection, now - 400 * DAY, now + 400 * DAY)

    def close(self) -> None:
        """End the ingestor."""
        self.runner.stop()
        self._publisher.close()
