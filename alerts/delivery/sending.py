"""Sends what the outbox holds: claim, deliver by idempotency key, mark. A crash in between gives the same key again.

Channels take turns, each for a while: one that is slow or down does not hold up the others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.channels.parcels import BulkChannel
from alerts.delivery import agreement, breaker, marking
from alerts.delivery.attempts import Result, allowed_at, attempt, attempt_bulk
from alerts.delivery.patience import Patience
from hearthwatch.ports import Channel
from hearthwatch.records import brakes, delivery_channels, outbox
from hearthwatch.records.database import Database
from hearthwatch.records.delivery_channels import ChannelState
from hearthwatch.records.outbox import OutboxItem

BATCH = 25
LEASE = timedelta(minutes=15)
TURN_SECONDS = 20.0
"""After so long a channel lets the others have their turn."""
RUN_SECONDS = 120.0
"""After so long a run ends: the next one looks at the time anew."""


@dataclass(slots=True)
class Run:
    """One run of the delivery: what it works with, and what it has done."""

    database: Database
    channels: Mapping[str, Channel]
    now: datetime
    worker: str
    patience: Patience
    monotonic: Callable[[], float]
    done: Counter[str] = field(default_factory=Counter)
    paused: bool = False


def deliver(
    database: Database,
    channels: Mapping[str, Channel],
    now: datetime,
    *,
    worker: str,
    patience: Patience | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Mapping[str, int]:
    """Send everything that is due. Returns counts: delivered, postponed (quiet hours), unwanted (consent was withdrawn), retried, refused,
    given_up, broken, paused.

    The outbox's brake, the customer's consent, and whether the claim is still ours, are looked at before every sending. Raises
    `Unavailable` when the records are away; what was claimed is then sent once its lease has run out, with the same keys.
    """
    run = Run(database, channels, now, worker, patience or Patience(), monotonic)
    until = monotonic() + RUN_SECONDS
    while ready := _ready(run):
        for name in ready:
            _turn(run, name)
            if run.paused or monotonic() > until:
                return dict(run.done)
    if not run.paused:
        _give_up_what_waited_too_long(run)
    return dict(run.done)


def _ready(run: Run) -> list[str]:
    """Channels that have something due and may send it; those that do well go first."""
    with run.database.reading() as connection:
        if brakes.is_paused(connection)[0]:
            run.paused = True
            run.done["paused"] = 1
            return []
        due = outbox.due_channels(connection, run.now)
        states = delivery_channels.list_states(connection) if due else {}
    may = [name for name in due if breaker.may_send(states.get(name, ChannelState(name)), run.now) != 0]
    return sorted(may, key=lambda name: (states[name].failures if name in states else 0, name))


def _turn(run: Run, name: str) -> None:
    """Send what a channel has due, until there is nothing more, it may not send, or its time is over."""
    until = run.monotonic() + TURN_SECONDS
    while _batch(run, name, until) and run.monotonic() <= until:
        pass


def _batch(run: Run, name: str, until: float) -> bool:
    """Claim some of a channel's items and send them in their order, marking each before the next is sent. Whether more may follow."""
    with run.database.transaction(alone=False) as connection:
        state = delivery_channels.get(connection, name)
        limit = breaker.may_send(state, run.now)
        if limit == 0 or run.paused:
            return False
        items = outbox.claim(connection, run.worker, run.now, lease=LEASE, limit=limit or BATCH, channel=name)
    left = list(items)
    for share in _shares(run, name, items):
        if not _may_go_on(run, share):
            break
        state = _send(run, share, state)
        del left[: len(share)]
        if left and (breaker.may_send(state, run.now) == 0 or run.monotonic() > until):
            break
    if left:
        _give_back(run, left)
    return bool(items) and not left


def _shares(run: Run, name: str, items: Sequence[OutboxItem]) -> Iterator[list[OutboxItem]]:
    """All at once for a channel that takes many, else one by one."""
    if isinstance(run.channels.get(name), BulkChannel) and items:
        yield list(items)
        return
    yield from ([item] for item in items)


def _may_go_on(run: Run, share: Sequence[OutboxItem]) -> bool:
    with run.database.reading() as connection:
        if brakes.is_paused(connection)[0]:
            run.paused = True
            run.done["paused"] = 1
        paused = delivery_channels.get(connection, share[0].channel).paused
    return not run.paused and not paused


def _send(run: Run, share: Sequence[OutboxItem], state: ChannelState) -> ChannelState:
    """Send a share that is still ours, mark it, and say how the channel stands now."""
    with run.database.reading() as connection:
        ours = outbox.still_claimed(connection, share)
        unwanted = agreement.withdrawn(connection, [item for item in share if item.id in ours])
    if unwanted:
        _mark(run, unwanted, state)
    gone = {one.item.id for one in unwanted}
    mine = [item for item in share if item.id in ours - gone]
    channel = run.channels.get(state.name)
    awake = [item for item in mine if allowed_at(item, run.now) <= run.now]
    if isinstance(channel, BulkChannel) and len(awake) > 1:
        results = attempt_bulk(channel, awake)
        if results is not None:
            asleep = [attempt(channel, item, run.now, run.patience) for item in mine if item not in awake]
            return _mark(run, [*results, *asleep], state)
    for number, item in enumerate(mine):
        if breaker.may_send(state, run.now) == 0:
            _give_back(run, mine[number:])
            break
        state = _mark(run, [attempt(channel, item, run.now, run.patience)], state)
    return state


def _mark(run: Run, results: Sequence[Result], state: ChannelState) -> ChannelState:
    """Write results down, and the channel's state where they change it."""
    if not results:
        return state
    stands = state
    for one in results:
        if one.outcome:
            stands = breaker.after(stands, one.outcome, run.now, reason=one.reason, retry_after=one.retry_after)
    with run.database.transaction() as connection:
        marking.mark(connection, results, run.now)
        if stands != state:
            names = (
                "failures",
                "openings",
                "failing_since",
                "open_until",
                "last_ok_at",
                "last_failed_at",
                "last_error",
            )
            delivery_channels.keep(connection, state.name, {name: getattr(stands, name) for name in names})
    run.done.update(one.what for one in results)
    return stands


def _give_back(run: Run, items: Sequence[OutboxItem]) -> None:
    with run.database.transaction(alone=False) as connection:
        for item in items:
            outbox.give_back(connection, item)


def _give_up_what_waited_too_long(run: Run) -> None:
    """Behind an open breaker nothing is tried, but nothing waits for ever either: its customer may have another address."""
    with run.database.reading() as connection:
        states = delivery_channels.list_states(connection).values()
    patience = run.patience
    soonest = min(patience.give_up, patience.fall_back)
    for state in states:
        if state.is_open and state.failing_since is not None and run.now - state.failing_since >= soonest:
            _give_up(run, state, state.failing_since, run.now - soonest)


def _give_up(run: Run, state: ChannelState, failing_since: datetime, before: datetime) -> None:
    with run.database.transaction() as connection:
        for item in outbox.waited_since(connection, state.name, before, run.now, limit=10_000):
            since = max(item.due_at or item.created_at, failing_since)
            reason = f"given up: {state.name} does not answer since {failing_since:%Y-%m-%d %H:%M} UTC"
            if run.now - since >= run.patience.limit(item) and outbox.abandon(connection, item, reason, run.now):
                marking.gave_up(connection, item, reason, run.now)
                run.done["given_up"] += 1
