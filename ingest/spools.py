"""Where the spools of a machine are, and how they look from outside."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from ingest import segments
from ingest.durable_files import opened, translated
from ingest.spool import POSITION, SUFFIX, Mark, SpoolState, damaged_bytes, oldest, place_of


def folder_of(data_dir: Path, client_id: str) -> Path:
    """Where the spool of a session is, in the folder of the embedded stores."""
    name = quote(client_id, safe="")
    return data_dir / "spool" / (f"%2E{name[1:]}" if name.startswith(".") else name)


def sessions_with_a_spool(data_dir: Path) -> list[str]:
    """Sessions for which messages may wait on this machine: there are segments."""
    return sorted({unquote(path.parent.name) for path in (data_dir / "spool").glob(f"*/*{SUFFIX}")})


def survey(data_dir: Path) -> dict[str, SpoolState]:
    """The spools of a machine by session, as far as can be told without opening them: checksums of payloads are not looked at."""
    found = {}
    for folder in sorted(path for path in (data_dir / "spool").glob("*") if path.is_dir()):
        with translated(f"the spool {folder} cannot be read"):
            found[unquote(folder.name)] = _surveyed(folder)
    return found


def _surveyed(folder: Path) -> SpoolState:
    position = folder / POSITION
    place = (place_of(position.read_bytes()) if position.exists() else None) or Mark(0, 0)
    messages = records = size = 0
    first: datetime | None = None
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        start = place.offset if int(path.stem) == place.segment else segments.START
        try:
            with opened(path) as file:
                whole = os.fstat(file).st_size
                found = segments.scan(file, start, whole, thorough=False)
        except FileNotFoundError:  # the process that has it is done with it
            continue
        size += whole
        if int(path.stem) >= place.segment and found.records:
            records += found.records
            messages += found.messages
            first = first or oldest(path, start)
    return SpoolState(messages, records, size, first, damaged_bytes(folder))
