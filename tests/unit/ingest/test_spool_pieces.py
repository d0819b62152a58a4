"""A spool that is read piece by piece: each is released, and the next one follows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hearthwatch.values import Message
from ingest.spool import Spool, SpoolBounds

START = datetime(2026, 5, 1, tzinfo=UTC)
PLENTY = SpoolBounds(free_share=0.0, free_bytes=0)


def message(number: int) -> Message:
    return Message("t", str(number).encode(), START + timedelta(seconds=number), packet_id=number)


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_pieces_that_are_smaller_than_a_segment_follow_one_another_until_the_spool_is_empty(
    tmp_path: Path, at_once: int
) -> None:
    spool = Spool(tmp_path, PLENTY)
    for number in range(1, 8):
        spool.append([message(number)])
    read: list[int] = []
    left = 7
    while left:
        piece = spool.read(at_once, 10_000)
        read += [one.packet_id for one in piece.messages]
        left = spool.release(piece.mark)
        assert len(read) + left == 7
    assert read == [1, 2, 3, 4, 5, 6, 7]
    spool.close()
