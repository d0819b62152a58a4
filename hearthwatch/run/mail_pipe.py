"""Reads a mail that is piped in, and no more of it than is taken."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from alerts.intake.mail.parsing import LARGEST
from hearthwatch.errors import Invalid


def bounded(source: str, standard: BinaryIO) -> bytes:
    """The bytes of a mail from a file, or from standard input for ``-``. Raises `Invalid` for one that is too large or can not be read."""
    try:
        if source == "-":
            raw = standard.read(LARGEST + 1)
        else:
            with Path(source).open("rb") as file:
                raw = file.read(LARGEST + 1)
    except OSError as error:
        raise Invalid(f"can not be read: {error.strerror or error}", where=source) from None
    if len(raw) > LARGEST:
        raise Invalid(f"a mail has at most {LARGEST:,} bytes", where=source)
    return raw
