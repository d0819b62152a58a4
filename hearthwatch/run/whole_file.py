"""Files that are there as a whole or not at all, also when the power fails; and the errors of files in our words."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
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
