"""The format of stored models: a numpy archive (npz) whose first array is a JSON text, the rest are numbers.

The text says how a frozen dataclass is put together from numbers, texts, tuples, mappings, arrays, boosted trees and further
dataclasses. Which classes may come is read off the type annotations of the class that the reader asked for: the bytes choose among
those, and cannot name any other. Reading runs no code of the bytes' choosing, allocates no more than `LARGEST`, and gives the value or
`Invalid`. The same value gives the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import typing
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from analytics.model_files.provenance import libraries
from analytics.model_files.trees import BoostedTrees, checked, is_estimator, trees_of
from hearthwatch.errors import Invalid

T = TypeVar("T")
Arrays = list[NDArray[Any]]

FORMAT = 1
LARGEST = 512 * 2**20
"""Bytes that a stored model may unfold to."""
_TEXT = "structure"
_KINDS_OF_NUMBERS = "biufV"


def pack(value: Any) -> bytes:
    """A frozen dataclass as bytes. Raises `Invalid` for what the format does not hold."""
    arrays: Arrays = []
    told = {
        "format": FORMAT,
        "kind": type(value).__name__,
        "libraries": libraries(),
        "content": _packed(value, arrays),
    }
    text = np.frombuffer(json.dumps(told, allow_nan=False, sort_keys=True).encode(), dtype=np.uint8)
    parts: dict[str, Any] = {_TEXT: text, **{f"a{place}": array for place, array in enumerate(arrays)}}
    file = io.BytesIO()
    np.savez_compressed(file, **parts)
    return file.getvalue()


def unpack(data: bytes, kind: type[T]) -> T:
    """The value of some bytes. Raises `Invalid` with one clear sentence when they are no ``kind`` that this installation can read."""
    text, arrays = _read(data)
    try:
        told = json.loads(text)
        form, name, made_by, content = (told[key] for key in ("format", "kind", "libraries", "content"))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Invalid("the stored model is damaged: its structure cannot be read") from None
    if form != FORMAT:
        raise Invalid(f"the model is stored in format {form!r}, this version reads format {FORMAT}; train again")
    if name != kind.__name__:
        raise Invalid(f"the stored model is a {name!r}, not a {kind.__name__}")
    _check_library(made_by)
    classes = classes_of(kind)
    try:
        value = _unpacked(content, arrays, classes)
    except Invalid:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        raise Invalid("the stored model is damaged: its parts do not fit together") from None
    if not isinstance(value, kind):
        raise Invalid(f"the stored model is no {kind.__name__}")
    return value


def classes_of(kind: type) -> Mapping[str, type]:
    """The dataclasses that a value of ``kind`` can hold by its type annotations, and itself, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [kind]
    while waiting:
        one = waiting.pop()
        waiting.extend(typing.get_args(one))
        if isinstance(one, type) and is_dataclass(one) and found.get(one.__name__) is not one:
            if one.__name__ in found:
                raise Invalid(f"two classes of a {kind.__name__} are called {one.__name__}")
            found[one.__name__] = one
            waiting.extend(typing.get_type_hints(one).values())
    return found


def _check_library(made_by: Any) -> None:
    """Trees are walked by scikit-learn's own code, whose meaning of a node may change from one minor version to the next."""
    then, now = str(made_by.get("scikit-learn")), libraries()["scikit-learn"]
    if then.split(".")[:2] != now.split(".")[:2]:
        raise Invalid(f"the model was trained with scikit-learn {then}, this is {now}; train again")


def _read(data: bytes) -> tuple[bytes, Arrays]:
    if data[:1] == b"\x80":
        raise Invalid("the model was stored as a pickle by an earlier version, which is not read any more; train again")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise Invalid("the stored model is larger than a model can be")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            names = [f"a{place}" for place in range(len(file.files) - 1)]
            if sorted(file.files) != sorted([_TEXT, *names]):
                raise Invalid("the stored model is damaged: it holds other parts than it should")
            text, arrays = file[_TEXT], [file[name] for name in names]
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, KeyError, NotImplementedError, RuntimeError):
        raise Invalid("the stored model is not in the format of models") from None
    if any(array.dtype.kind not in _KINDS_OF_NUMBERS for array in arrays):
        raise Invalid("the stored model holds something else than numbers")
    return text.tobytes(), arrays


def _packed(value: Any, arrays: Arrays) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        return {"array": _kept(value, arrays)}
    if is_estimator(value):
        value = trees_of(value)
    if isinstance(value, BoostedTrees):
        return {
            "trees": [
                _kept(value.nodes, arrays),
                _kept(value.sizes, arrays),
                value.start,
                value.columns,
                value.is_probability,
            ]
        }
    if isinstance(value, Mapping):
        return {"map": [[_packed(key, arrays), _packed(one, arrays)] for key, one in value.items()]}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return {"tuple": [_packed(one, arrays) for one in value]}
    if is_dataclass(value) and not isinstance(value, type):
        content = {one.name: _packed(getattr(value, one.name), arrays) for one in fields(value)}
        return {"type": type(value).__name__, "fields": content}
    raise Invalid(f"a model cannot hold a {type(value).__name__}")


def _kept(array: NDArray[Any], arrays: Arrays) -> int:
    if array.dtype.kind not in _KINDS_OF_NUMBERS or array.dtype.hasobject:
        raise Invalid(f"a model cannot hold an array of {array.dtype}")
    arrays.append(array)
    return len(arrays) - 1


def _unpacked(told: Any, arrays: Arrays, classes: Mapping[str, type]) -> Any:
    if not isinstance(told, dict):
        if isinstance(told, list):
            raise Invalid("the stored model is damaged: its parts do not fit together")
        return told
    if "type" in told:
        return _built(told, arrays, classes)
    (what, given), *more = told.items()
    if more:
        raise Invalid("the stored model is damaged: its parts do not fit together")
    if what == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[given]
    if what == "array":
        return _array(arrays, given)
    if what == "tuple":
        return tuple(_unpacked(one, arrays, classes) for one in given)
    if what == "map":
        return {_unpacked(key, arrays, classes): _unpacked(one, arrays, classes) for key, one in given}
    if what == "trees":
        nodes, sizes, start, columns, is_probability = given
        numbers = (_array(arrays, nodes), _array(arrays, sizes), float(start), int(columns), bool(is_probability))
        return checked(BoostedTrees(*numbers))
    raise Invalid(f"the stored model holds a {what!r}, which no model has")


def _array(arrays: Arrays, place: Any) -> NDArray[Any]:
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(arrays):
        raise Invalid("the stored model is damaged: a part of it is missing")
    return arrays[place]


def _built(told: Mapping[str, Any], arrays: Arrays, classes: Mapping[str, type]) -> Any:
    """A dataclass; a field that came later than the bytes has its default."""
    kind = classes.get(told["type"])
    if kind is None:
        raise Invalid(f"the stored model holds a {told['type']!r}, which is no part of it")
    given, known = told["fields"], fields(cast(Any, kind))
    if unknown := sorted(set(given) - {one.name for one in known}):
        raise Invalid(f"the stored {kind.__name__} has {unknown[0]!r}, which this version does not know; train again")
    needed = {one.name for one in known if one.default is MISSING and one.default_factory is MISSING}
    if missing := sorted(needed - set(given)):
        raise Invalid(f"the stored {kind.__name__} has no {missing[0]!r}, which this version needs; train again")
    return kind(**{name: _unpacked(one, arrays, classes) for name, one in given.items()})
