"""The intake step by step; the laws under random faults are in test_intake_laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, Invalid, Unavailable
from hearthwatch.ports import Receipt
from hearthwatch.values import Message, Reading, WriteResult
from ingest.intake import Acknowledge, Action, Intake, Prepare, Record, Report, Store
from ingest.ledger import Ledger
from ingest.limits import Limits
from tests.unit.ingest.world import KNOWN, START, NumberDecoder

LIMITS = Limits(batch_messages=100, batch_bytes=10_000, batch_seconds=0.25, receive_maximum=200, metric_budget=4)


class Desk:
    """An intake whose actions a test answers one by one."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = SteppedClock(START + timedelta(days=1))
        self.ledger = Ledger()
        self.intake = Intake(NumberDecoder(), self.clock, limits, self.ledger, names=KNOWN)
        self.count = 0

    def message(self, kind: str = "reading", *, number: int | None = None) -> tuple[Message, Receipt]:
        self.count += 1
        payload = f"{number or self.count} {kind}".encode()
        return Message("t", payload, self.clock.now(), packet_id=self.count), ("receipt", self.count)

    def batch(self, *kinds: str) -> list[Action]:
        """Messages come and are stored at once."""
        arrived = [self.message(kind) for kind in kinds]
        assert self.intake.received(arrived, 0.0) == []
        return self.intake.flush(0.0)

    def answer(self, actions: Sequence[Action]) -> list[Action]:
        """Say to the only action that it was done, with everything new."""
        (action,) = actions
        match action:
            case Prepare():
                return self.intake.prepared(set(action.names), 1.0)
            case Store():
                return self.intake.stored(WriteResult(len(action.values), 0), 1.0)
            case Record():
                return self.intake.recorded(1.0)
        raise AssertionError(action)

    def answer_all(self, actions: list[Action]) -> list[Action]:
        """Say yes until nothing is asked any more."""
        while any(isinstance(action, Prepare | Store | Record) for action in actions):
            actions = self.answer(actions)
        return actions


@pytest.fixture
def desk() -> Desk:
    return Desk()


# -- a store is away


def test_while_the_store_is_away_the_batch_stays_and_nothing_is_acknowledged(desk: Desk) -> None:
    asked = desk.batch("reading")
    assert desk.intake.failed(Unavailable("away"), 10.0) == []
    assert desk.intake.stuck
    assert desk.intake.tick(10.4) == []
    assert desk.intake.tick(10.5) == asked


def test_each_failure_waits_longer_up_to_half_a_minute(desk: Desk) -> None:
    desk.batch("reading")
    at, pauses = 0.0, []
    for _ in range(9):
        desk.intake.failed(Unavailable("away"), at)
        due = desk.intake.due()
        assert due is not None
        pauses.append(due - at)
        at = due
        desk.intake.tick(at)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_store_that_says_when_to_come_again_is_believed(desk: Desk) -> None:
    desk.batch("reading")
    desk.intake.failed(Unavailable("busy", retry_after=3.0), 1.0)
    assert desk.intake.due() == 4.0


def test_after_a_success_the_next_failure_begins_with_a_short_pause(desk: Desk) -> None:
    asked = desk.batch("reading")
    for _ in range(5):
        desk.intake.failed(Unavailable("away"), 0.0)
    asked = desk.answer(asked)
    desk.intake.failed(Unavailable("away"), 5.0)
    assert desk.intake.due() == 5.5


def test_an_error_nobody_foresaw_is_tried_again_like_an_absence(desk: Desk) -> None:
    asked = desk.batch("reading")
    assert desk.intake.failed(RuntimeError("a bug"), 0.0) == []
    assert desk.intake.tick(0.5) == asked


def test_messages_that_come_meanwhile_wait_their_turn(desk: Desk) -> None:
    asked = desk.batch("reading")
    desk.intake.failed(Unavailable("away"), 0.0)
    assert desk.intake.received([desk.message() for _ in range(150)], 0.1) == []
    assert desk.intake.waiting == 150
    asked = desk.answer(desk.answer(desk.intake.flush(0.2)))
    assert asked[0] == Acknowledge([("receipt", 1)])
    assert isinstance(asked[1], Store)
    assert len(asked[1].values) == 100


# -- what can never be stored


