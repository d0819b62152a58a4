"""The spool: a queue of messages on this machine's disk, for the time that a store is away.

What `Spool.append` returned from is on the disk: a power cut does not take it away. Nothing is ever deleted that was not stored: a
segment goes when all of it was, one that is damaged is set aside in ``damaged/``. A spool that is full takes nothing more, and says why.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hearthwatch.errors import HearthwatchError, Unavailable
from hearthwatch.values import Message
from ingest import durable_files, segments
from ingest.durable_files import locked, make_folder, opened, sync_folder, translated, write_all

LOG = logging.getLogger(__name__)

SEGMENT_BYTES = 64 << 20
SUFFIX, DAMAGED, POSITION, LOCK = ".segment", "damaged", "position", "lock"
_PLACE = struct.Struct("<QQI")  # segment, offset, CRC-32 of both
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class SpoolBounds:
    """When a spool is full, and from when on it is an alarm that it is not emptied. Options ``spool_*`` explain them."""

    max_bytes: int = 4 * _GIB
    max_age: timedelta = timedelta(days=7)
    free_share: float = 0.1
    free_bytes: int = _GIB


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place between two records."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some messages of the spool, oldest first, and the place after them. ``unreadable`` messages between them are damaged."""

    messages: Sequence[Message]
    mark: Mark
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How a spool is: what waits, its size on the disk, what was set aside, and why it takes nothing more (None: it does)."""

    messages: int = 0
    records: int = 0
    bytes: int = 0
    oldest_at: datetime | None = None
    damaged_bytes: int = 0
    full: str | None = None


@dataclass(slots=True)
class _Segment:
    """A segment with records from ``start`` to ``end`` that wait."""

    number: int
    path: Path
    start: int
    end: int
    records: int = 0
    messages: int = 0
    damaged: bool = False


class Spool:
    """A spool in a folder of its own. Belongs to one thread, but for `state`. ``room`` tells a disk's size and free bytes.

    Raises `Unavailable` when another process has the folder, or it cannot be read or written.
    """

    def __init__(
        self,
        folder: Path,
        bounds: SpoolBounds,
        *,
        room: Callable[[Path], tuple[int, int]] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._bounds = bounds
        self._room = room or durable_files.room
        self._segment_bytes = min(segment_bytes, max(1, bounds.max_bytes // 4))
        self._full: str | None = None
        self._file: int | None = None  # of the newest segment, while it is written to
        self._segments: deque[_Segment] = deque()
        with translated(f"the spool {folder} cannot be opened"):
            make_folder(folder / DAMAGED)
            self._lock = locked(folder / LOCK)
            try:
                self._position_file = os.open(folder / POSITION, os.O_RDWR | os.O_CREAT, 0o600)
                self._position = self._read_position()
                self._next = self._position.segment
                for path in sorted(folder.glob(f"*{SUFFIX}")):
                    self._take_up(path)
                self._next = max([self._next, *_numbers(folder), *_numbers(folder / DAMAGED)]) + 1
                sync_folder(folder)
            except BaseException:
                os.close(self._lock)
                raise
        self._state = self._made_state()

    @property
    def state(self) -> SpoolState:
        """How it is; may be asked from any thread."""
        return self._state

    @property
    def bounds(self) -> SpoolBounds:
        """Its bounds."""
        return self._bounds

    def append(self, messages: Sequence[Message]) -> Mark:
        """Add messages at the end. They are on the disk when this returns, as a whole; else it raises `Unavailable`: nothing is."""
        record = segments.record_of(messages)
        try:
            self._check_room(len(record))
            with translated("the spool cannot be written to"):
                mark = self._write(record, len(messages))
            self._full = None
            return mark
        except Unavailable as error:
            self._full = str(error)
            raise
        finally:
            self._state = self._made_state()

    def read(self, messages: int, size: int) -> Piece:
        """The oldest messages: records until there are so many messages, or so many bytes. They stay until they are released."""
        found: list[Message] = []
        mark, unreadable, left = self._position, 0, size
        with translated("the spool cannot be read"):
            for segment in list(self._segments):
                with opened(segment.path) as file:
                    offset = segment.start
                    while offset < segment.end:
                        header = segments.header_at(file, offset)
                        if header is None:
                            unreadable += self._cut(segment, file, offset)
                            break
                        if found and (len(found) + header.messages > messages or header.length > left):
                            return Piece(found, mark, unreadable)
                        decoded = self._decoded(segment, file, header)
                        found += decoded
                        unreadable += 0 if decoded else header.messages
                        left -= header.length
                        offset = header.end
                        mark = Mark(segment.number, offset)
                    mark = Mark(segment.number, offset)
        return Piece(found, mark, unreadable)

    def release(self, mark: Mark) -> int:
        """Everything up to a mark is stored elsewhere. Returns how many messages wait after it."""
        with translated("the spool's position cannot be written"):
            self._write_position(max(mark, self._position))
            while self._segments and self._is_behind(self._segments[0]):
                self._finish(self._segments.popleft())
            if self._segments and self._segments[0].number == self._position.segment:
                self._shorten(self._segments[0], self._position.offset)
        self._full = None
        self._state = self._made_state()
        return self._state.messages

    def close(self) -> None:
        """Let the folder go. May be called twice."""
        for file in (self._file, self._position_file, self._lock):
            if file is not None and file >= 0:
                os.close(file)
        self._file, self._position_file, self._lock = None, -1, -1

    # -- writing

    def _check_room(self, length: int) -> None:
        bounds = self._bounds
        used = sum(segment.end for segment in self._segments)
        if used + length > bounds.max_bytes:
            raise Unavailable(
                f"the spool is full: {used:,} bytes wait, at most {bounds.max_bytes:,} may (spool_max_bytes)",
                where="spool",
            )
        with translated("the spool's disk cannot be asked for its room"):
            size, free = self._room(self._folder)
        least = max(bounds.free_bytes, int(bounds.free_share * size))
        if free - length < least:
            raise Unavailable(
                f"the spool's disk is too full: {free:,} bytes are free, {least:,} must stay so"
                " (spool_free_share, spool_free_bytes)",
                where="spool",
            )

    def _write(self, record: bytes, messages: int) -> Mark:
        file, segment = self._writable(len(record))
        try:
            write_all(file, record, segment.end)
            os.fdatasync(file)
        except OSError:
            self._undo(file, segment)
            raise
        segment.end += len(record)
        segment.records += 1
        segment.messages += messages
        return Mark(segment.number, segment.end)

    def _writable(self, length: int) -> tuple[int, _Segment]:
        """The newest segment, or a new one where that is too large."""
        if self._file is not None:
            newest = self._segments[-1]
            if newest.records == 0 or newest.end + length <= self._segment_bytes:
                return self._file, newest
            os.close(self._file)
            self._file = None
        path = self._folder / f"{self._next:010d}{SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_all(file, segments.beginning(), 0)
            sync_folder(self._folder)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        segment = _Segment(self._next, path, segments.START, segments.START)
        self._next += 1
        self._file = file
        self._segments.append(segment)
        return file, segment

    def _undo(self, file: int, segment: _Segment) -> None:
        """Take half a record back. The segment is not written to again: after a failed sync nobody knows what of it is on the disk."""
        self._file = None
        try:
            os.ftruncate(file, segment.end)
        except OSError as error:
            LOG.warning("half a record stays at the end of %s: %s", segment.path, error)
        finally:
            os.close(file)
        if segment.records == 0 and segment.start == segments.START:
            self._segments.remove(segment)
            segment.path.unlink(missing_ok=True)

    # -- reading

    def _decoded(self, segment: _Segment, file: int, header: segments.Header) -> list[Message]:
        payload = segments.payload_of(file, header)
        messages = None if payload is None else segments.messages_of(payload)
        if messages is None:
            self._damage(segment, f"{header.messages} messages at byte {header.offset}")
        return messages or []

    def _cut(self, segment: _Segment, file: int, offset: int) -> int:
        """A header was damaged since the spool was opened: nothing after it can be read. Returns how many messages that are."""
        before = segments.scan(file, segment.start, offset, thorough=False)
        lost = segment.messages - before.messages
        segment.records, segment.messages, segment.end = before.records, before.messages, offset
        if segment is self._segments[-1] and self._file is not None:
            os.close(self._file)
            self._file = None
        self._damage(segment, f"everything from byte {offset} on, {lost} messages")
        return lost

    def _damage(self, segment: _Segment, what: str) -> None:
        segment.damaged = True
        LOG.error("%s is damaged: %s cannot be read; it will be set aside, not deleted", segment.path, what)

    def _is_behind(self, segment: _Segment) -> bool:
        end = Mark(segment.number, segment.end)
        return end <= self._position

    def _shorten(self, segment: _Segment, offset: int) -> None:
        with opened(segment.path) as file:
            passed = segments.scan(file, segment.start, offset, thorough=False)
        segment.records -= passed.records
        segment.messages -= passed.messages
        segment.start = offset

    def _finish(self, segment: _Segment) -> None:
        """All that can be read of a segment is stored."""
        if not self._segments and self._file is not None:
            os.close(self._file)
            self._file = None
        if segment.damaged:
            aside = self._folder / DAMAGED / segment.path.name
            segment.path.replace(aside)
            sync_folder(aside.parent)
            sync_folder(self._folder)
            LOG.error("what could not be read of the spool was set aside: %s", aside)
        else:
            segment.path.unlink(missing_ok=True)

    # -- opening

    def _take_up(self, path: Path) -> None:
        """See what is in a segment that an earlier process left."""
        if not path.stem.isdigit():
            return
        number = int(path.stem)
        place = self._position.offset if number == self._position.segment else segments.START
        with opened(path, os.O_RDWR) as file:
            size = os.fstat(file).st_size
            if not segments.is_segment(file):
                empty = size <= segments.START or segments.is_empty(file, 0, size)
                self._finish(_Segment(number, path, size, size, damaged=not empty))
                return
            start = min(max(place, segments.START), size)
            before = segments.scan(file, segments.START, start)
            after = segments.scan(file, start, size)
            if after.torn:
                LOG.warning("%s ends in %d bytes of a record that was never finished", path, size - after.end)
                os.ftruncate(file, after.end)
                os.fdatasync(file)
        segment = _Segment(number, path, start, after.end, after.records, after.messages)
        if before.damaged or after.damaged:
            self._damage(segment, f"{before.damaged + after.damaged} bytes")
        if number < self._position.segment or not after.records:
            self._finish(segment)
        else:
            self._segments.append(segment)

    def _read_position(self) -> Mark:
        raw = os.pread(self._position_file, _PLACE.size, 0)
        place = place_of(raw)
        if place is None and raw:
            LOG.warning("the position of the spool %s is damaged; what is left of it is stored again", self._folder)
        return place or Mark(0, 0)

    def _write_position(self, mark: Mark) -> None:
        fields = _PLACE.pack(mark.segment, mark.offset, 0)[:16]
        write_all(self._position_file, fields + zlib.crc32(fields).to_bytes(4, "little"), 0)
        os.fdatasync(self._position_file)
        self._position = mark

    def _made_state(self) -> SpoolState:
        return SpoolState(
            messages=sum(segment.messages for segment in self._segments),
            records=sum(segment.records for segment in self._segments),
            bytes=sum(segment.end for segment in self._segments),
            oldest_at=oldest(self._segments[0].path, self._segments[0].start) if self._segments else None,
            damaged_bytes=damaged_bytes(self._folder),
            full=self._full,
        )


def oldest(path: Path, offset: int) -> datetime | None:
    """When the first message of a record was received, where that can be told."""
    try:
        with opened(path) as file:
            header = segments.header_at(file, offset)
        return None if header is None else segments.instant(header.oldest_us)
    except (OSError, HearthwatchError):
        return None


def damaged_bytes(folder: Path) -> int:
    """What was set aside in a spool's folder."""
    try:
        return sum(path.stat().st_size for path in (folder / DAMAGED).glob("*"))
    except OSError:
        return 0


def _numbers(folder: Path) -> Iterator[int]:
    return (int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


def place_of(raw: bytes) -> Mark | None:
    """The position that a file of positions holds; None where it holds none."""
    if len(raw) < _PLACE.size:
        return None
    number, offset, checksum = _PLACE.unpack(raw[: _PLACE.size])
    return Mark(number, offset) if zlib.crc32(raw[: _PLACE.size - 4]) == checksum else None
