"""Intake: a state machine that says what happens to messages. It does no I/O; its owner carries out the actions and reports back.

::

    message --> waiting --(full, old or paused)--> batch: prepare -> store -> record -> acknowledge
                   |                                 ^ a store is away: the same action again, later
                   | while anything is in the spool     | away too often or too long: spool -> acknowledge
                   +--> spool -> acknowledge            |
                    spool --(nothing is under way)--> unspool -> batch: prepare -> store -> record -> release

One batch is under way at a time, so acknowledgements keep the order of receipt. While it waits for a store the next one is decoded, when
a whole one is there; it goes the same way once the first has gone it to the end. A message is acknowledged only after its batch is
durable in both stores, or in the spool. While a store is away the batch stays. When it was away often or long enough the batch goes to
the spool, and whatever comes later goes behind it, undecoded, until the spool is empty: so messages are decoded and stored in the order
they came. Between two batches from the spool, what came is put behind it: neither waits for the other. Without a spool, or with one
that is full, nothing is acknowledged, the window fills and the broker waits.
Messages are decoded at the latest moment, and each batch keeps the decoder's states as they were behind it: what is saved never runs ahead
of what is stored, and messages that the broker will send again can be let go undecoded. What comes again is never decoded ahead: only
when all before it is stored is it known what of it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from hearthwatch.errors import HearthwatchError, Invalid, Unavailable
from hearthwatch.ports import Clock, Receipt
from hearthwatch.values import Message, WriteResult
from ingest.actions import Acknowledge, Action, Pending, Prepare, Record, Release, Report, Spool, Store, Unspool
from ingest.batch import Batch, BatchBuilder, MessageDecoder
from ingest.lateness import Lateness
from ingest.ledger import Ledger, Outcome
from ingest.limits import Limits
from ingest.redelivery import FirstReceipts
from ingest.spool import Mark, Piece
from ingest.spooling import Spooling
from ingest.waiting import Waiting

__all__ = [
    "Acknowledge",
    "Action",
    "Intake",
    "Pending",
    "Prepare",
    "Record",
    "Release",
    "Report",
    "Spool",
    "Store",
    "Unspool",
]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class Intake:
    """The state machine. Times called ``at`` are seconds of a clock that only runs forward; ``clock`` tells the time of day.

    ``spooled`` messages wait in the spool when it begins; None means that there is no spool.
    """

    def __init__(
        self,
        decoder: MessageDecoder,
        clock: Clock,
        limits: Limits,
        ledger: Ledger,
        *,
        names: AbstractSet[str] = frozenset(),
        first_receipts: FirstReceipts | None = None,
        spooled: int | None = None,
    ) -> None:
        self._builder = BatchBuilder(decoder, limits)
        self._clock = clock
        self._limits = limits
        self._ledger = ledger
        self._names = set(names)
        self.first_receipts = first_receipts or FirstReceipts("ingest", 2 * limits.receive_maximum)
        self._waiting = Waiting(limits, clock)
        self._batch: Batch | None = None
        self._ahead: Batch | None = None
        self._pending: Pending | None = None
        self._to_store: deque[tuple[int, int]] = deque()
        self._to_record: deque[Record] = deque()
        self._stored = self._duplicate = 0
        self._pause = 0.0
        self._retry_at: float | None = None
        self._asked_at = 0.0
        self._failures = 0
        self._store_away = False
        self._spooling = Spooling(spooled)
        self._lateness = Lateness()
        self.handled = 0

    # -- what is known

    @property
    def waiting(self) -> int:
        """Messages that are in no batch yet."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether everything that came is acknowledged and stored."""
        nothing = self._batch is None and self._ahead is None and not self._waiting
        return nothing and self._spooling.at_rest and self._pending is None

    @property
    def safe(self) -> bool:
        """Whether everything that came is acknowledged: stored, or in the spool."""
        in_memory = any(batch is not None and not batch.spooled for batch in (self._batch, self._ahead))
        return not (in_memory or self._waiting or self._spooling.taken)

    @property
    def stuck(self) -> bool:
        """Whether a store is away, as far as the last answer tells, or that it did not come."""
        return self._pause > 0 or self._store_away

    @property
    def spool_full(self) -> bool:
        """Whether the spool took nothing more, as far as the last answer tells: then nothing is acknowledged."""
        return self._spooling.retry_at is not None

    def due(self) -> float | None:
        """When `tick` should be called at the latest, or None while only an event can change anything."""
        times = [self._retry_at, self._spooling.retry_at, self._spool_at()]
        if self._spooling.behind and self._batch is None and self._pending is None:
            times.append(float("-inf"))
        if self._waiting and not self._spooling.taken and (self._batch is None or self._spooling.behind):
            times.append(self._waiting.due_at())
        return min((one for one in times if one is not None), default=None)

    # -- events

    def received(self, arrived: Sequence[tuple[Message, Receipt]], at: float) -> list[Action]:
        """Messages came, in this order."""
        if not arrived:
            return []
        self._ledger.messages_came(len(arrived))
        self._waiting.add(arrived, at)
        return self._begin(at)

    def tick(self, at: float) -> list[Action]:
        """Time passed."""
        return self._go_on(at, force=False)

    def flush(self, at: float) -> list[Action]:
        """Store what is waiting now, however little it is; a batch that waits for a store is tried at once."""
        return self._go_on(at, force=True)

    def connected(self, session_present: bool, at: float) -> list[Action]:
        """The broker took us. With our session it sends everything unacknowledged again, so what is undecoded is let go."""
        self._ledger.connected(session_present=session_present)
        if session_present:
            self._ledger.messages_returned(self._waiting.session_present())
        else:
            self.first_receipts.begin_session(self._waiting.session_forgotten())
        return []

    def disconnected(self, at: float) -> list[Action]:
        """The connection is gone; what it brought is still stored."""
        self._waiting.disconnected()
        return []

    def prepared(self, admitted: AbstractSet[str], at: float) -> list[Action]:
        """The new metric names that the budget had room for."""
        batch = self._done()
        self._names |= admitted
        refused = frozenset(batch.unknown) - admitted
        if refused:
            batch.drop_metrics(refused)
        return self._begin_storing(batch, at)

    def stored(self, result: WriteResult, at: float) -> list[Action]:
        """The values asked for are durable."""
        at_once = self._failures == 0
        batch = self._done()
        self._stored += result.stored
        self._duplicate += result.duplicate
        first, last = self._to_store.popleft()
        if at_once and last - first == len(batch.values):  # else an earlier try may have stored them a moment ago
            batch.not_new.update(result.repeated)
        return self._store_next(batch, at)

    def recorded(self, at: float) -> list[Action]:
        """What was to be written down is durable."""
        batch = self._done()
        self._to_record.popleft()
        return self._record_next(batch, at)

    def failed(self, error: Exception, at: float) -> list[Action]:
        """The action could not be carried out. What can never work is narrowed down until only the bad part is left out."""
        foreseen = isinstance(error, HearthwatchError) and not isinstance(error, Unavailable)
        if foreseen and isinstance(self._pending, Store) and isinstance(error, Invalid):
            return self._store_less(error, at)
        if foreseen and isinstance(self._pending, Record):
            return self._record_less(error, at)
        self._ledger.must_retry()
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2 if self._pause else FIRST_PAUSE_S)
        asked = error.retry_after if isinstance(error, Unavailable) else None
        self._retry_at = at + (self._pause if asked is None else min(asked, LONGEST_PAUSE_S))
        self._failures += 1
        return self._spool_batch(at)

    def spooled(self, mark: Mark, at: float) -> list[Action]:
        """The messages asked for are durable in the spool, which ends at ``mark`` now."""
        batch = self._batch if self._spooling.whole_batch else None
        taken = self._spooling.done()
        receipts: Sequence[Receipt] = [receipt for _, receipt in taken]
        if batch is not None:
            self._store_away = True
            for one in self._under_way(batch):
                one.spooled = True
                self._ledger.batch_spooled(len(one.messages), one.samples, at - one.came_at)
            (self._ahead or batch).mark = mark  # what lies before it is settled only when both are
        else:
            self._ledger.messages_spooled(len(taken), at - self._spooling.came_at)
        return [Acknowledge(receipts), *self._begin(at)]

    def not_spooled(self, error: Exception, at: float) -> list[Action]:
        """The spool is full, or cannot be written to: it is tried again; until then nothing is acknowledged."""
        self._spooling.failed(at)
        return self._instead_of_spool(at)

    def unspooled(self, piece: Piece, at: float) -> list[Action]:
        """The oldest messages of the spool. ``piece.unreadable`` ones are damaged, and were set aside."""
        self._answered()
        if piece.unreadable:
            self._ledger.spool_damaged(piece.unreadable)
        if not piece.messages:
            return self._ask(Release(piece.mark), at)
        # The hour of their receipt judges their times, as if they had not been in the spool.
        batch = self._build([(message, None) for message in piece.messages], at, piece.messages[-1].received_at)
        batch.spooled, batch.mark = True, piece.mark
        self._ledger.spooled_decoded(len(batch.messages), batch.samples)
        return self._begin_preparing(batch, at)

    def released(self, left: int, at: float) -> list[Action]:
        """The spool's position is durable; so many messages wait behind it."""
        self._answered()
        self._spooling.left(left)
        return self._begin(at)

    # -- the spool

    def _go_on(self, at: float, *, force: bool) -> list[Action]:
        """What can be done now. What came is first: putting it behind the spool is quick, and its broker waits."""
        actions = self._spool_again(at, force=force) or self._begin(at, force=force)
        if not actions:
            actions = self._spool_batch(at)
        if self._pending is None:
            return [*actions, *self._unspool(at)]
        if self._retry_at is not None and (force or at >= self._retry_at):
            self._retry_at = None
            return [*actions, self._pending]
        return actions

    def _spool_at(self) -> float | None:
        """When the batch has waited long enough for a store, or None while it is not to be spooled."""
        batch = self._batch
        if not self._spooling.exists or batch is None or batch.spooled or self._spooling.taken:
            return None
        return self._asked_at + self._limits.spool_after_seconds

    def _spool_batch(self, at: float) -> list[Action]:
        """Put the batch under way into the spool if the store was away often or long enough."""
        since = self._spool_at()
        batch = self._batch
        if batch is None or since is None or (self._failures < self._limits.spool_after_failures and at < since):
            return []
        taken = [one for each in self._under_way(batch) for one in zip(each.messages, each.receipts, strict=True)]
        return [Spool(self._spooling.take(taken, batch.came_at, whole_batch=True))]

    def _spool_again(self, at: float, *, force: bool) -> list[Action]:
        retry_at = self._spooling.retry_at
        if retry_at is None or not (force or at >= retry_at):
            return []
        return [Spool(self._spooling.again())]

    def _instead_of_spool(self, at: float) -> list[Action]:
        """What the spool did not take is stored the usual way when the spool is empty: it may be the spool alone that is broken."""
        busy = self._spooling.behind or self._batch is not None or self._pending is not None
        if busy or self._spooling.retry_at is None:
            return []
        return self._begin_batch(self._spooling.give_up(), self._spooling.came_at, at)

    def _unspool(self, at: float) -> list[Action]:
        if self._batch is not None or self._ahead is not None or not self._spooling.behind:
            return []
        return self._ask(Unspool(self._limits.batch_messages, self._limits.batch_bytes), at)

    # -- a batch on its way

    def _begin(self, at: float, *, force: bool = False) -> list[Action]:
        if self._ahead is not None and self._batch is None and self._pending is None:
            return self._begin_ahead(self._ahead, at)
        if self._spooling.taken:
            return self._instead_of_spool(at)
        if not (self._waiting.is_due(at) or (force and self._waiting)):
            return []
        if self._spooling.behind:
            return [Spool(self._spooling.take(self._waiting.take(), self._waiting.oldest_at))]
        if self._batch is not None or self._pending is not None:
            self._look_ahead()
            return []
        return self._begin_batch(self._waiting.take(), self._waiting.oldest_at, at)

    def _begin_batch(self, taken: Sequence[tuple[Message, Receipt]], came_at: float, at: float) -> list[Action]:
        batch = self._build(taken, came_at, self._clock.now())
        self._ledger.batch_decoded(len(batch.messages), batch.samples)
        return self._begin_preparing(batch, at)

    def _build(self, taken: Sequence[tuple[Message, Receipt]], came_at: float, now: datetime) -> Batch:
        receipts = self.first_receipts
        return self._builder.build(taken, came_at, now, self._names, receipts.first_time, receipts.is_settled)

    def _look_ahead(self) -> None:
        """Decode the next batch while the one under way waits for its store: a whole one, of messages that come for the first time."""
        batch = self._batch
        if batch is None or batch.spooled or self._ahead is not None or self._failures or not self._waiting.is_full():
            return
        if self._waiting.any_again():
            return
        self._ahead = self._build(self._waiting.take(), self._waiting.oldest_at, self._clock.now())
        self._ledger.batch_decoded(len(self._ahead.messages), self._ahead.samples)

    def _begin_ahead(self, batch: Batch, at: float) -> list[Action]:
        self._ahead = None
        batch.unknown = {name: device for name, device in batch.unknown.items() if name not in self._names}
        return self._begin_preparing(batch, at)

    def _under_way(self, batch: Batch) -> list[Batch]:
        """A batch, and the one that was decoded ahead of its time."""
        return [batch] if self._ahead is None else [batch, self._ahead]

    def _begin_preparing(self, batch: Batch, at: float) -> list[Action]:
        self._batch = batch
        self._stored = self._duplicate = 0
        states: Mapping[tuple[str, str], Mapping[str, Any] | None] = {}
        if batch.first_receipts:
            states = self.first_receipts.remember(batch.first_receipts)
        room = self._limits.metric_budget - len(self._names)
        if states or (batch.unknown and room > 0):
            return self._ask(Prepare(batch.unknown if room > 0 else {}, states), at)
        if batch.unknown:
            batch.drop_metrics(frozenset(batch.unknown))
        return self._begin_storing(batch, at)

    def _begin_storing(self, batch: Batch, at: float) -> list[Action]:
        self._to_store = deque([(0, len(batch.values))] if batch.values else [])
        return self._store_next(batch, at)

    def _store_next(self, batch: Batch, at: float) -> list[Action]:
        if self._to_store:
            first, last = self._to_store[0]
            return self._ask(Store(batch.values[first:last]), at)
        settling = self.first_receipts.settling() if batch.first_receipts else {}
        states = (*batch.states.items(), *settling.items())  # in this order, should the record have to be divided
        asked = tuple(batch.replies), tuple(batch.wishes.values())
        late = self._lateness.news(batch.values, batch.not_new, self._clock.now())
        record = Record(tuple(batch.sightings), tuple(batch.identities), tuple(batch.held), states, *asked, late)
        self._to_record = deque([record] if record != Record() else [])
        return self._record_next(batch, at)

    def _store_less(self, error: Exception, at: float) -> list[Action]:
        batch = self._done()
        first, last = self._to_store.popleft()
        if last - first > 1:
            middle = (first + last) // 2
            self._to_store.extendleft([(middle, last), (first, middle)])
        else:
            batch.hold_value(first, error)
        return self._store_next(batch, at)

    def _record_next(self, batch: Batch, at: float) -> list[Action]:
        if self._to_record:
            return self._ask(self._to_record[0], at)
        self._batch = None
        if batch.first_receipts:
            self.first_receipts.settled()
        outcome = Outcome(
            stored=self._stored + batch.identified,
            duplicate=self._duplicate + batch.duplicate,
            quarantined=batch.quarantined,
            ignored=batch.ignored,
        )
        self.handled += self._spooling.of_this_life(len(batch.messages)) if batch.spooled else len(batch.messages)
        if batch.spooled:
            self._ledger.spooled_settled(outcome)
            return self._begin(at) if batch.mark is None else self._ask(Release(batch.mark), at)
        self._spooling.give_up()  # it may have waited for room in the spool
        self._ledger.batch_settled(len(batch.messages), outcome, at - batch.came_at)
        return [Acknowledge(batch.receipts), *self._begin(at)]

    def _record_less(self, error: Exception, at: float) -> list[Action]:
        batch = self._done()
        record = self._to_record.popleft()
        halves = record.halves()
        self._to_record.extendleft(reversed(halves))
        report = [] if halves else [Report(f"left out of the records: {record!r:.300}: {error}")]
        return [*report, *self._record_next(batch, at)]

    def _ask(self, action: Pending, at: float) -> list[Action]:
        self._pending = action
        self._asked_at = at
        self._failures = 0
        return [action]

    def _answered(self) -> None:
        if self._pending is None:
            raise Invalid("an answer came although nothing was asked")
        self._pending = None
        self._retry_at = None
        self._pause = 0.0
        self._store_away = False
        self._failures = 0

    def _done(self) -> Batch:
        self._answered()
        if self._batch is None:
            raise Invalid("an answer came although there is no batch")
        return self._batch
