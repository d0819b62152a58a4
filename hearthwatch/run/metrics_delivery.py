"""Figures for Prometheus about delivery, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection

from alerts.delivery.overview import UNKNOWN, overview
from hearthwatch.records.delivery_attempts import OUTCOMES

HEALTHS = ("well", "failing", "open", "probing", "paused", UNKNOWN)


def delivery_metrics(connection: Connection, configured: Sequence[str], now: datetime) -> Iterator[Metric]:
    """Queue, age, dead letters, health and failures of each channel."""
    channels = overview(connection, configured, now)
    waiting = _of_channel("hearthwatch_channel_waiting", "Things that wait for a channel or are being sent by it.")
    oldest = _of_channel("hearthwatch_channel_oldest_seconds", "Since when the oldest thing of a channel has been due.")
    dead = _of_channel("hearthwatch_channel_dead_letters", "Things of a channel that were refused or given up.")
    health = GaugeMetricFamily(
        "hearthwatch_channel_health", "1 for how a channel does (docs/delivery.md).", labels=["channel", "health"]
    )
    attempts = GaugeMetricFamily(
        "hearthwatch_channel_attempts",
        "Attempts within the last 24 hours by outcome; nomatch: no channel of the settings serves it.",
        labels=["channel", "outcome"],
    )
    for one in channels:
        waiting.add_metric([one.name], one.waiting + one.sending)
        oldest.add_metric([one.name], one.oldest_s)
        dead.add_metric([one.name], one.dead)
        for word in HEALTHS:
            health.add_metric([one.name, word], one.health == word)
        for outcome in OUTCOMES:
            attempts.add_metric([one.name, outcome], one.attempts.get(outcome, 0))
    yield from (waiting, oldest, dead, health, attempts)


def _of_channel(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["channel"])
