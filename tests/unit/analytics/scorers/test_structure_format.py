"""Stored structures that are not what they should be are refused with the reason, and nothing in them is run."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from analytics.scorers import structure
from analytics.scorers.structure_format import dumped, restored
from hearthwatch.errors import Invalid


def stored() -> bytes:
    return dumped(*structure.learned(np.random.default_rng(1).standard_normal((60, 2, 3))))


def changed(**arrays: Any) -> bytes:
    """The same archive with other arrays; None takes one away."""
    with np.load(io.BytesIO(stored())) as archive:
        held = {name: archive[name] for name in archive.files}
    held |= arrays
    written = io.BytesIO()
    np.savez(written, **{name: array for name, array in held.items() if array is not None})
    return written.getvalue()


def test_what_was_stored_is_read_back() -> None:
    assert dumped(*restored(stored())) == stored()


def test_damaged_bytes_are_refused() -> None:
    whole = stored()
    for data in (b"", b"nonsense", whole[: len(whole) // 2], whole[:200] + b"\0" * 200 + whole[400:]):
        with pytest.raises(Invalid, match="stored structure"):
            restored(data)


def test_a_pickle_is_not_opened() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        restored(pickle.dumps([1, 2, 3]))
    with pytest.raises(Invalid, match="cannot be read"):
        restored(changed(centre=np.array([{"a": 1}], dtype=object)))


def test_a_single_array_is_not_an_archive() -> None:
    written = io.BytesIO()
    np.save(written, np.zeros(3))
    with pytest.raises(Invalid, match="cannot be read"):
        restored(written.getvalue())


def test_another_version_is_named() -> None:
    with pytest.raises(Invalid, match="version 99; this program reads version 1"):
        restored(changed(numbers=np.array([99, 0, 60])))
    with pytest.raises(Invalid, match="lacks its version"):
        restored(changed(numbers=None))


@pytest.mark.parametrize("name", ["centre", "components", "profile", "absent", "contribution"])
def test_an_array_that_is_missing_or_does_not_fit_is_named(name: str) -> None:
    with pytest.raises(Invalid, match=f"lacks {name}"):
        restored(changed(**{name: None}))
    with pytest.raises(Invalid, match=f"has {name} as"):
        restored(changed(**{name: np.zeros((1, 1, 1, 1))}))
    with pytest.raises(Invalid, match=f"has {name} as"):
        restored(changed(**{name: np.array("text")}))
