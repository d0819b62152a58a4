"""The mapping files of makers' own topics: reads them, and says which conventions are listened to with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hearthwatch.errors import Invalid
from hearthwatch.ports import Convention
from hearthwatch.settings import Settings
from hearthwatch.wire.mapped import Mapped
from hearthwatch.wire.mapped_file import MAX_FILE_BYTES, parse_mapping
from hearthwatch.wire.registry import conventions


def read_mapping(path: Path) -> Mapped:
    """One mapping file. Raises `Invalid` that names the file, and each table and key that is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Invalid(f"the mapping can not be read: {error.strerror or error}", where=str(path)) from None
    if len(raw) > MAX_FILE_BYTES:
        raise Invalid(f"a mapping of more than {MAX_FILE_BYTES} bytes", where=str(path))
    try:
        return Mapped(parse_mapping(raw.decode("utf-8"), str(path)))
    except UnicodeDecodeError:
        raise Invalid("not UTF-8", where=str(path)) from None


def read_mappings(paths: Sequence[Path]) -> tuple[Mapped, ...]:
    """All mapping files, in their order. Raises `Invalid` for the first that is wrong."""
    return tuple(read_mapping(path) for path in paths)


def spoken(settings: Settings, further: Sequence[Path] = ()) -> tuple[Convention, ...]:
    """The conventions that are listened to, makers' own among them. Raises `Invalid`.

    Mapping files are read anew each time, so that what was mended is in force for whoever asks next.
    """
    return conventions(settings.conventions, read_mappings([*settings.mappings, *further]))
