"""The novelty scorer's memory as bytes and back, and its series picked, ordered and added to."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Ints
from analytics.scorers.alarm_level import Levels
from analytics.scorers.novelty import State
from hearthwatch.errors import Invalid

VERSION = 1
_VERSION = "version"


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of some series: of their values, and of their alarms."""

    state: State
    levels: Levels

    @staticmethod
    def empty(series: int) -> Memory:
        """Nothing seen yet."""
        return Memory(State.empty(series), Levels.empty(series))


def saved(memory: Memory) -> bytes:
    """As bytes (NumPy's own format, no pickle)."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {_VERSION: np.array(VERSION), **dict(arrays_of(memory, "memory"))}
    np.savez(file, **arrays)
    return file.getvalue()


def restored(data: bytes) -> Memory:
    """What was `saved`, exactly. `Invalid` for anything else, and for another version: then the past is to be read again."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            version = int(kept[_VERSION])
            if version != VERSION:
                raise Invalid(f"novelty state of version {version}; this program reads version {VERSION}")
            memory = Memory.empty(len(kept["memory.levels.age"]))
            for name, array in arrays_of(memory, "memory"):
                _copy(kept[name], array, name)
    except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise Invalid(f"this is no saved novelty state: {error}") from error
    return memory


def arranged(memory: Memory, rows: Ints) -> Memory:
    """The series in another order; -1: one of which nothing is known yet."""
    result = Memory.empty(len(rows))
    _arrange(memory, result, rows)
    return result


def state_arranged(state: State, rows: Ints) -> State:
    """As `arranged`, of what is remembered of values alone."""
    result = State.empty(len(rows))
    _arrange(state, result, rows)
    return result


def _arrange(memory: Any, result: Any, rows: Ints) -> None:
    old = np.flatnonzero(rows >= 0)
    for (_, source), (_, target) in zip(arrays_of(memory, ""), arrays_of(result, ""), strict=True):
        target[old] = source[rows[old]]


def size(memory: Memory) -> int:
    """Bytes it takes in memory."""
    return sum(array.nbytes for _, array in arrays_of(memory, ""))


def _copy(source: NDArray[Any], target: NDArray[Any], name: str) -> None:
    if source.dtype != target.dtype or source.shape != target.shape:
        raise Invalid(
            f"this is no saved novelty state: {name} is {source.dtype}{source.shape}, not {target.dtype}{target.shape}"
        )
    target[...] = source


def arrays_of(node: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array with its name, in a fixed order."""
    if isinstance(node, np.ndarray):
        yield name, node
    elif isinstance(node, tuple):
        for place, part in enumerate(node):
            yield from arrays_of(part, f"{name}.{place}")
    elif is_dataclass(node):
        for field in fields(node):
            yield from arrays_of(getattr(node, field.name), f"{name}.{field.name}")