def test_one_bad_value_does_not_take_its_batch_with_it(desk: Desk) -> None:
    actions = desk.batch(*["reading"] * 5, "poison", *["reading"] * 4)
    stored: list[Reading] = []
    while isinstance(actions[0], Store):
        values = actions[0].values
        if any(value.stream == "bad" for value in values):
            actions = desk.intake.failed(Invalid("too odd"), 0.0)
        else:
            stored += [value for value in values if isinstance(value, Reading)]
            actions = desk.answer(actions)
    assert [value.seq for value in stored] == list(range(1, 11))
    (record,) = actions
    assert isinstance(record, Record)
    (item,) = record.held
    assert (item.payload, item.samples) == (b"6 poison", 1)
    assert "too odd" in item.reason
    desk.answer_all(actions)
    counts = desk.ledger.snapshot()
    assert (counts["received"], counts["stored"], counts["quarantined"], counts["in_flight"]) == (11, 10, 1, 0)


def test_a_record_that_cannot_be_written_is_left_out_alone_and_reported(desk: Desk) -> None:
    actions = desk.answer(desk.batch("reading", "claim", "claim", "x"))
    done: list[Record] = []
    reports: list[str] = []
    while any(isinstance(action, Record | Report) for action in actions):
        reports += [action.text for action in actions if isinstance(action, Report)]
        asked = [action for action in actions if isinstance(action, Record)]
        if not asked:
            break
        if any(claim.serial == "3" for claim in asked[0].identities):
            actions = desk.intake.failed(Conflict("not this one"), 0.0)
        else:
            done += asked
            actions = desk.intake.recorded(0.0)
    assert isinstance(actions[-1], Acknowledge)
    assert len(reports) == 1
    assert "not this one" in reports[0]
    assert [claim.serial for record in done for claim in record.identities] == ["2"]
    assert [item.payload for record in done for item in record.held] == [b"4 x"]
    assert [sighting.device for record in done for sighting in record.sightings] == ["d1"]


@pytest.mark.parametrize("kind", ["x", "bug", "future"])
def test_what_cannot_be_read_is_held_with_its_reason_and_acknowledged(desk: Desk, kind: str) -> None:
    actions = desk.batch(kind)
    (record,) = actions
    assert isinstance(record, Record)
    (item,) = record.held
    assert (item.topic, item.payload, item.source) == ("t", f"1 {kind}".encode(), "mqtt")
    assert item.reason
    assert desk.answer_all(actions) == [Acknowledge([("receipt", 1)])]


def test_a_message_that_is_too_large_is_not_read_and_only_its_beginning_is_kept() -> None:
    desk = Desk(replace(LIMITS, max_payload_bytes=70_000, batch_bytes=1_000_000))
    message, receipt = desk.message()
    large = structs.replace(message, payload=message.payload + b" " * 70_000)
    assert desk.intake.received([(large, receipt)], 0.0) == []
    (record,) = desk.intake.flush(0.0)
    assert isinstance(record, Record)
    assert len(record.held[0].payload) == 65_536
    assert "at most 70000" in record.held[0].reason


def test_new_metric_names_are_asked_for_and_those_beyond_the_budget_are_held(desk: Desk) -> None:
    (asked,) = desk.batch("novel", "novel", "reading")
    assert isinstance(asked, Prepare)
    assert asked.names == {"new1": "d1", "new2": "d2"}
    (store,) = desk.intake.prepared({"new1"}, 0.0)
    assert isinstance(store, Store)
    assert [dict(value.metrics) for value in store.values if isinstance(value, Reading)] == [
        {"value": 1.0, "new1": 2.0},
        {"value": 1.0},
        {"value": 3.0},
    ]
    (record,) = desk.answer([store])
    assert isinstance(record, Record)
    assert [(item.part.split()[-1], item.samples) for item in record.held] == [("new2", 0)]


def test_an_exhausted_budget_costs_no_question(desk: Desk) -> None:
    for _ in range(3):
        desk.answer_all(desk.batch("novel"))
    (store,) = desk.batch("novel")
    assert isinstance(store, Store)


# -- when a batch begins


def test_a_lone_message_waits_until_it_is_old_enough(desk: Desk) -> None:
    assert desk.intake.received([desk.message()], 7.0) == []
    assert desk.intake.due() == 7.25
    assert desk.intake.tick(7.24) == []
    assert isinstance(desk.intake.tick(7.25)[0], Store)


def test_enough_messages_make_a_batch_at_once(desk: Desk) -> None:
    assert desk.intake.received([desk.message() for _ in range(99)], 0.0) == []
    (store,) = desk.intake.received([desk.message()], 0.0)
    assert isinstance(store, Store)
    assert len(store.values) == 100


def test_enough_bytes_make_a_batch_at_once() -> None:
    desk = Desk(replace(LIMITS, batch_bytes=1024))
    message, receipt = desk.message()
    padded = structs.replace(message, payload=message.payload + b" " * 2000)
    assert desk.intake.received([(padded, receipt)], 0.0) != []


