"""Ingestors with one mistake each. A simulator that does not find them would find nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from hearthwatch.errors import Unavailable
from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.subscriber import MqttSubscriber
from hearthwatch.ports import Receipt
from hearthwatch.values import Message, WriteResult
from ingest.batch import Batch
from ingest.intake import Acknowledge, Action, Intake, Record, Spool
from ingest.ledger import Ledger
from ingest.redelivery import FirstReceipts, Key
from ingest.spool import Mark, Piece
from tests.simulation.disk import WatchedSpool
from tests.simulation.simulated_runner import Make

SPENT: Receipt = (-1, 0)
"""A receipt that acknowledges nothing, for what was acknowledged already."""


class AcknowledgesBeforeItStores(Intake):
    """A batch is acknowledged when it is decoded."""

    def _begin_storing(self, batch: Batch, at: float) -> list[Action]:
        receipts, batch.receipts = batch.receipts, [SPENT] * len(batch.receipts)
        return [Acknowledge(receipts), *super()._begin_storing(batch, at)]


class AcknowledgesBeforeItRecords(Intake):
    """A batch is acknowledged when its values are stored, and what else it told is not."""

    def _store_next(self, batch: Batch, at: float) -> list[Action]:
        following = super()._store_next(batch, at)
        if not any(isinstance(action, Record) for action in following) or batch.spooled:
            return following
        receipts, batch.receipts = batch.receipts, [SPENT] * len(batch.receipts)
        return [Acknowledge(receipts), *following]


class AcknowledgesInAnotherOrder(Intake):
    """The last of a batch is acknowledged first."""

    def _record_next(self, batch: Batch, at: float) -> list[Action]:
        batch.receipts = list(reversed(batch.receipts))
        return super()._record_next(batch, at)


class AcknowledgesBeforeItSpools(Intake):
    """What is to be spooled is acknowledged already."""

    def not_spooled(self, error: Exception, at: float) -> list[Action]:
        return super().spooled(Mark(0, 0), at)


class TakesNoAnswerForYes(Intake):
    """A store that is away is taken for one that has the values."""

    def failed(self, error: Exception, at: float) -> list[Action]:
        if isinstance(error, Unavailable) and self._to_store:
            first, last = self._to_store[0]
            return self.stored(WriteResult(last - first, 0), at)
        return super().failed(error, at)


class NeverTriesAgain(Intake):
    """A store that was away is not asked again."""

    def failed(self, error: Exception, at: float) -> list[Action]:
        following = super().failed(error, at)
        self._retry_at = None
        return following


class DropsWhatTheStoreRefuses(Intake):
    """A value that cannot be stored is left out, and not held."""

    def _store_less(self, error: Exception, at: float) -> list[Action]:
        if self._batch is not None and self._to_store[0][1] - self._to_store[0][0] == 1:
            self._batch.ignored += 1
            self._done()
            self._to_store.popleft()
            return self._store_next(self._batch, at)
        return super()._store_less(error, at)


class HoldsWholeBatches(Intake):
    """One bad value takes its batch with it into quarantine."""

    def _store_less(self, error: Exception, at: float) -> list[Action]:
        batch = self._done()
        first, last = self._to_store.popleft()
        for place in range(first, last):
            batch.hold_value(place, error)
        return self._store_next(batch, at)


class LetsGoOfWhatNobodySendsAgain(Intake):
    """What an older connection brought is let go although the broker forgot the session."""

    def connected(self, session_present: bool, at: float) -> list[Action]:
        self._ledger.messages_returned(self._waiting.session_present())
        return super().connected(session_present, at)


class LetsGoOfQos0(Intake):
    """What came at QoS 0 is let go with the connection, as if it came again."""

    def connected(self, session_present: bool, at: float) -> list[Action]:
        messages = self._waiting._messages
        for place, (message, receipt) in enumerate(messages):
            messages[place] = (structs.replace(message, qos=1), receipt)
        return super().connected(session_present, at)


class StoresAroundTheSpool(Intake):
    """What comes is stored at once although older messages wait in the spool: a device's firmware runs ahead of its values."""

    def _begin(self, at: float, *, force: bool = False) -> list[Action]:
        busy = self._batch is not None or self._pending is not None or bool(self._spooling.taken)
        if busy or not self._waiting or not (force or self._waiting.is_due(at)):
            return super()._begin(at, force=force)
        return self._begin_batch(self._waiting.take(), self._waiting.oldest_at, at)


class NeverFollowsTheClockBack(Intake):
    """A clock that was set right leaves the times of receipt where it had been."""

    def received(self, arrived: Sequence[tuple[Message, Receipt]], at: float) -> list[Action]:
        later = []
        for message, receipt in arrived:
            newest = max(message.received_at, getattr(self, "_newest", message.received_at) + timedelta(microseconds=1))
            self._newest = newest
            later.append((structs.replace(message, received_at=newest), receipt))
        return super().received(later, at)


class SpoolsOnlyTheFirst(Intake):
    """Of a batch that is to be spooled the first messages are, and all are acknowledged."""

    def _spool_batch(self, at: float) -> list[Action]:
        return [Spool(one.messages[:1]) if isinstance(one, Spool) else one for one in super()._spool_batch(at)]


class ForgetsFirstReceipts(FirstReceipts):
    """When a message came first is forgotten."""

    def first_time(self, message: Message) -> datetime | None:
        return None


