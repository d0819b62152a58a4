"""The ports: each has two or more real implementations, or will have with the next adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from hearthwatch.service_desk import DeskCase, DeskPlace, DeskSide
from hearthwatch.values import Decoded, Event, Message, Presence, Reading, WriteResult


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The current instant, timezone-aware, in UTC."""
        ...


class TelemetryStore(Protocol):
    """Readings, events and presence, each with the firmware it happened on.

    Every write is durable when the call returns. Everything malformed is found before anything is stored (`Invalid`: nothing of the
    batch is). When a call raises `Unavailable` (the store is away or full), a store on a server may hold a part of the batch: giving
    the same batch again completes it and counts it as if for the first time. What a server refuses for good although it is well
    formed (older than its retention) is also `Invalid`, and names the device; the rest of the batch is stored then, and may be given
    again. Arrow tables use ``timestamp[us, UTC]`` for times.
    """

    def write(self, values: Sequence[Reading | Event | Presence]) -> WriteResult:
        """Store a batch. A value whose key is already stored (or earlier in the batch) is a duplicate and leaves the first one as it is."""
        ...

    def write_table(self, stream: str, table: pa.Table) -> WriteResult:
        """Store many readings at once. Columns: device, at, firmware (nullable), then one float64 column per metric (nullable)."""
        ...

    def rollup(self, until: datetime) -> int:
        """Bring the hourly rollups up to date for every hour that ended by ``until`` and had new data. Returns the rows written."""
        ...

    def hourly(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rollups of [since, until): device, firmware, hour, metric, n, mean, minimum, maximum, last."""
        ...

    def daily(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
    ) -> pa.Table:
        """As `hourly`, by UTC day, over all firmwares of the day.

        Columns: device, firmware (the day's last), day, metric, n, mean, minimum, maximum, last.
        """
        ...

    def exposure(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Hours in which a device reported, of [since, until): device, firmware, hour, readings."""
        ...

    def events(
        self,
        since: datetime,
        until: datetime,
        *,
        devices: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> pa.Table:
        """Events of [since, until) in order of time: device, at, firmware, kind, code, detail (JSON text), boot, seq."""
        ...

    def presence(self, since: datetime, until: datetime, *, devices: Sequence[str] | None = None) -> pa.Table:
        """Comings and goings of [since, until) in order of time: device, at, online, boot, firmware."""
        ...

    def latest(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[datetime, float]]]:
        """The newest value of every metric of each device, with its time. Devices without data are absent."""
        ...

    def window(
        self, device: str, since: datetime, until: datetime, *, metrics: Sequence[str] | None = None
    ) -> pa.Table:
        """Raw readings of one device in [since, until), in order of time: at, stream, firmware, metric, value."""
        ...

    def metrics(self) -> Sequence[str]:
        """Names of all metrics ever stored, sorted."""
        ...

    def expire(self, *, raw_before: datetime, rollups_before: datetime) -> int:
        """Delete raw data and rollups older than the given times. Returns the rows deleted."""
        ...

    def close(self) -> None:
        """Flush and release the store. May be called twice."""
        ...


State = Mapping[str, Any]
"""A convention's memory of one partition (usually one device): JSON-compatible, so that it can be saved."""


class Convention(Protocol):
    """How one family of devices speaks MQTT. Pure: the same state and message always give the same answer."""

    @property
    def name(self) -> str:
        """The convention's name in settings and on the page."""
        ...

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT topic filters to subscribe to."""
        ...

    @property
    def shareable(self) -> tuple[str, ...]:
        """Those of `filters` whose messages several ingestors may divide among themselves: not retained, each complete in itself.

        What a convention with such filters remembers of a partition must hold up when every session sees only some messages; see
        `hearthwatch.wire.shared`.
        """
        ...

    def partition(self, topic: str) -> str | None:
        """Whose state a topic belongs to, or None when the topic is not of this convention."""
        ...

    def decode(self, state: State | None, message: Message) -> tuple[Decoded, State | None]:
        """Values of a message and the partition's next state. Raises `Invalid` (and nothing else) when all of it is malformed."""
        ...


Receipt = object
"""A subscriber's own handle on one delivered message, given back to acknowledge it."""


class Subscriber(Protocol):
    """Receives messages and acknowledges them when told, in the order they came."""

    def start(
        self,
        on_message: Callable[[Message, Receipt], None],
        on_connection: Callable[[bool, bool], None],
        on_new_session: Callable[[], None] | None = None,
    ) -> None:
        """Begin. ``on_connection(up, session_present)`` is called on every change; before a session that is new has heard anything,
        ``on_new_session()``. Callbacks come from the subscriber's thread."""
        ...

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """Acknowledge messages, in the order they were received. Receipts of a lost connection are dropped: the broker sends again."""
        ...

    def stop(self, *, forget: bool = False) -> None:
        """Stop receiving and disconnect; unacknowledged messages stay with the broker, unless it is told to ``forget`` the session."""
        ...


class Publisher(Protocol):
    """Sends messages at QoS 1."""

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response: tuple[str, bytes] | None = None
    ) -> None:
        """Queue one message; blocks while the window is full. Raises `Unavailable` when the broker stays away.

        ``response``: response topic and correlation data, which are told where MQTT 5 is spoken.
        """
        ...

    def flush(self, timeout: float) -> None:
        """Wait until everything published is acknowledged. Raises `Unavailable` after ``timeout`` seconds."""
        ...

    def close(self) -> None:
        """Flush and disconnect."""
        ...


class Scorer(Protocol):
    """Gives each device-day an abnormality score per metric; higher is more abnormal."""

    @property
    def name(self) -> str:
        """The scorer's name in evidence."""
        ...

    def score(self, values: Any, context: Any) -> Any:
        """Scores of shape (devices, metrics), NaN where it cannot say."""
        ...


class Channel(Protocol):
    """Delivers one message to one address. Raises `Unavailable` to be retried, `Refused` when it never will work."""

    @property
    def name(self) -> str:
        """The channel's name in the outbox."""
        ...

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Deliver once per idempotency ``key``, where the receiver honours it."""
        ...


class RolloutService(Protocol):
    """A system that deploys firmware in groups of devices, and that the gate holds and lets go on.

    ``rollout`` is its own id of a roll-out. Every act may be repeated: what is so already stays so, and is no error. Each returns the
    state that the service then gives the roll-out, in its own words. Raises `Unavailable` to be tried again, `Refused` when it never
    will work.
    """

    @property
    def name(self) -> str:
        """The service's name in settings and on the page."""
        ...

    def status(self, rollout: str) -> str:
        """The state of a roll-out."""
        ...

    def pause(self, rollout: str) -> str:
        """Start no further group."""
        ...

    def resume(self, rollout: str) -> str:
        """Go on after a pause, with the groups that have started."""
        ...

    def advance(self, rollout: str, group: int) -> str:
        """See to it that the groups up to this one (from 1) have started, and no further one."""
        ...


class ServiceDesk(Protocol):
    """An outside service desk that shows our tickets and whose people work on them there.

    Every act may be repeated: words that the desk has been told are not told again. Raises `Unavailable` to be tried again, `Missing`
    where the desk has deleted the ticket, `Refused` when it never will work.
    """

    @property
    def name(self) -> str:
        """The desk's name in settings, in ledgers and on the page."""
        ...

    def put(self, case: DeskCase, place: DeskPlace | None) -> DeskPlace:
        """Show a ticket: create it (``place`` is None), else bring it up to date. Nothing of it is sent to customers by the desk."""
        ...

    def look(self, place: DeskPlace, seen: int) -> DeskSide | None:
        """What the desk's people did with it, with their words after ``seen``; None for a desk that tells by itself."""
        ...
