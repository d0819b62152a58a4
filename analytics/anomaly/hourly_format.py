"""What is remembered of hours as JSON and back: one object for a model, one for every few hundred of its devices, arrays in Base64.

Values are kept in single precision (`analytics.anomaly.hourly.single` rounds every day, stored or not), axes and bits of the novelty
scorer as they are. NumPy archives without pickle, compressed: about 1 kB of text for a device and metric.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.anomaly.hourly import Hours
from analytics.scorers.novelty_state import arrays_of
from analytics.scorers.structure import Memory
from analytics.scorers.structure_format import dumped, restored
from hearthwatch.errors import Invalid

VERSION = 1
BLOCK = 256
"""Devices whose arrays are stored together."""
_PER_DEVICE = ("known", "origin", "followed", "settling", "heard", "blame")
_OF_MEMORY = ("level", "recent", "absent", "contribution")
_PROFILE = "profile"

Arrays = dict[str, NDArray[Any]]


def hours_to_json(model: str, state: Hours) -> dict[str, Any]:
    """Subjects and JSON objects of one model."""
    count = -(-len(state.devices) // BLOCK)
    result: dict[str, Any] = {
        f"model:{model}": {
            "version": VERSION,
            "blocks": count,
            "metrics": list(state.metrics),
            "days": state.days,
            "learned_on": state.learned_on,
            "usual": state.usual.tolist(),
            "structure": _structure_text(state),
        }
    }
    for number in range(count):
        low, high = number * BLOCK, min((number + 1) * BLOCK, len(state.devices))
        result[f"{number}:{model}"] = {
            "devices": list(state.devices[low:high]),
            "firmware": list(state.firmware[low:high]),
            "arrays": _text(_packed(_block(state, low, high))),
        }
    return result


def hours_from_json(model: str, saved: Mapping[str, Any]) -> Hours | None:
    """What `hours_to_json` wrote; None where nothing was. Raises `Invalid` for what is damaged or of another version."""
    head = saved.get(f"model:{model}")
    if head is None:
        return None
    try:
        if head["version"] != VERSION:
            raise Invalid(f"hours of version {head['version']}; this program reads version {VERSION}", where=model)
        blocks = [saved[f"{number}:{model}"] for number in range(head["blocks"])]
        devices = [name for block in blocks for name in block["devices"]]
        state = Hours.empty(devices, head["metrics"])
        state.firmware = tuple(name for block in blocks for name in block["firmware"])
        state.days, state.learned_on = int(head["days"]), int(head["learned_on"])
        state.usual[...] = head["usual"]
        if head["structure"] is not None:
            state.structure, none = restored(_bytes(head["structure"]))
            blank = Memory.empty(state.structure, len(devices))
            state.memory = Memory(none.step, *_arrays_of_memory(blank))
        low = 0
        for block in blocks:
            high = low + len(block["devices"])
            _fill(state, low, high, _unpacked(_bytes(block["arrays"])))
            low = high
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Invalid(f"what was remembered of hours cannot be read: {error}", where=model) from error
    return state


def _arrays_of_memory(memory: Memory) -> tuple[NDArray[Any], ...]:
    return memory.level, memory.recent, memory.absent, memory.profile, memory.contribution


def _structure_text(state: Hours) -> str | None:
    if state.structure is None or state.memory is None:
        return None
    nobody = Memory.empty(state.structure, 0)
    return _text(dumped(state.structure, Memory(state.memory.step, *_arrays_of_memory(nobody))))


def _block(state: Hours, low: int, high: int) -> Arrays:
    width = len(state.metrics)
    arrays: Arrays = {name: getattr(state, name)[low:high] for name in _PER_DEVICE}
    for name, array in arrays_of(state.novelty, "novelty"):
        arrays[name] = array[low * width : high * width]
    if state.memory is not None:
        arrays |= {name: getattr(state.memory, name)[low:high] for name in _OF_MEMORY}
        arrays[_PROFILE] = state.memory.profile[:, low:high]
    return {name: _small(name, array) for name, array in arrays.items()}


def _small(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """In fewer bytes, where that loses nothing: what was rounded to single precision, and counts."""
    if array.dtype == np.int64 and not name.endswith(".hour"):
        return array.astype(np.int32)
    rounded = not name.startswith("novelty.") or name.endswith(".kept")
    return array.astype(np.float32) if array.dtype == np.float64 and rounded else array


def _fill(state: Hours, low: int, high: int, arrays: Arrays) -> None:
    width = len(state.metrics)
    for name in _PER_DEVICE:
        getattr(state, name)[low:high] = arrays[name]
    for name, array in arrays_of(state.novelty, "novelty"):
        array[low * width : high * width] = arrays[name]
    if state.memory is not None:
        for name in _OF_MEMORY:
            getattr(state.memory, name)[low:high] = arrays[name]
        state.memory.profile[:, low:high] = arrays[_PROFILE]


def _packed(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(file, **named)
    return zlib.compress(file.getvalue(), 1)


def _unpacked(data: bytes) -> Arrays:
    with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
