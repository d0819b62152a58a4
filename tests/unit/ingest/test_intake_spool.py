"""The intake and its spool, step by step; the laws under random faults are in test_intake_laws."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hearthwatch.errors import Unavailable
from hearthwatch.values import Message, WriteResult
from ingest.intake import Acknowledge, Action, Intake, Record, Release, Spool, Store, Unspool
from ingest.spool import Mark, Piece, SpoolState
from tests.unit.ingest.test_intake import LIMITS, Desk
from tests.unit.ingest.world import KNOWN, NumberDecoder

FIRST, SECOND = Mark(1, 100), Mark(1, 200)


class SpoolingDesk(Desk):
    """A desk with a spool in which ``spooled`` messages wait."""

    def __init__(self, spooled: int = 0) -> None:
        super().__init__()
        self.ledger.spool_opened("ingest", lambda: SpoolState(spooled))
        self.intake = Intake(NumberDecoder(), self.clock, LIMITS, self.ledger, names=KNOWN, spooled=spooled)

    def away(self, *, times: int, at: float) -> list[Action]:
        """The store is away again and again."""
        for _ in range(times):
            actions = self.intake.failed(Unavailable("away"), at)
        return actions

    def old(self, count: int, kind: str = "reading") -> list[Message]:
        """Messages as they come out of the spool."""
        return [self.message(kind)[0] for _ in range(count)]


@pytest.fixture
def desk() -> SpoolingDesk:
    return SpoolingDesk()


def spooled_batch(desk: SpoolingDesk) -> list[Action]:
    """A batch of two that the store did not take and the spool did. Returns what followed."""
    desk.batch("reading", "reading")
    (spool,) = desk.away(times=3, at=1.0)
    assert isinstance(spool, Spool)
    return desk.intake.spooled(FIRST, 1.0)


def test_without_a_spool_a_store_may_be_away_for_ever(desk: SpoolingDesk) -> None:
    plain = Desk()
    plain.batch("reading")
    for at in range(1, 100):
        assert plain.intake.failed(Unavailable("away"), float(at)) == []
        assert not any(isinstance(action, Spool) for action in plain.intake.tick(float(at) + 40))


def test_two_failures_are_no_reason_and_the_third_is(desk: SpoolingDesk) -> None:
    desk.batch("reading", "batch")
    assert desk.away(times=2, at=0.1) == []
    (spool,) = desk.away(times=1, at=0.2)
    assert isinstance(spool, Spool)
    assert [message.payload for message in spool.messages] == [b"1 reading", b"2 batch"]


def test_a_store_that_does_not_answer_for_five_seconds_is_away(desk: SpoolingDesk) -> None:
    desk.batch("reading")
    assert desk.intake.due() == 5.0
    assert desk.intake.tick(4.9) == []
    (spool,) = desk.intake.tick(5.0)
    assert isinstance(spool, Spool)


def test_what_is_in_the_spool_is_acknowledged_and_what_comes_later_goes_behind_it_without_asking_the_store(
    desk: SpoolingDesk,
) -> None:
    assert spooled_batch(desk) == [Acknowledge([("receipt", 1), ("receipt", 2)])]
    assert desk.intake.stuck
    desk.intake.received([desk.message(), desk.message("bug")], 1.0)
    (spool,) = desk.intake.tick(1.25)
    assert isinstance(spool, Spool)
    assert [message.payload for message in spool.messages] == [b"3 reading", b"4 bug"]
    assert desk.intake.spooled(SECOND, 1.3) == [Acknowledge([("receipt", 3), ("receipt", 4)])]
    assert desk.intake.safe
    assert not desk.intake.idle
    assert desk.ledger.snapshot()["spooled"] == 4


def test_the_batch_that_found_the_store_away_is_stored_first_and_not_decoded_again(desk: SpoolingDesk) -> None:
    spooled_batch(desk)
    (store,) = desk.intake.tick(40.0)
    assert isinstance(store, Store)
    actions = desk.answer(desk.intake.stored(WriteResult(2, 0), 40.0))
    assert actions == [Release(FIRST)]
    assert desk.intake.released(0, 40.0) == []
    assert desk.intake.idle
    counts = desk.ledger.snapshot()
    assert (counts["received"], counts["stored"], counts["spooled"]) == (2, 2, 0)


def test_a_late_answer_of_the_store_counts(desk: SpoolingDesk) -> None:
    desk.batch("reading")
    desk.intake.tick(5.0)
    assert desk.intake.spooled(FIRST, 5.0) == [Acknowledge([("receipt", 1)])]
    (record,) = desk.intake.stored(WriteResult(1, 0), 90.0)
    assert isinstance(record, Record)
    assert desk.intake.recorded(90.0) == [Release(FIRST)]


def test_what_was_left_in_the_spool_is_stored_before_anything_that_comes(desk: SpoolingDesk) -> None:
    desk = SpoolingDesk(spooled=5)
    assert desk.intake.due() == float("-inf")
    (unspool,) = desk.intake.tick(0.0)
    assert isinstance(unspool, Unspool)
    desk.intake.received([desk.message()], 0.0)
    (spool,) = desk.intake.flush(0.1)
    assert isinstance(spool, Spool)


def test_between_two_batches_of_the_spool_what_came_is_put_behind_it(desk: SpoolingDesk) -> None:
    desk = SpoolingDesk(spooled=4)
    desk.intake.tick(0.0)
    (store,) = desk.intake.unspooled(Piece(desk.old(2), FIRST), 0.0)
    desk.intake.received([desk.message()], 0.0)
    actions = desk.answer(desk.answer([store]))
    assert actions == [Release(FIRST)]
    (spool,) = desk.intake.released(2, 1.0)
    assert isinstance(spool, Spool), "it was due"
    assert desk.intake.spooled(SECOND, 1.0) == [Acknowledge([("receipt", 3)])]
    (unspool,) = desk.intake.tick(1.0)
    assert isinstance(unspool, Unspool)


def test_a_full_spool_acknowledges_nothing_and_is_tried_again(desk: SpoolingDesk) -> None:
    desk.batch("reading")
    desk.away(times=3, at=1.0)
    assert desk.intake.not_spooled(Unavailable("full"), 1.0) == []
    assert desk.intake.spool_full
    assert not desk.intake.safe
    assert any(isinstance(action, Spool) for action in desk.intake.tick(1.5))
    assert desk.intake.spooled(FIRST, 1.5) == [Acknowledge([("receipt", 1)])]
    assert not desk.intake.spool_full


def test_a_store_that_is_back_before_the_spool_has_room_needs_no_spool(desk: SpoolingDesk) -> None:
    desk.batch("reading")
    desk.away(times=3, at=1.0)
    desk.intake.not_spooled(Unavailable("full"), 1.0)
    assert desk.answer(desk.intake.stored(WriteResult(1, 0), 1.2)) == [Acknowledge([("receipt", 1)])]
    assert desk.intake.idle
    assert not desk.intake.spool_full
    (store,) = desk.batch("reading")
    assert isinstance(store, Store)


def test_with_a_spool_that_is_broken_and_empty_messages_are_stored_as_if_there_were_none(desk: SpoolingDesk) -> None:
    spooled_batch(desk)
    desk.intake.received([desk.message()], 1.0)
    (spool,) = desk.intake.tick(1.3)
    assert isinstance(spool, Spool)
    desk.intake.not_spooled(Unavailable("broken"), 1.3)
    desk.intake.stored(WriteResult(2, 0), 1.4)
    assert desk.intake.recorded(1.4) == [Release(FIRST)]
    (store,) = desk.intake.released(0, 1.4)
    assert isinstance(store, Store)
    assert desk.answer(desk.answer([store])) == [Acknowledge([("receipt", 3)])]


def test_times_are_judged_by_the_hour_of_receipt_however_long_a_message_waited(desk: SpoolingDesk) -> None:
    desk = SpoolingDesk(spooled=2)
    waited = [*desk.old(1, "reading"), *desk.old(1, "future")]
    desk.clock.advance(timedelta(days=500))
    desk.intake.tick(0.0)
    (store,) = desk.intake.unspooled(Piece(waited, FIRST), 0.0)
    assert isinstance(store, Store)
    assert len(store.values) == 1, "what was good then is good, and what was impossible then is held"
    (record,) = desk.answer([store])
    assert isinstance(record, Record)
    assert [item.payload for item in record.held] == [b"2 future"]


def test_messages_that_are_damaged_in_the_spool_are_counted_as_held(desk: SpoolingDesk) -> None:
    desk = SpoolingDesk(spooled=3)
    desk.intake.tick(0.0)
    assert desk.intake.unspooled(Piece([], FIRST, unreadable=3), 0.0) == [Release(FIRST)]
    desk.intake.released(0, 0.0)
    counts = desk.ledger.snapshot()
    assert (counts["received"], counts["quarantined"], counts["spooled"], counts["in_flight"]) == (3, 3, 0, 0)


def test_what_an_earlier_process_spooled_is_no_message_of_this_one(desk: SpoolingDesk) -> None:
    desk = SpoolingDesk(spooled=2)
    desk.intake.tick(0.0)
    desk.answer_all(desk.intake.unspooled(Piece(desk.old(2), FIRST), 0.0))
    assert desk.intake.handled == 0
    desk.intake.released(0, 0.0)
    desk.answer_all(desk.batch("reading"))
    assert desk.intake.handled == 1
