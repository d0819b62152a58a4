"""A trained model as bytes, and back.

The format is pickle, because scikit-learn has no other of its own and skops is no dependency. Loading a pickle can run code, so two
things are asked first: the bytes are those whose SHA-256 was written down when we made them, and they name only classes of the
libraries a model consists of. They come from our own records alone, never from a user or a network.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass
from typing import Any

import sklearn

from analytics.features import Feature
from analytics.hazard import Hazard, Matrix
from hearthwatch.errors import Invalid
from hearthwatch.records.model_versions import ModelVersion

_PACKAGES = frozenset({"analytics", "sklearn", "numpy", "scipy"})
_BUILTINS = frozenset({"slice", "set", "frozenset", "complex", "bytearray", "range"})


@dataclass(frozen=True, slots=True)
class Artifact:
    """A hazard with what its inputs looked like: the typical row, and the range and share of missing values of every column."""

    hazard: Hazard
    columns: tuple[Feature, ...]
    typical: Matrix
    low: Matrix
    high: Matrix
    missing: Matrix
    library: str = sklearn.__version__


def dump(artifact: Artifact) -> bytes:
    """The bytes of a model."""
    return pickle.dumps(artifact, protocol=5)


def load(version: ModelVersion) -> Artifact:
    """The model of a version. Raises `Invalid` when the bytes are not those that were registered, or of another library's version."""
    if hashlib.sha256(version.artifact).hexdigest() != version.sha256:
        raise Invalid("the stored model is not the one that was registered", where=f"model version {version.id}")
    try:
        artifact = _Careful(io.BytesIO(version.artifact)).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError) as error:
        raise Invalid(f"the stored model cannot be read: {error}", where=f"model version {version.id}") from None
    if not isinstance(artifact, Artifact) or artifact.library != sklearn.__version__:
        raise Invalid("the model was trained with another version; train again", where=f"model version {version.id}")
    return artifact


class _Careful(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Only what a model consists of."""
        if module.split(".")[0] in _PACKAGES or (module == "builtins" and name in _BUILTINS):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a model")
