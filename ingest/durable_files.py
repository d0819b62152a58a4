"""Files that have to survive a power cut: written as a whole, folders made known to the disk, one owner each."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hearthwatch.errors import Unavailable


def room(folder: Path) -> tuple[int, int]:
    """Size and free bytes of the disk that a folder is on."""
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that a power cut does not take them away."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def locked(path: Path) -> int:
    """A lock that ends with the process that has it. Raises `Unavailable` when another has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise Unavailable(f"{path.parent} is in use by another process") from error
    return file


def write_all(file: int, data: bytes, offset: int) -> None:
    """Write all of it, however often that takes."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    with opened(folder) as file:
        os.fsync(file)


@contextmanager
def opened(path: Path, how: int = os.O_RDONLY) -> Iterator[int]:
    """A file's or folder's descriptor, for the block."""
    file = os.open(path, how)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """What the operating system refuses is `Unavailable`, and says what could not be done."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{what}: {error.strerror or error}") from error