def test_a_window_three_quarters_full_makes_a_batch_at_once() -> None:
    desk = Desk(replace(LIMITS, receive_maximum=40))
    assert desk.intake.received([desk.message() for _ in range(29)], 0.0) == []
    assert desk.intake.received([desk.message()], 0.0) != []


def test_a_stream_that_stops_at_once_is_taken_for_a_broker_that_waits(desk: Desk) -> None:
    assert desk.intake.received([desk.message() for _ in range(10)], 0.0) == []
    assert desk.intake.received([desk.message() for _ in range(10)], 0.002) == []
    assert desk.intake.due() == pytest.approx(0.007)
    assert desk.intake.tick(0.006) == []
    assert isinstance(desk.intake.tick(0.0075)[0], Store)


def test_what_waits_longest_is_stored_first_and_acknowledged_in_the_order_it_came(desk: Desk) -> None:
    actions = desk.intake.received([desk.message() for _ in range(120)], 0.0)
    acknowledged: list[Receipt] = []
    while actions:
        acknowledged += [one for action in actions if isinstance(action, Acknowledge) for one in action.receipts]
        asked = [action for action in actions if not isinstance(action, Acknowledge)]
        actions = desk.answer(asked) if asked else desk.intake.flush(1.0)
    assert acknowledged == [("receipt", number) for number in range(1, 121)]
    assert desk.intake.idle
    assert desk.intake.handled == 120


# -- the connection


def test_with_the_session_what_is_undecoded_is_let_go_because_it_comes_again(desk: Desk) -> None:
    desk.intake.received([desk.message(), desk.message()], 0.0)
    desk.intake.disconnected(0.1)
    again = desk.message(number=1)
    desk.intake.received([again], 0.2)
    desk.intake.connected(True, 0.2)
    assert desk.intake.waiting == 1
    assert desk.ledger.messages() == {"received": 3, "acknowledged": 0, "returned": 2}


def test_without_the_session_it_is_kept_also_when_a_later_one_is_kept_by_the_broker(desk: Desk) -> None:
    desk.intake.received([desk.message(), desk.message()], 0.0)
    desk.intake.disconnected(0.1)
    desk.intake.connected(False, 0.2)
    desk.intake.received([desk.message()], 0.2)
    desk.intake.disconnected(0.2)
    desk.intake.connected(True, 0.2)
    assert desk.intake.waiting == 2
    desk.intake.connected(True, 0.2)
    assert desk.intake.waiting == 2


def test_what_nobody_sends_again_is_kept(desk: Desk) -> None:
    message, receipt = desk.message()
    desk.intake.received([(structs.replace(message, qos=0, packet_id=0), receipt), desk.message()], 0.0)
    desk.intake.disconnected(0.1)
    desk.intake.connected(True, 0.2)
    assert desk.intake.waiting == 1


def test_a_batch_under_way_is_finished_after_the_connection_broke(desk: Desk) -> None:
    asked = desk.batch("reading")
    desk.intake.disconnected(0.1)
    desk.intake.connected(True, 0.2)
    assert isinstance(desk.answer_all(asked)[0], Acknowledge)


def test_no_two_messages_have_the_same_time(desk: Desk) -> None:
    (asked,) = desk.batch("timeless", "timeless", "timeless")
    assert isinstance(asked, Prepare)
    (store,) = desk.answer([asked])
    assert isinstance(store, Store)
    assert len({value.at for value in store.values}) == 3


def test_after_this_machines_clock_was_set_right_what_comes_has_the_right_time(desk: Desk) -> None:
    ahead, receipt = desk.message("timeless")
    ahead = structs.replace(ahead, received_at=ahead.received_at + timedelta(hours=1))
    (asked,) = [*desk.intake.received([(ahead, receipt), desk.message("timeless")], 0.0), *desk.intake.flush(0.0)]
    (record,) = desk.answer(desk.answer([asked]))
    assert isinstance(record, Record)
    assert [item.payload for item in record.held] == [b"1 timeless"]


def test_a_message_of_a_new_session_is_not_taken_for_one_of_the_old_that_looks_the_same(desk: Desk) -> None:
    old, receipt = desk.message("timeless")
    desk.intake.received([(old, receipt)], 0.0)
    desk.answer_all(desk.intake.flush(0.0))
    desk.clock.advance(timedelta(minutes=1))
    desk.intake.disconnected(60.0)
    desk.intake.connected(False, 60.0)
    new = structs.replace(old, redelivered=True, received_at=desk.clock.now())  # its first delivery did not reach us
    desk.intake.received([(new, receipt)], 60.0)
    desk.answer_all(desk.intake.flush(60.0))
    counts = desk.ledger.snapshot()
    assert (counts["stored"], counts["duplicate"]) == (2, 0)


def test_an_answer_to_nothing_is_a_bug(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.intake.recorded(0.0)
