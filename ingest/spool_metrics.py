"""Figures of the spools for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric

from ingest.spool import SpoolState


def spool_metrics(states: Mapping[str, SpoolState], now: datetime | None = None) -> Iterator[Metric]:
    """What waits in the spools of this process, by session. ``now``: the time of day; absent: the system's."""
    now = now or datetime.now(UTC)
    size = _by_session("hearthwatch_ingest_spool_bytes", "Bytes that the spool takes up on the disk.")
    records = _by_session("hearthwatch_ingest_spool_records", "Records (batches of messages) that wait in the spool.")
    messages = _by_session("hearthwatch_ingest_spool_messages", "Messages that wait in the spool.")
    oldest = _by_session("hearthwatch_ingest_spool_oldest_age_seconds", "Age of the oldest message in the spool.")
    full = _by_session("hearthwatch_ingest_spool_full", "Whether the spool took nothing more when it was last asked.")
    damaged = _by_session("hearthwatch_ingest_spool_damaged_bytes", "Bytes of segments that were set aside.")
    for session, state in states.items():
        age = 0.0 if state.oldest_at is None else max(0.0, (now - state.oldest_at).total_seconds())
        for family, value in (
            (size, state.bytes),
            (records, state.records),
            (messages, state.messages),
            (oldest, age),
            (full, state.full is not None),
            (damaged, state.damaged_bytes),
        ):
            family.add_metric([session], float(value))
    yield from (size, records, messages, oldest, full, damaged)


def _by_session(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["session"])
