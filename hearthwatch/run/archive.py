"""The backup's file: a zip with one member a table and a manifest that says what belongs in it.

``manifest.json`` is written last and holds the digest of every member, so that an archive is whole or is known not to be. The file
appears under its name only when it is whole and on the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hearthwatch.errors import Invalid, Missing
from hearthwatch.run.whole_file import told_plainly, whole_file

MANIFEST = "manifest.json"
KIND = "hearthwatch-backup"
FORMAT = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """What the manifest says of a member."""

    rows: int
    sha256: str
    columns: Mapping[str, str]

    def told(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return {"rows": self.rows, "sha256": self.sha256, "columns": dict(self.columns)}


class Writer:
    """Puts members into an archive, and remembers their digests."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def add_lines(self, name: str, lines: Iterable[bytes]) -> Member:
        """A member of lines; they are counted."""
        digest, rows = hashlib.sha256(), 0
        with self._file.open(_compressed(name), "w", force_zip64=True) as member:
            for line in lines:
                member.write(line)
                digest.update(line)
                rows += 1
        return Member(rows, digest.hexdigest(), {})

    def add_file(self, name: str, path: Path) -> str:
        """A member that lies in a file and is compressed already; returns its digest."""
        digest = hashlib.sha256()
        with path.open("rb") as source, self._file.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
            while chunk := source.read(_CHUNK):
                member.write(chunk)
                digest.update(chunk)
        return digest.hexdigest()

    def add_text(self, name: str, text: str) -> str:
        """A member that is a text; returns its digest."""
        self._file.writestr(_compressed(name), text)
        return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def writing(target: Path) -> Iterator[tuple[Writer, dict[str, Any]]]:
    """A new archive, and its manifest to fill in. It takes its name, or nothing of it stays.

    Raises `Invalid` when something else lies under its name, `Unavailable` when the disk is full.
    """
    _check_target(target)
    manifest: dict[str, Any] = {"kind": KIND, "format": FORMAT}
    with whole_file(target) as raw, zipfile.ZipFile(raw, "w", compresslevel=6) as file:
        yield Writer(file), manifest
        file.writestr(_compressed(MANIFEST), json.dumps(manifest, indent=1, default=str))


def take_over(made: Path, target: Path) -> None:
    """Give a whole archive another name, also on another disk; on failure it stays where it is. Raises `Invalid` or `Unavailable`."""
    _check_target(target)
    with whole_file(target) as copy, made.open("rb") as source:
        shutil.copyfileobj(source, copy, _CHUNK)
    with told_plainly(made.parent):
        made.unlink()


def _compressed(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


class Reader:
    """A whole archive whose manifest has been read and whose members are what it says."""

    def __init__(self, path: Path, file: zipfile.ZipFile, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._file = file

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member. Raises `Invalid` when it is damaged."""
        with _damage(self.path, name), self._file.open(name) as member:
            yield from member

    def text(self, name: str) -> str:
        """A member that is a text."""
        with _damage(self.path, name), self._file.open(name) as member:
            return member.read().decode()

    def extract(self, name: str, target: Path) -> None:
        """Write a member into a file. Raises `Invalid` or `Unavailable`."""
        with (
            _damage(self.path, name),
            told_plainly(target.parent),
            self._file.open(name) as member,
            target.open("wb") as file,
        ):
            while chunk := member.read(_CHUNK):
                file.write(chunk)

    def verify(self) -> None:
        """Read every member once. Raises `Invalid` when one is missing or not what the manifest says."""
        there = set(self._file.namelist())
        for name, digest in self._digests():
            if name not in there:
                raise Invalid(f"lacks {name}", where=str(self.path))
            found = hashlib.sha256()
            with _damage(self.path, name), self._file.open(name) as member:
                while chunk := member.read(_CHUNK):
                    found.update(chunk)
            if found.hexdigest() != digest:
                raise Invalid(f"{name} is not what the manifest says: it was changed or damaged", where=str(self.path))

    def _digests(self) -> Iterator[tuple[str, str]]:
        for part, ending in (("records", "jsonl"), ("telemetry", "parquet")):
            for table, member in (self.manifest[part].get("tables") or {}).items():
                yield f"{part}/{table}.{ending}", member["sha256"]
        if self.manifest.get("secret_key"):
            yield "secret.key", self.manifest["secret_key"]


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """An archive to read. Raises `Missing`, or `Invalid` when it is no whole backup of a format this version reads."""
    if not path.is_file():
        raise Missing("there is no such file", where=str(path))
    try:
        with zipfile.ZipFile(path) as file:
            yield Reader(path, file, _manifest(path, file))
    except zipfile.BadZipFile:
        raise Invalid(
            "is not a whole backup: the file is cut off, damaged, or something else", where=str(path)
        ) from None


def _manifest(path: Path, file: zipfile.ZipFile) -> Mapping[str, Any]:
    try:
        with _damage(path, MANIFEST), file.open(MANIFEST) as member:
            manifest = json.load(member)
        if manifest["kind"] != KIND:
            raise ValueError
        written = int(manifest["format"])
        version = str(manifest["version"])
        if written <= FORMAT:
            _check_shape(manifest)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Invalid("is no backup of Hearthwatch", where=str(path)) from None
    if written > FORMAT:
        says = f"was made by Hearthwatch {version} in format {written}; this version reads up to {FORMAT}: update first"
        raise Invalid(says, where=str(path))
    return dict(manifest)


def _check_shape(manifest: Mapping[str, Any]) -> None:
    """Raise anything of `KeyError`, `TypeError`, `ValueError`, `AttributeError` when what is read of it later is not there."""
    records = manifest["records"]
    datetime.fromisoformat(manifest["created_at"])
    _ = str(records["revision"]), {name: int(given) for name, given in records["next_ids"].items()}
    for member in (*records["tables"].values(), *(manifest["telemetry"].get("tables") or {}).values()):
        _ = int(member["rows"]), str(member["sha256"]), dict(member["columns"])


@contextmanager
def _damage(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise Invalid(f"{name} is damaged", where=str(path)) from None
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise Invalid("is encrypted; decrypt it first", where=str(path)) from None


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise Missing("there is no such folder", where=str(target.parent))
    if target.is_file() and target.stat().st_size:
        with contextlib.suppress(Invalid), reading(target):
            return
        raise Invalid("holds something else than a backup; give another name", where=str(target))
