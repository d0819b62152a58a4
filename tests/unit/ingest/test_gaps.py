"""Messages that never came are counted by what devices number, however the others came."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthwatch.errors import Invalid
from hearthwatch.values import Message
from hearthwatch.wire.registry import Decoder, conventions
from ingest import gaps
from ingest.gaps import CountingDecoder, GapCounts, Gaps

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Session:
    """What one session heard."""

    def __init__(self, saved: Any = None, counts: GapCounts | None = None) -> None:
        self.counts = counts or GapCounts()
        self.gaps = Gaps(self.counts, saved)
        self.decoder = CountingDecoder(Decoder(conventions(("native", "tasmota"))), self.gaps)

    def hear(self, seq: int | None, *, device: str = "d", boot: str = "b1", **more: Any) -> None:
        sample = {"at": "2026-05-01T00:00:00Z", "m": {"x": 1}}
        self.say(device, "telemetry", {"boot": boot, "seq": seq, "samples": [sample], **more})

    def say(self, device: str, kind: str, payload: Any) -> None:
        given_ = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.decoder.decode(Message(f"hearthwatch/v1/{device}/{kind}", given_, NOW))

    @property
    def lost(self) -> int:
        return int(self.counts.told()["lost"])


@given(st.sets(st.integers(1, 58)), st.lists(st.integers(0, 59)), st.randoms(use_true_random=False))
def test_what_was_left_out_is_lost_whatever_else_comes_twice_or_out_of_order(
    lost: set[int], twice: list[int], chance: Any
) -> None:
    session = Session()
    came = [number for number in range(60) if number not in lost]
    late = came[1:-1]
    chance.shuffle(late)
    for number in [came[0], *late, came[-1], *(one for one in twice if one not in lost)]:
        session.hear(number)
    assert session.lost == len(lost)


def test_the_latest_gap_is_named() -> None:
    session = Session()
    for number in (0, 1, 7):
        session.hear(number, device="kitchen", boot="b9")
    told = session.counts.told()
    assert (told["gaps"], told["missing"], told["recovered"], told["lost"]) == (1, 5, 0, 5)
    last = told["last"]
    assert (last["device"], last["boot"], last["first"], last["last"]) == ("kitchen", "b9", 2, 6)


def test_events_and_telemetry_share_one_count_and_boots_do_not() -> None:
    session = Session()
    session.hear(4)
    session.say("d", "event", {"at": "2026-05-01T00:00:00Z", "boot": "b1", "seq": 5, "kind": "reboot"})
    session.hear(6)
    session.hear(0, boot="b2")
    session.hear(0, device="other")
    assert session.lost == 0


def test_samples_without_a_time_have_a_number_each() -> None:
    session = Session()
    session.hear(0, samples=[{"m": {"x": 1}}, {"m": {"x": 1}, "seq": 1}, {"m": {"x": 1}, "seq": 2}])
    session.hear(3)
    session.hear(5, samples=[{"m": {"x": 1}}])
    assert session.lost == 1


def test_a_message_that_cannot_be_taken_came_all_the_same() -> None:
    session = Session()
    session.hear(0)
    session.hear(1, samples=[{"at": "2026-05-01T00:00:00Z", "m": {"x": "warm"}}])
    with pytest.raises(Invalid):
        session.hear(2, samples="none")
    with pytest.raises(Invalid):
        session.hear(2, samples=[])
    session.hear(3)
    assert session.lost == 0
    with pytest.raises(Invalid):
        session.say("d", "telemetry", b"\xff not even JSON")  # its number cannot be known: it is missing
    session.hear(5)
    assert session.lost == 1


def test_devices_that_number_nothing_are_not_counted() -> None:
    session = Session()
    session.hear(None)
    session.hear(3, boot="")  # not a boot
    session.decoder.decode(Message("tele/plug/SENSOR", b'{"Time": "2026-05-01T00:00:00", "Uptime": "1T00:00:00"}', NOW))
    session.say("d", "presence", {"online": True, "boot": "b1"})
    assert session.counts.told()["gaps"] == 0
    assert session.gaps.saved() == {"boots": []}


def test_the_count_goes_on_where_it_ended_and_counts_what_was_lost_in_between() -> None:
    first = Session()
    for number in (0, 1, 4):
        first.hear(number)
    second = Session(saved=json.loads(json.dumps(first.gaps.saved())))
    second.hear(7)
    second.hear(2)
    told = second.counts.told()
    assert (told["missing"], told["recovered"]) == (2, 1)


def test_without_what_was_written_down_the_count_begins_anew() -> None:
    session = Session()
    session.hear(500)
    session.hear(501)
    assert session.lost == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "BOOTS", 10)
    session = Session()
    for number in range(1000):
        session.hear(0, device=f"d{number}")
    assert len(session.gaps.saved()["boots"]) == 10
    for number in range(0, 1000, 2):
        session.hear(number)
    (known,) = (one for one in session.gaps.saved()["boots"] if one[0] == "d")
    assert len(known[3]) == gaps.OPEN_GAPS
    assert session.lost == 499


def test_a_device_that_does_not_count_spoils_no_figure() -> None:
    session = Session()
    session.hear(0)
    session.hear(2**53)
    with pytest.raises(Invalid):
        session.hear(2**60)
    with pytest.raises(Invalid):
        session.hear(-7)
    assert session.counts.told()["missing"] == 0
