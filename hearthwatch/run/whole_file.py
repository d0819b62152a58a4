"""Files that are there as a whole or not at all, also when the power fails; and the errors of files in our words."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hearthwatch.errors import Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """A file to write, readable by us alone. It takes its name when it is whole and on the disk, or nothing of it stays.

    Raises `Unavailable`, for instance when the disk is full.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with told_plainly(target.parent):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                mark_as_used(handle)
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def told_plainly(folder: Path) -> Iterator[None]:
    """Errors of files in our words. A full disk is `Unavailable`: make room and try again."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable("no space left to write", where=str(folder)) from error
        raise Unavailable(str(error.strerror or error), where=str(error.filename or folder)) from error


def sync_folder(folder: Path) -> None:
    """See that names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_as_used(handle: int) -> None:
    """Say, as long as this process lives and has it open, that a file or folder is not left behind. See `remove_left_behind`."""
    with suppress(OSError):  # a file system without locks: then nothing of it is ever removed
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_left_behind(folder: Path, name: re.Pattern[str]) -> None:
    """Remove files and folders with such names that a process left which was killed."""
    for path in folder.iterdir():
        if name.fullmatch(path.name) and not path.is_symlink() and not _is_used(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_used(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