class ForgetsFirstReceiptsOverARestart(FirstReceipts):
    """When a message came first is remembered by the process alone."""

    def _saved(self, saved: Mapping[str, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        return {}


class RemembersOneBatch(FirstReceipts):
    """First receipts are kept for one batch, and the window holds more."""

    def remember(self, receipts: Mapping[Key, datetime]) -> dict[tuple[str, str], Mapping[str, Any] | None]:
        self._keep = 1
        return super().remember(receipts)


class AcknowledgesWhateverConnection(MqttSubscriber):
    """Receipts of an older connection are acknowledged on the newer one."""

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        renewed = [(self._epoch, receipt[1]) for receipt in receipts if isinstance(receipt, tuple)]
        super().acknowledge(renewed)


class KeepsOldAcknowledgements(MqttSubscriber):
    """Acknowledgements that were queued when a connection broke are sent on the next one."""

    def disconnected(self) -> None:
        queued = list(self._to_acknowledge)
        super().disconnected()
        self._to_acknowledge = queued


class KeepsOldDeliveries(MqttSubscriber):
    """Messages that were not handed on when a connection broke are handed on as the next one's."""

    def disconnected(self) -> None:
        queued: list[Delivery] = list(self._waiting)
        super().disconnected()
        self._waiting.extend(queued)


class CountsDuplicatesTwice(Ledger):
    """A ledger that does not close."""

    def batch_settled(self, messages: int, outcome: Any, seconds: float) -> None:
        super().batch_settled(messages, outcome, seconds)
        self._samples["duplicate"] += outcome.duplicate


class SpoolWithoutSync(WatchedSpool):
    """A spool that does not wait for the disk."""

    def append(self, messages: Sequence[Message]) -> Mark:
        self._disk.syncs = False
        try:
            return super().append(messages)
        finally:
            self._disk.syncs = True


class SpoolThatStandsStill(WatchedSpool):
    """What was read of a segment is never behind the mark that is released."""

    def read(self, messages: int, size: int) -> Piece:
        piece = super().read(messages, size)
        return piece if piece.mark.offset >= self._segments[0].end else replace(piece, mark=self._position)


class LeavesBehindWhatWasDecodedAhead(Intake):
    """The batch under way goes to the spool without the one that was decoded meanwhile; what comes later overtakes that."""

    def _under_way(self, batch: Batch) -> list[Batch]:
        return [batch]

    def spooled(self, mark: Mark, at: float) -> list[Action]:
        ahead, self._ahead = self._ahead, None
        actions = super().spooled(mark, at)
        self._ahead = ahead
        return actions


class DecodesAheadWhatComesAgain(Intake):
    """What comes again is decoded before it is known that it was stored."""

    def _look_ahead(self) -> None:
        messages = self._waiting._messages
        for place, (message, receipt) in enumerate(messages):
            messages[place] = (structs.replace(message, redelivered=False), receipt)
        super()._look_ahead()


class SpoolThatReleasesWhatIsRead(WatchedSpool):
    """What was read from the spool is taken for stored."""

    def read(self, messages: int, size: int) -> Piece:
        piece = super().read(messages, size)
        self.release(piece.mark)
        return piece


class SpoolThatDeletesWhenFull(WatchedSpool):
    """A spool that makes room by forgetting what is oldest."""

    def append(self, messages: Sequence[Message]) -> Mark:
        try:
            return super().append(messages)
        except Unavailable:
            if not self._segments:
                raise
            self.release(Mark(self._segments[0].number, self._segments[0].end))
            return super().append(messages)


class ForgetfulDecoders(Make):
    """What decoders remembered is not read back."""

    def states(self, saved: Mapping[tuple[str, str], Any]) -> Mapping[tuple[str, str], Any]:
        return {key: state for key, state in saved.items() if key[0].startswith("ingest/")}


def _with(**parts: type) -> Make:
    make = Make()
    for name, part in parts.items():
        setattr(make, name, part)
    return make


MUTANTS: Mapping[str, Make] = {
    **{
        one.__name__: _with(intake=one)
        for one in (
            AcknowledgesBeforeItStores,
            AcknowledgesBeforeItRecords,
            AcknowledgesInAnotherOrder,
            AcknowledgesBeforeItSpools,
            TakesNoAnswerForYes,
            NeverTriesAgain,
            DropsWhatTheStoreRefuses,
            HoldsWholeBatches,
            LetsGoOfWhatNobodySendsAgain,
            LetsGoOfQos0,
            StoresAroundTheSpool,
            NeverFollowsTheClockBack,
            SpoolsOnlyTheFirst,
            LeavesBehindWhatWasDecodedAhead,
            DecodesAheadWhatComesAgain,
        )
    },
    **{
        one.__name__: _with(first_receipts=one)
        for one in (ForgetsFirstReceipts, ForgetsFirstReceiptsOverARestart, RemembersOneBatch)
    },
    **{
        one.__name__: _with(subscriber=one)
        for one in (AcknowledgesWhateverConnection, KeepsOldAcknowledgements, KeepsOldDeliveries)
    },
    **{
        one.__name__: _with(spool=one)
        for one in (SpoolWithoutSync, SpoolThatStandsStill, SpoolThatReleasesWhatIsRead, SpoolThatDeletesWhenFull)
    },
    "CountsDuplicatesTwice": _with(ledger=CountsDuplicatesTwice),
    "ForgetfulDecoders": ForgetfulDecoders(),
}
