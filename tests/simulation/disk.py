"""A disk under the real spool: syncs that fail, room that ends, and power cuts that tear what was not synced yet.

It stands where the spool's modules have the module ``os``; everything but what can fail goes to the real one, on a folder in memory.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from hearthwatch.errors import HearthwatchError
from hearthwatch.values import Message
from ingest.spool import Mark, Spool, SpoolBounds
from tests.simulation.faults import Faults
from tests.simulation.line import PacketId
from tests.simulation.stores import Trouble
from tests.simulation.timeline import Violation

MEMORY = Path("/dev/shm")


class Disk:
    """The folder of one spool. ``full_until``: until then other programs have filled the disk; ``syncs``: a mutant does without."""

    def __init__(self, trouble: Trouble, chance: random.Random, faults: Callable[[], Faults]) -> None:
        self._trouble = trouble
        self._chance = chance
        self._faults = faults
        self._unsynced: dict[int, list[tuple[int, int]]] = {}  # of open files: what was written, and how long
        self.folder = Path(tempfile.mkdtemp(prefix="spool-", dir=MEMORY if MEMORY.is_dir() else None))
        self.full_until = 0.0
        self.syncs = True

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def room(self, _folder: Path) -> tuple[int, int]:
        """Size and free bytes."""
        return 1_000_000, 0 if self._trouble.timeline.at < self.full_until else 1_000_000

    # -- what the spool calls

    def pwrite(self, file: int, data: Any, offset: int) -> int:
        """Some of it, or all; or the disk is full after some of it."""
        written = len(data)
        if self._chance.random() < self._faults().partial:
            written = self._chance.randint(1, written)
        done = os.pwrite(file, data[:written], offset)
        self._unsynced.setdefault(file, []).append((offset, done))
        self._trouble.kill(self._faults().killed_within, "while it writes to its spool")
        if self._chance.random() < self._faults().disk_error:
            raise OSError(errno.ENOSPC, "No space left on device")
        return done

    def fdatasync(self, file: int) -> None:
        """What was written is on the disk, or nobody knows."""
        if not self.syncs:
            return
        self._trouble.kill(self._faults().killed_before, "before a sync")
        if self._chance.random() < self._faults().disk_error:
            self._trouble.timeline.tell("disk", "a sync fails")
            raise OSError(errno.EIO, "Input/output error")
        self._unsynced.pop(file, None)
        self._trouble.kill(self._faults().killed_after, "after a sync")

    def close(self, file: int) -> None:
        """A file that was closed keeps what was written."""
        self._unsynced.pop(file, None)
        os.close(file)

    # -- how it ends

    def lose_power(self) -> None:
        """Of what was not synced the disk has any part, or zeros in its place. Called before the files are closed."""
        for file, written in self._unsynced.items():
            for offset, length in written:
                kept = self._chance.randint(0, length)
                self._trouble.timeline.tell("disk", f"has {kept} of {length} bytes at {offset} that were not synced")
                at_end = offset + length >= os.fstat(file).st_size
                if at_end and offset and self._chance.random() < 0.5:
                    os.ftruncate(file, offset + kept)
                else:
                    os.pwrite(file, b"\0" * (length - kept), offset + kept)
        self._unsynced.clear()

    def remove(self) -> None:
        """The run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


class WatchedSpool(Spool):
    """The real spool, which tells the laws what it promised to keep."""

    def __init__(self, disk: Disk, bounds: SpoolBounds, promised: Callable[[Sequence[Any]], None]) -> None:
        self._promised = promised
        self._disk = disk
        super().__init__(disk.folder, bounds, room=disk.room, segment_bytes=4096)

    def append(self, messages: Sequence[Message]) -> Mark:
        """As the real one."""
        ids = [message.packet_id for message in messages]
        plain = [structs.replace(message, packet_id=int(message.packet_id)) for message in messages]
        try:
            mark = super().append(plain)
        except HearthwatchError:
            raise
        except Exception as error:
            raise Violation(f"{type(error).__name__}: {error}") from error
        self._promised([packet_id.copy.sent for packet_id in ids if isinstance(packet_id, PacketId)])
        return mark
