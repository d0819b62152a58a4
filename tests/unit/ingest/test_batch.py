"""What becomes of messages, read by the real decoders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from hearthwatch.values import Event, Message, Presence, Reading
from hearthwatch.wire.registry import Decoder, conventions
from ingest.batch import Batch, BatchBuilder
from ingest.limits import Limits
from ingest.quarantine import OF_ANOTHER
from ingest.redelivery import FirstReceipts

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMES = frozenset({"temperature_c", "rssi_dbm"})


@pytest.fixture
def builder() -> BatchBuilder:
    return BatchBuilder(Decoder(conventions(("native", "tasmota", "shelly_gen1", "shelly_gen2"))), Limits())


def native(kind: str, given: Any, *, device: str = "d1", second: int = 0, **fields: Any) -> Message:
    payload = given if isinstance(given, bytes) else msgspec.json.encode(given)
    received_at = NOW + timedelta(seconds=second)
    return Message(f"hearthwatch/v1/{device}/{kind}", payload, received_at, **fields)


def sample(at: str = "2026-05-01T11:59:00Z", **metrics: object) -> dict[str, Any]:
    return {"samples": [{"at": at, "m": metrics or {"temperature_c": 20.5}}], "fw": "2.4.1", "boot": "b7"}


def build(builder: BatchBuilder, messages: Sequence[Message]) -> Batch:
    return builder.build([(message, None) for message in messages], 0.0, NOW, NAMES, lambda _message: None)


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-05-01T12:05:01Z", "the time lies in the future"),
        ("2027-05-01T12:00:00Z", "the time lies in the future"),
        ("2026-04-01T11:59:59Z", "the time lies before what is kept"),
        ("2025-05-01T12:00:00Z", "the time lies before what is kept"),
    ],
)
def test_a_time_that_cannot_be_is_held(builder: BatchBuilder, at: str, reason: str) -> None:
    batch = build(builder, [native("telemetry", sample(at))])
    assert batch.values == []
    assert reason in batch.held[0].reason
    assert (batch.held[0].device, batch.quarantined) == ("d1", 1)


@pytest.mark.parametrize("at", ["2026-05-01T12:05:00Z", "2026-04-01T12:00:00Z"])
def test_the_ends_of_the_window_are_inside_it(builder: BatchBuilder, at: str) -> None:
    assert len(build(builder, [native("telemetry", sample(at))]).values) == 1


def test_one_bad_sample_does_not_take_its_message_with_it(builder: BatchBuilder) -> None:
    given = sample()
    given["samples"] += [
        {"at": "2030-01-01T00:00:00Z", "m": {"rssi_dbm": -60}},
        {"at": "never", "m": {"rssi_dbm": -60}},
    ]
    batch = build(builder, [native("telemetry", given)])
    assert (len(batch.values), len(batch.held), batch.samples) == (1, 2, 3)


@pytest.mark.parametrize(
    "message",
    [
        native("telemetry", sample(), user="d2"),
        native("presence", {"online": True}, user="d2"),
        Message("shellies/d1/temperature", b"21.5", NOW, user="d2"),
    ],
)
def test_nobody_speaks_for_another_device(builder: BatchBuilder, message: Message) -> None:
    batch = build(builder, [message])
    assert batch.values == []
    assert batch.held[0].reason.startswith(OF_ANOTHER)


def test_a_device_speaks_for_itself(builder: BatchBuilder) -> None:
    assert len(build(builder, [native("telemetry", sample(), user="d1")]).values) == 1


def test_a_topic_nobody_knows_is_ignored_and_counted(builder: BatchBuilder) -> None:
    batch = build(builder, [Message("weather/berlin", b"{}", NOW)])
    assert (batch.ignored, batch.samples, batch.held) == (1, 1, [])


@pytest.mark.parametrize(
    "messages",
    [
        [
            native("presence", {"online": True, "boot": "b1"}),
            native("presence", {"online": True, "boot": "b1"}, retain=True),
        ],
        [Message("shellies/s1/online", b"true", NOW), Message("shellies/s1/online", b"true", NOW, retain=True)],
        [Message("tele/t1/LWT", b"Online", NOW), Message("tele/t1/LWT", b"Online", NOW, retain=True)],
    ],
    ids=["native", "shelly", "tasmota"],
)
def test_a_retained_presence_that_is_known_is_a_duplicate(builder: BatchBuilder, messages: list[Message]) -> None:
    batch = build(builder, messages)
    assert (len(batch.values), batch.duplicate, batch.ignored, batch.samples) == (1, 1, 0, 2)


def test_a_retained_presence_that_is_new_is_stored(builder: BatchBuilder) -> None:
    batch = build(
        builder,
        [
            native("presence", {"online": True, "boot": "b1"}),
            native("presence", {"online": False, "boot": "b1"}, retain=True),
        ],
    )
    assert [value.online for value in batch.values if isinstance(value, Presence)] == [True, False]


def test_a_claim_that_is_repeated_is_a_duplicate_but_still_applied(builder: BatchBuilder) -> None:
    claim = {"model": "lock-2", "fw": "2.4.1", "serial": "s", "parts": {"battery": "cr123"}}
    batch = build(builder, [native("identity", claim), native("identity", claim, retain=True, second=5)])
    assert (batch.identified, batch.duplicate, len(batch.identities), batch.samples) == (1, 1, 2, 2)
    batch = build(builder, [native("identity", {**claim, "fw": "2.5.0"}, retain=True)])
    assert (batch.identified, batch.duplicate) == (1, 0)


def test_an_answer_without_an_id_is_no_event_and_goes_to_its_command(builder: BatchBuilder) -> None:
    parts = [("STATUS", {"Status": {"Module": 1}}), ("STATUS11", {"StatusSTS": {}})]
    messages = [
        Message(f"stat/plug/{kind}", msgspec.json.encode(given), NOW + timedelta(seconds=second))
        for second, (kind, given) in enumerate(parts)
    ]
    batch = build(builder, messages)
    assert batch.values == []
    (heard,) = batch.replies
    assert (heard.reply.kind, heard.at) == ("diagnostics", messages[1].received_at)
    assert (batch.samples, batch.ignored) == (2, 2)


def test_a_shelly_that_comes_online_is_worth_asking_for_its_firmware_once(builder: BatchBuilder) -> None:
    plug = "shellyplus1pm-aabbccddeeff"
    messages = [Message(f"{plug}/online", word, NOW) for word in (b"true", b"false", b"true")]
    batch = build(builder, messages)
    assert [(wish.device, wish.kind) for wish in batch.wishes.values()] == [(plug, "device_info")]


def test_a_reply_is_kept_as_an_event(builder: BatchBuilder) -> None:
    batch = build(builder, [native("reply", {"id": "c1", "ok": False, "detail": {"why": "busy"}})])
    (event,) = batch.values
    assert isinstance(event, Event)
    assert (event.device, event.kind, event.code) == ("d1", "reply", "failed")
    assert event.detail == {"id": "c1", "detail": {"why": "busy"}}


def test_the_newest_word_of_a_device_is_what_is_written_down(builder: BatchBuilder) -> None:
    batch = build(
        builder,
        [
            native("telemetry", sample("2026-05-01T11:58:00Z")),
            native("telemetry", {**sample("2026-05-01T11:00:00Z"), "fw": "2.3.0", "boot": "b6"}),
            native("presence", {"online": True, "boot": "b7"}),
            native("telemetry", sample(), device="d2"),
        ],
    )
    seen = {(sighting.device, sighting.online is not None): sighting for sighting in batch.sightings}
    assert (seen["d1", False].firmware, seen["d1", False].boot) == ("2.4.1", "b7")
    assert seen["d1", False].at == NOW - timedelta(minutes=2)
    assert seen["d1", True].online is True
    assert seen["d1", True].convention == "native"
    assert ("d2", False) in seen


def test_what_was_written_down_a_moment_ago_is_not_written_again(builder: BatchBuilder) -> None:
    def seen(at: str, firmware: str = "2.4.1") -> list[str]:
        batch = build(builder, [native("telemetry", {**sample(at), "fw": firmware})])
        return [sighting.device for sighting in batch.sightings]

    assert seen("2026-05-01T11:00:00Z") == ["d1"]
    assert seen("2026-05-01T11:00:30Z") == []
    assert seen("2026-05-01T11:00:40Z", "2.5.0") == ["d1"]
    assert seen("2026-05-01T11:01:30Z", "2.5.0") == []
    assert seen("2026-05-01T11:01:40Z", "2.5.0") == ["d1"]


def test_a_value_without_a_time_is_remembered_under_its_packet_id(builder: BatchBuilder) -> None:
    first = native("presence", {"online": True}, packet_id=7)
    with_time = native("telemetry", sample(), packet_id=8)
    again = native("presence", {"online": True}, packet_id=7, redelivered=True, second=60)
    batch = build(builder, [first, with_time, again])
    assert [(packet_id, at) for (packet_id, _), at in batch.first_receipts.items()] == [(7, NOW)]
    assert [value.at for value in batch.values if isinstance(value, Presence)] == [NOW, NOW]


def test_unknown_metrics_are_named_with_who_brought_them(builder: BatchBuilder) -> None:
    batch = build(builder, [native("telemetry", sample(temperature_c=1, odd=2, odder=3))])
    assert batch.unknown == {"odd": "d1", "odder": "d1"}
    batch.drop_metrics(frozenset({"odd"}))
    (reading,) = batch.values
    assert isinstance(reading, Reading)
    assert set(reading.metrics) == {"temperature_c", "odder"}
    assert [(item.part.split()[-1], item.samples) for item in batch.held] == [("odd", 0)]


def test_a_sample_of_which_nothing_is_left_is_held_as_a_whole(builder: BatchBuilder) -> None:
    batch = build(builder, [native("telemetry", sample(odd=2, odder=3))])
    batch.drop_metrics(frozenset({"odd", "odder"}))
    assert batch.values == []
    assert (batch.quarantined, len(batch.held), batch.samples) == (1, 2, 1)


def test_an_announcement_that_comes_again_after_a_restart_is_no_update_back(builder: BatchBuilder) -> None:
    def announced(firmware: str, packet_id: int, *, redelivered: bool = False) -> Message:
        payload = msgspec.json.encode({"id": "s1", "fw_ver": firmware})
        received_at = NOW + timedelta(seconds=packet_id + 60 * redelivered)
        return Message("shellies/s1/announce", payload, received_at, packet_id=packet_id, redelivered=redelivered)

    receipts = FirstReceipts("me", 10)
    first = build(builder, [announced("1.0.0", 1), announced("1.1.0", 2)])
    receipts.remember(first.first_receipts)
    receipts.settled()
    again = [(announced("1.0.0", 1, redelivered=True), None), (announced("1.1.0", 2, redelivered=True), None)]
    second = builder.build(again, 0.0, NOW, NAMES, receipts.first_time, receipts.is_settled)
    assert [value.detail for value in first.values if isinstance(value, Event)] == [{"from": "1.0.0", "to": "1.1.0"}]
    assert (second.values, second.duplicate, second.samples) == ([], 2, 2)
