"""When a message that comes again came first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from hearthwatch.values import Message
from ingest.redelivery import CONVENTION, FirstReceipts, Key, key_of, new_session

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def message(packet_id: int = 1, payload: bytes = b"21", topic: str = "t") -> Message:
    return Message(topic, payload, NOW, packet_id=packet_id)


def again(first: Message) -> Message:
    return structs.replace(first, redelivered=True, received_at=NOW + timedelta(hours=1))


def receipts(*messages: Message) -> dict[Key, datetime]:
    return {key_of(one): one.received_at for one in messages}


def saved(*changes: Mapping[tuple[str, str], Mapping[str, Any] | None]) -> dict[str, Mapping[str, Any]]:
    """What is in the records after some changes."""
    states: dict[str, Mapping[str, Any]] = {}
    for change in changes:
        for (convention, partition), state in change.items():
            assert convention == CONVENTION
            if state is None:
                states.pop(partition, None)
            else:
                states[partition] = state
    return states


def test_what_was_never_received_has_no_first_time() -> None:
    first = FirstReceipts("me", 10)
    first.remember(receipts(message(1)))
    assert first.first_time(again(message(2))) is None
    assert first.first_time(again(message(1, payload=b"22"))) is None
    assert first.first_time(again(message(1, topic="u"))) is None


def test_a_message_that_comes_for_the_first_time_is_not_taken_for_an_old_one() -> None:
    first = FirstReceipts("me", 10)
    first.remember(receipts(message(1)))
    assert first.first_time(message(1)) is None


def test_a_message_that_comes_again_gets_its_first_time() -> None:
    first = FirstReceipts("me", 10)
    first.remember(receipts(message(1)))
    assert first.first_time(again(message(1))) == NOW


def test_a_restart_forgets_nothing() -> None:
    first = FirstReceipts("me", 10)
    states = saved(first.remember(receipts(message(1))), first.remember(receipts(message(2))))
    restarted = FirstReceipts("me", 10, states)
    assert restarted.first_time(again(message(1))) == restarted.first_time(again(message(2))) == NOW
    states.update(saved(restarted.remember(receipts(message(3)))))
    assert FirstReceipts("me", 10, states).first_time(again(message(3))) == NOW
    assert len(states) == 3


def test_ingestors_do_not_mix_their_packet_ids() -> None:
    states = saved(FirstReceipts("me", 10).remember(receipts(message(1))))
    assert FirstReceipts("another", 10, states).first_time(again(message(1))) is None


def test_the_oldest_are_forgotten_here_and_in_the_records() -> None:
    first = FirstReceipts("me", 4)
    states = saved(*(first.remember(receipts(message(2 * n), message(2 * n + 1))) for n in range(6)))
    assert first.first_time(again(message(7))) is None
    assert first.first_time(again(message(8))) == NOW
    assert len(states) == 2


def test_a_packet_id_that_is_used_anew_outlives_its_older_use() -> None:
    first = FirstReceipts("me", 2)
    later = structs.replace(message(1), received_at=NOW + timedelta(minutes=1))
    first.remember(receipts(message(1)))
    first.remember(receipts(later))
    first.remember(receipts(message(2)))  # the oldest generation goes
    assert first.first_time(again(message(1))) == later.received_at


def test_what_was_only_received_is_not_settled_whatever_was_before_it() -> None:
    first = FirstReceipts("me", 10)
    states = saved(first.remember(receipts(message(1))))
    assert not first.is_settled(again(message(1)))
    states.update(saved(first.settling()))
    first.settled()
    states.update(saved(first.remember(receipts(message(2)))))
    for one in (first, FirstReceipts("me", 10, states)):
        assert one.is_settled(again(message(1)))
        assert not one.is_settled(again(message(2)))
        assert not one.is_settled(again(message(3)))


def test_what_a_killed_process_left_open_is_not_settled_by_what_is_younger_until_it_was_decoded_again() -> None:
    states = saved(FirstReceipts("me", 10).remember(receipts(message(1))))
    next_life = FirstReceipts("me", 10, states)
    states.update(saved(next_life.remember(receipts(message(2))), next_life.settling()))
    next_life.settled()
    for one in (next_life, FirstReceipts("me", 10, states)):
        assert one.is_settled(again(message(2)))
        assert not one.is_settled(again(message(1)))
    states.update(saved(next_life.remember(receipts(message(1))), next_life.settling()))
    next_life.settled()
    assert next_life.is_settled(again(message(1)))
    assert FirstReceipts("me", 10, states).is_settled(again(message(1)))


def test_decoding_the_same_again_and_again_pushes_nothing_else_out() -> None:
    first = FirstReceipts("me", 4)
    states = saved(first.remember(receipts(message(1), message(2))))
    for _ in range(10):
        states.update(saved(first.remember(receipts(message(3)))))
    assert first.first_time(again(message(1))) == NOW
    assert FirstReceipts("me", 4, states).first_time(again(message(2))) == NOW


def test_the_spool_tells_a_settled_message_by_its_time() -> None:
    first = FirstReceipts("me", 10)
    first.remember(receipts(message(1)))
    first.settled()
    assert first.is_settled(message(1))
    assert not first.is_settled(structs.replace(message(1), received_at=NOW + timedelta(hours=1)))


def test_a_packet_id_of_a_session_that_is_forgotten_means_another_message() -> None:
    first = FirstReceipts("me", 10)
    states = saved(first.remember(receipts(message(1))))
    first.settled()
    of_the_spool = again(message(1))
    first.begin_session(NOW + timedelta(hours=2))
    alike = structs.replace(again(message(1)), received_at=NOW + timedelta(hours=3))
    states.update(saved(first.unsaved()))
    first.saved()
    assert first.unsaved() == {}
    for one in (first, FirstReceipts("me", 10, states)):
        assert one.first_time(alike) is None
        assert not one.is_settled(alike)
        assert one.first_time(of_the_spool) == NOW


def test_what_a_batch_knew_of_its_messages_is_known_until_the_batch_is_settled() -> None:
    first = FirstReceipts("me", 2)
    states = saved(first.remember(receipts(*(message(number) for number in range(1, 6)))))
    states.update(saved(first.settling()))
    first.settled()
    assert first.is_settled(again(message(5)))  # from the spool, in one batch with two others
    states.update(saved(first.remember(receipts(message(6), message(7)))))
    restarted = FirstReceipts("me", 2, states)  # killed before that batch was recorded: the spool brings it once more
    assert restarted.is_settled(again(message(5)))
    first.settled()
    states.update(saved(first.remember(receipts(message(8)))))
    assert first.first_time(again(message(5))) is None


def test_after_a_kill_before_the_new_session_was_heard_of_nothing_of_the_older_one_is_taken_for_its_messages() -> None:
    first = FirstReceipts("me", 10)
    states = saved(first.remember(receipts(message(1))))
    states.update(saved(new_session("me", NOW + timedelta(hours=2))))
    second = FirstReceipts("me", 10, states)
    alike = structs.replace(again(message(1)), received_at=NOW + timedelta(hours=3))
    assert second.first_time(alike) is None
    states.update(saved(second.unsaved()))  # before anything of the new session is remembered
    second.saved()
    states.update(saved(second.remember({key_of(alike): alike.received_at})))
    for one in (second, FirstReceipts("me", 10, states)):
        assert one.first_time(structs.replace(alike, received_at=NOW + timedelta(hours=4))) == alike.received_at
