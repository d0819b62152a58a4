"""``hearthwatch device qr``: codes to print on devices, as files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alerts.intake import codes
from hearthwatch.errors import Invalid
from hearthwatch.records.database import Database

SHEET = "labels.html"


def print_codes(
    database: Database, ids: Sequence[str], folder: Path, *, public_url: str, anew: bool, actor: str, now: datetime
) -> list[dict[str, Any]]:
    """Make a code for each device and write it as SVG and PNG, and all of them on a page to print.

    ``anew`` withdraws the codes they had. Raises `Missing` for a device that is not there, `Invalid` for a folder that can not be
    written: then nothing was made.
    """
    if not ids:
        raise Invalid("name at least one device", where="DEVICE")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with database.transaction() as connection:
            labels = codes.make(connection, ids, public_url, actor, now, anew=anew)
            for label in labels:
                (folder / f"{label.device_id}.svg").write_bytes(codes.svg(label))
                (folder / f"{label.device_id}.png").write_bytes(codes.png(label))
            (folder / SHEET).write_text(codes.sheet(labels), encoding="utf-8")
    except OSError as error:
        raise Invalid(f"can not be written: {error.strerror or error}", where=str(error.filename or folder)) from None
    return [{"device": one.device_id, "url": one.url, "svg": str(folder / f"{one.device_id}.svg")} for one in labels]
