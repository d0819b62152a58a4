"""How every way out of the house does, for people: pages, API, metrics and doctor say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.delivery import breaker
from hearthwatch.records import delivery_attempts, delivery_channels, outbox
from hearthwatch.records.delivery_channels import ChannelState
from hearthwatch.records.outbox import Queue

WITHIN = timedelta(days=1)
UNKNOWN = "unknown"
"""A channel that something waits for, and that the settings do not have."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A channel. ``health``: well, failing, open (its provider is held for dead), probing (a probe is due), paused, unknown.

    ``attempts``: how those of the last day went, by outcome. ``oldest_s``: age of the oldest thing that is due, in seconds.
    """

    name: str
    health: str
    waiting: int
    sending: int
    dead: int
    oldest_s: float
    failures: int
    failing_since: datetime | None
    probe_at: datetime | None
    last_ok_at: datetime | None
    last_failed_at: datetime | None
    last_error: str | None
    paused_by: str | None
    paused_reason: str | None
    attempts: Mapping[str, int]


def overview(connection: Connection, configured: Sequence[str], now: datetime) -> list[Standing]:
    """The channels of the settings, and those of which something is known, by name."""
    queues = outbox.queues(connection, now)
    states = delivery_channels.list_states(connection)
    tries = delivery_attempts.counts(connection, now - WITHIN)
    names = {*configured, *queues, *states, *(channel for channel, _ in tries)}
    return [
        _standing(
            states.get(name, ChannelState(name)),
            queues.get(name, Queue(name, 0, 0, 0, None)),
            {outcome: count for (channel, outcome), count in tries.items() if channel == name},
            known=name in configured,
            now=now,
        )
        for name in sorted(names)
    ]


def _standing(
    state: ChannelState, queue: Queue, attempts: Mapping[str, int], *, known: bool, now: datetime
) -> Standing:
    return Standing(
        name=state.name,
        health=breaker.health(state, now) if known or state.paused else UNKNOWN,
        waiting=queue.waiting,
        sending=queue.sending,
        dead=queue.dead,
        oldest_s=(now - queue.oldest_due).total_seconds() if queue.oldest_due else 0.0,
        failures=state.failures,
        failing_since=state.failing_since,
        probe_at=state.open_until,
        last_ok_at=state.last_ok_at,
        last_failed_at=state.last_failed_at,
        last_error=state.last_error,
        paused_by=state.paused_by,
        paused_reason=state.paused_reason,
        attempts=attempts,
    )
