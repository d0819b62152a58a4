"""The spool on a disk that tears, flips bits, fills up, and processes that die."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from hearthwatch.errors import Unavailable
from hearthwatch.values import Message
from ingest import segments
from ingest.spool import DAMAGED, POSITION, Mark, Spool, SpoolBounds
from ingest.spools import folder_of, survey

START = datetime(2026, 5, 1, tzinfo=UTC)
BOUNDS = SpoolBounds(max_bytes=1 << 20, free_share=0.0, free_bytes=0)
ALL = 1 << 30
REPEATED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def message(number: int, size: int = 0) -> Message:
    return Message(
        f"t/{number}", str(number).encode() + b"." * size, START + timedelta(seconds=number), packet_id=number
    )


def batch(first: int, count: int = 3) -> list[Message]:
    return [message(number) for number in range(first, first + count)]


@contextmanager
def opened(folder: Path, bounds: SpoolBounds = BOUNDS, segment_bytes: int = 1 << 16) -> Iterator[Spool]:
    made = Spool(folder, bounds, segment_bytes=segment_bytes, room=lambda _folder: (ALL, ALL))
    try:
        yield made
    finally:
        made.close()


def emptied(spool: Spool, messages: int = 1) -> list[Message]:
    """All messages, taken out piece by piece."""
    found: list[Message] = []
    while spool.state.messages:
        piece = spool.read(messages, ALL)
        found += piece.messages
        spool.release(piece.mark)
    return found


def filled(folder: Path, batches: int = 5, count: int = 3) -> list[Path]:
    """A spool with some records in one segment, closed. Returns the segments."""
    with opened(folder) as spool:
        for number in range(batches):
            spool.append(batch(number * count, count))
    return sorted(folder.glob("*.segment"))


def until_full(spool: Spool, size: int) -> tuple[int, str]:
    """Messages of a size until no more is taken. Returns how many were, and what is said then."""
    for number in range(1000):
        try:
            spool.append([message(number, size)])
        except Unavailable as error:
            return number, str(error)
    raise AssertionError("there is no end to it")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that need not be waited for, in tests that make thousands of spools."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _file: None)


def damaged(folder: Path) -> list[Path]:
    return sorted((folder / DAMAGED).glob("*"))


# -- a disk that tears and flips


@pytest.mark.usefixtures("quick")
def test_torn_at_every_byte_the_whole_records_before_the_tear_are_read_and_new_ones_come_after_them(
    tmp_path: Path,
) -> None:
    (segment,) = filled(tmp_path / "whole", 3, 1)
    image = segment.read_bytes()
    ends = [segments.START]
    with segment.open("rb") as file:
        while (header := segments.header_at(file.fileno(), ends[-1])) is not None:
            ends.append(header.end)
    assert ends[-1] == len(image)
    for length in range(len(image)):
        folder = tmp_path / str(length)
        (folder / DAMAGED).mkdir(parents=True)
        (folder / segment.name).write_bytes(image[:length])
        whole = sum(end <= length for end in ends[1:])
        with opened(folder) as spool:
            left = [path.stat().st_size for path in folder.glob("*.segment")]
            assert left == ([ends[whole]] if whole else []), "the tear is cut off"
            spool.append([message(100)])
            numbers = [one.packet_id for one in emptied(spool)]
        assert numbers == [*range(whole), 100]
        assert not damaged(folder)


@pytest.mark.usefixtures("quick")
def test_whatever_bit_flips_no_message_is_changed_and_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    (segment,) = filled(tmp_path / "whole", 3, 1)
    image = segment.read_bytes()
    for bit in range(8 * len(image)):
        flipped = bytearray(image)
        flipped[bit // 8] ^= 1 << bit % 8
        folder = tmp_path / str(bit)
        (folder / DAMAGED).mkdir(parents=True)
        (folder / segment.name).write_bytes(flipped)
        with opened(folder) as spool:
            spool.append([message(100)])
            found = emptied(spool)
            state = spool.state
        originals = {one.packet_id: one for one in (*batch(0), message(100))}
        assert all(originals[one.packet_id] == one for one in found), bit
        numbers = [one.packet_id for one in found]
        assert numbers[-1] == 100, bit
        assert len(numbers) <= 3, bit
        (aside,) = damaged(folder)
        assert aside.read_bytes() == bytes(flipped)
        assert state.damaged_bytes == len(image)


def test_a_damaged_payload_costs_its_record_alone_and_a_damaged_header_all_behind_it(tmp_path: Path) -> None:
    (segment,) = filled(tmp_path / "s", 4)
    image = segment.read_bytes()
    with segment.open("rb") as file:
        first = segments.header_at(file.fileno(), segments.START)
    assert first is not None
    for place, expected in ((first.end - 1, [*range(3, 12)]), (first.end, [0, 1, 2])):
        flipped = bytearray(image)
        flipped[place] ^= 1
        segment.write_bytes(flipped)
        for old in damaged(tmp_path / "s"):
            old.unlink()
        (tmp_path / "s" / POSITION).unlink()
        with opened(tmp_path / "s") as spool:
            assert [one.packet_id for one in emptied(spool, 2)] == expected


def test_a_damaged_segment_does_not_keep_later_ones_from_being_read(tmp_path: Path) -> None:
    with opened(tmp_path, segment_bytes=200) as spool:
        for number in range(6):
            spool.append([message(number, 150)])
    paths = sorted(tmp_path.glob("*.segment"))
    assert len(paths) == 6
    paths[2].write_bytes(b"x" * 300)
    with opened(tmp_path) as spool:
        assert spool.state.messages == 5
        assert [one.packet_id for one in emptied(spool)] == [0, 1, 3, 4, 5]
    assert [path.name for path in damaged(tmp_path)] == [paths[2].name]


def test_what_is_damaged_while_the_spool_is_open_is_told_and_set_aside(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for number in range(3):
            spool.append(batch(3 * number))
        (segment,) = tmp_path.glob("*.segment")
        with segment.open("r+b") as file:
            header = segments.header_at(file.fileno(), segments.START)
            assert header is not None
            file.seek(header.end)
            file.write(b"\xff")
        piece = spool.read(100, ALL)
        assert ([one.packet_id for one in piece.messages], piece.unreadable) == ([0, 1, 2], 6)
        assert spool.release(piece.mark) == 0
        spool.append(batch(50))
        assert [one.packet_id for one in emptied(spool)] == [50, 51, 52]
    assert len(damaged(tmp_path)) == 1


def test_a_device_cannot_put_a_record_of_its_own_making_into_the_spool(tmp_path: Path) -> None:
    forged = segments.record_of([structs.replace(message(666), topic="hearthwatch/v1/other/telemetry")])
    with opened(tmp_path) as spool:
        spool.append([structs.replace(message(1), payload=forged)])
    (segment,) = tmp_path.glob("*.segment")
    image = bytearray(segment.read_bytes())
    image[segments.START] ^= 1  # the header before it
    segment.write_bytes(image)
    with opened(tmp_path) as spool:
        assert emptied(spool) == []


def test_a_position_that_is_damaged_means_that_everything_left_is_read_again(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(batch(0))
        spool.append(batch(3))
        spool.release(spool.read(3, ALL).mark)
    (tmp_path / POSITION).write_bytes(b"\x01" * 20)
    with opened(tmp_path) as spool:
        assert [one.packet_id for one in emptied(spool)] == [0, 1, 2, 3, 4, 5]


def test_a_segment_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (segment,) = filled(tmp_path)
    newer = segments.beginning(2) + segment.read_bytes()[segments.START :]
    segment.write_bytes(newer)
    for _ in range(2):  # the folder is let go of
        with pytest.raises(Unavailable, match="newer version"):
            Spool(tmp_path, BOUNDS)
    assert segment.read_bytes() == newer


# -- a disk that is full


def test_a_spool_that_is_full_says_so_keeps_everything_and_takes_more_when_there_is_room(tmp_path: Path) -> None:
    with opened(tmp_path, replace(BOUNDS, max_bytes=2000)) as spool:
        taken, why = until_full(spool, 300)
        assert "spool_max_bytes" in why
        assert taken >= 4
        assert "spool_max_bytes" in str(spool.state.full)
        assert spool.state.messages == taken
        piece = spool.read(2, ALL)
        spool.release(piece.mark)
        assert spool.state.full is None
        spool.append([message(taken, 300)])
        assert [one.packet_id for one in emptied(spool)] == list(range(2, taken + 1))


@pytest.mark.parametrize(
    ("bounds", "free"),
    [(replace(BOUNDS, free_share=0.1), 100_050), (replace(BOUNDS, free_bytes=500_000), 500_050)],
)
def test_a_disk_that_others_fill_is_not_filled_further(tmp_path: Path, bounds: SpoolBounds, free: int) -> None:
    left = [free]
    spool = Spool(tmp_path, bounds, room=lambda _folder: (1_000_000, left[0]))
    with pytest.raises(Unavailable, match="must stay so"):
        spool.append(batch(0))
    said = [spool.state.full]
    left[0] += 10_000
    spool.append(batch(0))
    said.append(spool.state.full)
    assert [bool(one) for one in said] == [True, False]
    spool.close()


def test_half_a_record_on_a_full_disk_is_taken_back(tmp_path: Path) -> None:
    script = f"""
