"""The folder below which histories lie that may be backtested from the pages: what is named stays inside it.

Each history has a folder of its own there, with its files and its mapping. Symbolic links are not followed, wherever they lead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.history.files import SUFFIXES

MAPPING_SUFFIX = ".toml"
PART = ".part"
MOST_LISTED = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A history's folder: its name below the shelf, the mapping files in it, how many data files and bytes."""

    folder: str
    mappings: tuple[str, ...]
    files: int
    bytes: int


def folder_below(shelf: Path, name: str) -> Path:
    """The folder of a history. Raises `Invalid` for a name that could lead out of the shelf or holds links, `Missing` without one."""
    parts = name.split("/")
    if not all(_NAME.fullmatch(part) for part in parts):
        raise Invalid(
            f"not a folder below history_dir: {name!r:.120}; names are letters, digits, ., _ and -", where="folder"
        )
    found = shelf.joinpath(*parts)
    for above in (*(shelf.joinpath(*parts[:depth]) for depth in range(1, len(parts))), found):
        if above.is_symlink():
            raise Invalid(f"{above.relative_to(shelf)} is a symbolic link; they are not followed", where="folder")
    if not found.is_dir():
        raise Missing(f"there is no folder {name!r:.120} below {shelf}", where="folder")
    for path in _below(found):
        if path.is_symlink():
            raise Invalid(f"{path.relative_to(shelf)} is a symbolic link; they are not followed", where="folder")
    return found


def mapping_below(folder: Path, name: str | None) -> Path:
    """The mapping file in a history's folder; without a name the only one. Raises `Invalid` or `Missing`."""
    if name is None:
        found = sorted(path.name for path in folder.glob(f"*{MAPPING_SUFFIX}"))
        if len(found) != 1:
            told = (
                f"{len(found)} mapping files ({', '.join(found[:8])}): say which"
                if found
                else "no mapping file (.toml)"
            )
            raise Invalid(f"the folder has {told}", where="mapping")
        name = found[0]
    if not _NAME.fullmatch(name) or not name.endswith(MAPPING_SUFFIX):
        raise Invalid(f"not the name of a mapping file (.toml) in the folder: {name!r:.120}", where="mapping")
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise Missing(f"there is no mapping file {name!r} in the folder", where="mapping")
    return path


def list_shelf(shelf: Path) -> list[Shelved]:
    """The folders that hold a history or a mapping, by name; none where there is no shelf yet."""
    found = []
    if not shelf.is_dir():
        return []
    for folder in sorted(path for path in shelf.iterdir() if path.is_dir() and not path.is_symlink())[:MOST_LISTED]:
        if not _NAME.fullmatch(folder.name):
            continue
        paths = [path for path in _below(folder) if not path.is_symlink() and path.is_file()]
        data = [path for path in paths if path.name.lower().endswith(SUFFIXES)]
        mappings = sorted(path.name for path in paths if path.parent == folder and path.name.endswith(MAPPING_SUFFIX))
        found.append(Shelved(folder.name, tuple(mappings), len(data), sum(path.stat().st_size for path in data)))
    return found


def shelve(shelf: Path, folder: str, name: str, data: bytes, *, offset: int, last: bool, most: int) -> int:
    """Put a piece of a file on the shelf; with the ``last`` one it is there, in the place of an older one. Returns its bytes so far.

    Raises `Invalid` for a name that is none or where the shelf would hold more than ``most`` bytes, `Conflict` where the piece does not
    go on from what is there.
    """
    if not _NAME.fullmatch(folder):
        raise Invalid(f"not a name for a folder: {folder!r:.120}; letters, digits, ., _ and -", where="folder")
    if not _NAME.fullmatch(name) or not name.lower().endswith((*SUFFIXES, MAPPING_SUFFIX)):
        kinds = ", ".join((*SUFFIXES, MAPPING_SUFFIX))
        raise Invalid(
            f"not a file's name: {name!r:.120}; letters, digits, ., _ and -, and one of {kinds}", where="name"
        )
    place = shelf / folder
    if place.is_symlink() or (place / name).is_symlink():
        raise Invalid("is a symbolic link; they are not followed", where=f"{folder}/{name}")
    used = sum(path.stat().st_size for path in _below(shelf) if path.is_file() and not path.is_symlink())
    if used + len(data) > most:
        raise Invalid(
            f"the shelf would hold more than {most:,} bytes (setting history_upload_bytes)", where=f"{folder}/{name}"
        )
    place.mkdir(parents=True, exist_ok=True)
    part = place / f"{name}{PART}"
    _append(part, data, offset)
    if last:
        part.replace(place / name)
    return offset + len(data)


def _append(part: Path, data: bytes, offset: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if offset == 0 else 0)
    try:
        handle = os.open(part, flags, 0o600)
    except OSError as error:
        raise Invalid(f"cannot be written: {error.strerror}", where=part.name) from None
    with os.fdopen(handle, "wb") as file:
        there = file.seek(0, os.SEEK_END)
        if there != offset:
            raise Conflict(f"{there:,} bytes of it are there, and the piece begins at {offset:,}", where=part.name)
        file.write(data)


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder, without following links."""
    if not folder.is_dir():
        return
    for root, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            yield Path(root) / name
