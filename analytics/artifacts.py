"""A trained model as bytes, and back: without pickle, and only if the bytes are those that were registered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from analytics.features import Feature
from analytics.hazard import Hazard, Matrix
from analytics.model_files import pack, unpack
from hearthwatch.errors import Invalid
from hearthwatch.records.model_versions import ModelVersion

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A hazard with what its inputs looked like: the typical row, and the range and share of missing values of every column."""

    hazard: Hazard
    columns: tuple[Feature, ...]
    typical: Matrix
    low: Matrix
    high: Matrix
    missing: Matrix


def dump(model: Any) -> bytes:
    """The bytes of a model: an `Artifact`, or another frozen dataclass of arrays, numbers, texts and boosted trees."""
    return pack(model)


@overload
def load(version: ModelVersion) -> Artifact: ...
@overload
def load(version: ModelVersion, kind: type[T]) -> T: ...
def load(version: ModelVersion, kind: type[Any] = Artifact) -> Any:
    """The model of a version, a ``kind``. Raises `Invalid` when the bytes are not those that were registered, are no such model, or are
    of a format or a library that this version does not read."""
    where = f"model version {version.id}"
    if hashlib.sha256(version.artifact).hexdigest() != version.sha256:
        raise Invalid("the stored model is not the one that was registered", where=where)
    try:
        return unpack(version.artifact, kind)
    except Invalid as error:
        raise Invalid(error.message, where=where) from None