import resource
from pathlib import Path
from hearthwatch.errors import Unavailable
from ingest.spool import Spool
from tests.unit.ingest.test_spool import BOUNDS, message
spool = Spool(Path({str(tmp_path)!r}), BOUNDS, segment_bytes=1 << 20)
spool.append([message(1, 1000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for number in (2, 3):
    try:
        spool.append([message(number, 5000)])
    except Unavailable as error:
        print(error)
spool.append([message(4, 1000)])
print(spool.state.messages)
"""
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=_ROOT)
    assert done.stdout.splitlines() == ["the spool cannot be written to: File too large"] * 2 + ["2"]
    with opened(tmp_path) as spool:
        assert [one.packet_id for one in emptied(spool)] == [1, 4]
    assert not damaged(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_real_disk_that_is_full_loses_nothing_and_is_used_again_when_there_is_room(small_disk: Path) -> None:
    other = small_disk / "other"
    other.write_bytes(b"x" * 100_000)
    with opened(small_disk / "s", segment_bytes=50_000) as spool:
        taken, why = until_full(spool, 3000)
        assert "No space left" in why
        with pytest.raises(Unavailable, match="No space left"):
            spool.append([message(taken, 3000)])
        other.unlink()
        spool.append([message(taken, 3000)])
        assert spool.state.full is None
    with opened(small_disk / "s") as spool:
        assert [one.packet_id for one in emptied(spool)] == list(range(taken + 1))
    assert taken > 20
    assert not damaged(small_disk / "s")


def test_a_record_counts_only_when_the_disk_has_it_and_the_name_of_a_new_segment_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, int]] = []

    def noted(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced.append((path.name, path.stat().st_size if path.is_file() else 0))

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noted)
    with opened(tmp_path / "data" / "s", segment_bytes=100) as spool:
        assert [name for name, _ in synced][:3] == [tmp_path.name, "data", "s"], (
            "the folders have to outlast a power cut"
        )
        for number in range(2):
            synced.clear()
            mark = spool.append([message(number, 100)])
            assert synced == [("s", 0), (f"{number + 1:010d}.segment", mark.offset)]
        synced.clear()
        spool.release(mark)
        assert synced == [(POSITION, 20)]


def test_after_a_sync_that_failed_the_segment_is_not_trusted_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with opened(tmp_path) as spool:
        spool.append(batch(0))
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", fails)
            with pytest.raises(Unavailable, match="Input/output"):
                spool.append(batch(3))
        assert [path.stat().st_size for path in tmp_path.glob("*.segment")] == [spool.state.bytes], "it is taken back"
        spool.append(batch(6))
        assert len(list(tmp_path.glob("*.segment"))) == 2
        assert [one.packet_id for one in emptied(spool)] == [0, 1, 2, 6, 7, 8]


# -- processes


def test_two_processes_never_have_one_spool(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(Unavailable, match="in use by another process"):
        Spool(tmp_path, BOUNDS)
    with opened(tmp_path):
        pass


def test_what_was_read_and_not_released_is_read_again_by_the_next_process(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as spool:
        assert len(spool.read(6, ALL).messages) == 6
    with opened(tmp_path) as spool:
        assert spool.state.messages == 15
        spool.release(spool.read(6, ALL).mark)
        assert spool.state.messages == 9
    with opened(tmp_path) as spool:
        assert [one.packet_id for one in emptied(spool)] == list(range(6, 15))
        assert not list(tmp_path.glob("*.segment"))


@pytest.mark.parametrize("flipped", [False, True])
def test_killed_before_a_segment_that_was_stored_could_be_removed_it_is_removed_at_the_next_start(
    tmp_path: Path, flipped: bool
) -> None:
    (segment,) = filled(tmp_path)
    image = bytearray(segment.read_bytes())
    with opened(tmp_path) as spool:
        emptied(spool, 100)
        spool.append(batch(50))
    image[-1] ^= flipped
    segment.write_bytes(image)
    with opened(tmp_path) as spool:
        assert not segment.exists()
        assert [path.name for path in damaged(tmp_path)] == ([segment.name] if flipped else [])
        assert [one.packet_id for one in emptied(spool)] == [50, 51, 52]


def test_a_process_killed_while_it_writes_leaves_whole_records_and_all_it_said_was_safe(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from ingest.spool import Spool
from tests.unit.ingest.test_spool import BOUNDS, message
spool = Spool(Path({str(tmp_path)!r}), BOUNDS, segment_bytes=20_000)
for number in range(10_000):
    spool.append([message(10 * number + part, 50) for part in range(10)])
    print(number, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 57:
            process.kill()
            break
    said = [int(line) for line in process.stdout.read().split("\n")[:-1] if line.isdigit()]
    process.wait()
    process.stdout.close()
    last = max([57, *said])
    with opened(tmp_path, replace(BOUNDS, max_bytes=ALL)) as spool:
        numbers = [one.packet_id for one in emptied(spool, 25)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) in {10 * (last + 1), 10 * (last + 2)}


# -- laws

_texts = st.text(max_size=20)  # with half surrogate pairs, which are no UTF-8
_messages = st.builds(
    Message,
    topic=st.one_of(_texts, st.just("\udcff/\ud800")),
    payload=st.binary(max_size=100),
    received_at=st.integers(0, 2**52).map(segments.instant),
    retain=st.booleans(),
    qos=st.integers(0, 2),
    user=st.none() | _texts,
    packet_id=st.integers(0, 65_535),
    redelivered=st.booleans(),
)


@pytest.mark.usefixtures("quick")
@REPEATED
@given(st.lists(st.lists(_messages, min_size=1, max_size=5), max_size=8), st.integers(1, 12), st.integers(60, 2000))
def test_what_goes_in_comes_out_in_order_whole_and_once(
    tmp_path_factory: pytest.TempPathFactory, batches: Sequence[list[Message]], piece: int, segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with opened(folder, segment_bytes=segment_bytes) as spool:
        for one in batches:
            spool.append(one)
        assert spool.state.records == len(batches)
        assert emptied(spool, piece) == [message for one in batches for message in one]
        assert not list(folder.glob("*.segment"))


@pytest.mark.usefixtures("quick")
@REPEATED
@given(st.lists(st.sampled_from(("append", "append", "take", "look", "restart")), max_size=60), st.integers(60, 2000))
def test_restarts_at_any_point_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[str], segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    expected: list[int] = []
    found: list[int] = []
    spool = Spool(folder, BOUNDS, segment_bytes=segment_bytes)
    for step in steps:
        if step == "append":
            new = batch(len(expected), 1 + len(expected) % 4)
            spool.append(new)
            expected += [one.packet_id for one in new]
        elif step == "restart":
            spool.close()
            spool = Spool(folder, BOUNDS, segment_bytes=segment_bytes)
        else:
            piece = spool.read(3, ALL)
            if step == "take":
                spool.release(piece.mark)
                found += [one.packet_id for one in piece.messages]
        state = spool.state
        assert state.messages == len(expected) - len(found)
        assert state.oldest_at == (message(len(found)).received_at if state.messages else None)
        assert sum(path.stat().st_size for path in folder.glob("*.segment")) == state.bytes
    found += [one.packet_id for one in emptied(spool)]
    spool.close()
    assert found == expected


def test_a_mark_that_is_released_twice_releases_nothing_more(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        mark = spool.append(batch(0))
        spool.append(batch(3))
        assert spool.release(mark) == 3
        assert spool.release(mark) == 3
        assert spool.release(Mark(0, 0)) == 3


# -- from outside


def test_a_survey_tells_of_every_session_without_opening_its_spool(tmp_path: Path) -> None:
    for name, count in (("ingest-0", 2), ("../strange", 1)):
        folder = folder_of(tmp_path, name)
        assert folder.parent == tmp_path / "spool"
        with opened(folder) as spool:
            for number in range(count):
                spool.append(batch(3 * number))
            piece = spool.read(3, ALL)
            if count == 2:
                spool.release(piece.mark)
            assert {one.messages for one in survey(tmp_path).values()} <= {0, 3}
            assert survey(tmp_path)[name] == spool.state
    assert {name: state.messages for name, state in survey(tmp_path).items()} == {"ingest-0": 3, "../strange": 3}
    assert survey(tmp_path / "nowhere") == {}


_ROOT = Path(__file__).parents[3]
