"""A learned structure and its memory as bytes, and back: a NumPy archive of plain arrays, no pickle, with a version."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from analytics.scorers.structure import VIEWS, Memory, Structure
from hearthwatch.errors import Invalid

VERSION = 1
_MODEL = ("centre", "scale", "components", "extreme")
_MEMORY = ("level", "recent", "absent", "profile", "contribution")


def dumped(model: Structure, memory: Memory) -> bytes:
    """All that is needed to go on as if never stopped."""
    arrays: dict[str, Any] = {name: getattr(model, name) for name in _MODEL}
    arrays |= {name: getattr(memory, name) for name in _MEMORY}
    numbers = np.array([VERSION, model.season, memory.step], dtype=np.int64)
    written = io.BytesIO()
    np.savez(written, numbers=numbers, **arrays)
    return written.getvalue()


def restored(data: bytes) -> tuple[Structure, Memory]:
    """What `dumped` wrote. Raises `Invalid` if it is something else, damaged, or of another version."""
    arrays = _arrays(data)
    numbers = arrays.get("numbers")
    if numbers is None or numbers.shape != (3,) or numbers.dtype != np.int64:
        raise Invalid("a stored structure lacks its version")
    version, season, step = (int(number) for number in numbers)
    if version != VERSION:
        raise Invalid(f"a stored structure has version {version}; this program reads version {VERSION}: learn it again")
    missing = [name for name in (*_MODEL, *_MEMORY) if name not in arrays]
    if missing:
        raise Invalid(f"a stored structure lacks {', '.join(missing)}")
    _must_agree(arrays, season)
    model = Structure(season=season, **{name: arrays[name] for name in _MODEL})
    return model, Memory(step=step, **{name: arrays[name] for name in _MEMORY})


def _arrays(data: bytes) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        # TypeError: a single array, which is no archive
        raise Invalid(f"a stored structure cannot be read: {error}") from error


def _must_agree(arrays: dict[str, Any], season: int) -> None:
    """Every array has its type and the shape that the number of devices and metrics asks for."""
    shape = arrays["level"].shape
    if len(shape) != 2:
        raise Invalid(f"a stored structure has levels of shape {shape}; devices and metrics are wanted")
    components = arrays["components"]
    wanted = {
        **dict.fromkeys(("centre", "scale"), shape[1:]),
        "components": (len(components) if components.ndim else 0, *shape[1:]),
        "extreme": (len(VIEWS), *shape[1:]),
        "profile": (season, *shape),
        **dict.fromkeys(("level", "recent", "absent", "contribution"), shape),
    }
    for name, right in wanted.items():
        kind = np.int64 if name == "absent" else np.float64
        if arrays[name].shape != right or arrays[name].dtype != kind:
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            raise Invalid(f"a stored structure has {name} as {found} where {np.dtype(kind)} {right} belongs")
