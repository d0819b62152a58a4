"""The ledger: where every sample went. ``received = stored + duplicate + quarantined + ignored + spooled + in flight``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.gaps import GapCounts
from ingest.spool import SpoolState
from ingest.spool_metrics import spool_metrics

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where the samples of one batch went."""

    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    ignored: int = 0

    @property
    def samples(self) -> int:
        """All of them."""
        return self.stored + self.duplicate + self.quarantined + self.ignored


class Ledger(Collector):
    """Counts since the process began, with what it found in its spools. Written by the ingestor's threads, read by any.

    A message in the spool is not decoded yet and counts as one sample; when it is decoded, the others are added.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._samples = dict.fromkeys(("received", "stored", "duplicate", "quarantined", "ignored", "spooled"), 0)
        self._messages = dict.fromkeys(("received", "acknowledged", "returned"), 0)
        self._connections = {True: 0, False: 0}  # by whether the broker had kept our session
        self._spools: dict[str, Callable[[], SpoolState]] = {}
        self._retries = 0
        self.gaps = GapCounts()
        self._started = monotonic()
        self._last_message: float | None = None
        self._last_commit: float | None = None
        self._batch = Histogram(
            "hearthwatch_ingest_batch_messages", "Messages in a batch.", registry=None, buckets=_SIZES
        )
        self._store = Histogram(
            "hearthwatch_ingest_store_seconds", "Time to store a batch.", registry=None, buckets=_SECONDS
        )
        self._acknowledge = Histogram(
            "hearthwatch_ingest_acknowledge_seconds",
            "Time from a batch's first message to its acknowledgement.",
            registry=None,
            buckets=_SECONDS,
        )

    # -- what happened

    def messages_came(self, count: int) -> None:
        """Messages came from the broker."""
        with self._turn:
            self._messages["received"] += count
            self._last_message = self._monotonic()

    def messages_returned(self, count: int) -> None:
        """Messages were let go undecoded, because the broker sends them again."""
        with self._turn:
            self._messages["returned"] += count

    def batch_decoded(self, messages: int, samples: int) -> None:
        """A batch was decoded: from here on its samples are in flight."""
        with self._turn:
            self._samples["received"] += samples
        self._batch.observe(messages)

    def batch_settled(self, messages: int, outcome: Outcome, seconds: float) -> None:
        """A batch is durable and its messages are acknowledged, ``seconds`` after the first of them came."""
        with self._turn:
            self._count(outcome)
            self._messages["acknowledged"] += messages
            self._last_commit = self._monotonic()
        self._acknowledge.observe(seconds)

    # -- the spool

    def spool_opened(self, name: str, state: Callable[[], SpoolState]) -> None:
        """A session has a spool; ``state`` tells how it is, from any thread. What is in it counts as received."""
        with self._turn:
            self._spools[name] = state
            self._add_spooled(state().messages)

    def spool_closed(self, name: str) -> None:
        """A session was let go; what is in its spool waits for whoever has it next."""
        with self._turn:
            state = self._spools.pop(name, None)
            if state is not None:
                self._add_spooled(-min(state().messages, self._samples["spooled"]))

    def messages_spooled(self, messages: int, seconds: float) -> None:
        """Messages were put into the spool undecoded, and acknowledged ``seconds`` after the first of them came."""
        with self._turn:
            self._add_spooled(messages)
            self._messages["acknowledged"] += messages
        self._acknowledge.observe(seconds)

    def batch_spooled(self, messages: int, samples: int, seconds: float) -> None:
        """A decoded batch was put into the spool, and acknowledged."""
        with self._turn:
            self._samples["spooled"] += samples
            self._messages["acknowledged"] += messages
        self._acknowledge.observe(seconds)

    def spooled_decoded(self, messages: int, samples: int) -> None:
        """Messages of the spool were decoded, and hold so many samples."""
        with self._turn:
            self._add_spooled(samples - messages)
        self._batch.observe(messages)

    def spooled_settled(self, outcome: Outcome) -> None:
        """A batch of the spool is durable in the stores."""
        with self._turn:
            self._samples["spooled"] -= outcome.samples
            self._count(outcome)
            self._last_commit = self._monotonic()

    def spool_damaged(self, messages: int) -> None:
        """Messages of the spool cannot be read any more; they were set aside, which is a quarantine too."""
        with self._turn:
            self._samples["spooled"] -= messages
            self._samples["quarantined"] += messages

    def _add_spooled(self, samples: int) -> None:
        self._samples["received"] += samples
        self._samples["spooled"] += samples

    def _count(self, outcome: Outcome) -> None:
        for name in ("stored", "duplicate", "quarantined", "ignored"):
            self._samples[name] += getattr(outcome, name)

    def stored_in(self, seconds: float) -> None:
        """A write to the telemetry store took this long."""
        self._store.observe(seconds)

    def must_retry(self) -> None:
        """A store was away."""
        with self._turn:
            self._retries += 1

    def connected(self, *, session_present: bool) -> None:
        """The broker took us; without a session it may have dropped what came while we were away."""
        with self._turn:
            self._connections[session_present] += 1

    # -- what is known

    def snapshot(self) -> dict[str, int]:
        """Samples by where they went; ``in_flight`` are decoded and not durable yet."""
        with self._turn:
            counts = dict(self._samples)
        counts["in_flight"] = counts["received"] - sum(count for name, count in counts.items() if name != "received")
        return counts

    def messages(self) -> dict[str, int]:
        """Messages received, acknowledged, and returned to the broker."""
        with self._turn:
            return dict(self._messages)

    def spools(self) -> dict[str, SpoolState]:
        """How the spool of each session is."""
        with self._turn:
            return {name: state() for name, state in self._spools.items()}

    def ages(self) -> dict[str, float | None]:
        """Seconds since the last message and the last commit; None where there was none yet."""
        with self._turn:
            now = self._monotonic()
            marks = {"last_message": self._last_message, "last_commit": self._last_commit}
        return {name: None if mark is None else now - mark for name, mark in marks.items()}

    # -- Prometheus

    def register(self, registry: CollectorRegistry) -> None:
        """Show the ledger on a registry."""
        for collector in (self, self._batch, self._store, self._acknowledge):
            registry.register(collector)

    def collect(self) -> Iterator[Metric]:
        """Counters and gauges as Prometheus wants them."""
        samples = self.snapshot()
        in_flight, received, spooled = (samples.pop(name) for name in ("in_flight", "received", "spooled"))
        yield _counter("hearthwatch_ingest_samples_received", "Samples decoded from messages.", received)
        outcomes = CounterMetricFamily("hearthwatch_ingest_samples", "Samples by where they went.", labels=["outcome"])
        for name, count in samples.items():
            outcomes.add_metric([name], count)
        yield outcomes
        yield _gauge("hearthwatch_ingest_samples_in_flight", "Samples decoded and not durable yet.", in_flight)
        text = "Samples that wait in the spool; a message that is not decoded yet counts as one."
        yield _gauge("hearthwatch_ingest_samples_spooled", text, spooled)
        yield from spool_metrics(self.spools())
        messages = CounterMetricFamily("hearthwatch_ingest_messages", "Messages of the broker.", labels=["state"])
        for name, count in self.messages().items():
            messages.add_metric([name], count)
        yield messages
        connections = CounterMetricFamily(
            "hearthwatch_ingest_connections",
            "Connections to the broker, by whether it had kept our session.",
            labels=["session"],
        )
        with self._turn:
            connections.add_metric(["present"], self._connections[True])
            connections.add_metric(["absent"], self._connections[False])
            retries = self._retries
        yield connections
        yield from self.gaps.collect()
        yield _counter("hearthwatch_ingest_store_retries", "Times a store was away.", retries)
        for name, age in self.ages().items():
            text = f"Seconds since the {name.replace('_', ' ')}, or since the start."
            yield _gauge(f"hearthwatch_ingest_{name}_age_seconds", text, self._age(age))

    def _age(self, age: float | None) -> float:
        return self._monotonic() - self._started if age is None else age


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
