from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from analytics.model_files import pack, unpack
from analytics.model_files.provenance import commit, provenance
from analytics.model_files.trees import trees_of
from hearthwatch.errors import Invalid


@dataclass(frozen=True)
class Inner:
    words: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    number: float
    inner: Inner
    by_horizon: Mapping[int, Inner]
    table: NDArray[np.float32]
    trees: Any = None


@dataclass(frozen=True)
class Stranger:
    number: float


def a_model(**changes: Any) -> Model:
    given: dict[str, Any] = {
        "number": 1.5,
        "inner": Inner(("a", "ü")),
        "by_horizon": {7: Inner(()), 30: Inner(("b",))},
        "table": np.array([[1, np.nan]], dtype=np.float32),
    }
    return Model(**(given | changes))


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    made = random.normal(size=(600, 5)).astype(np.float32)
    made[random.random(made.shape) < 0.1] = np.nan
    return made


@pytest.fixture(scope="module")
def classifier(rows: NDArray[np.float32]) -> HistGradientBoostingClassifier:
    failed = np.nan_to_num(rows[:, 0]) > 0.5
    return HistGradientBoostingClassifier(max_iter=12, random_state=1, early_stopping=False).fit(rows, failed)


def rewritten(data: bytes, change: Any) -> bytes:
    """The same archive with its structure, or an array of it, changed."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays: dict[str, Any] = {name: file[name] for name in file.files}
    told = json.loads(arrays["structure"].tobytes())
    change(told, arrays)
    arrays["structure"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


class Bomb:
    """What an attacker would store: unpickling it writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    with pytest.raises(Invalid, match=r"stored as a pickle by an earlier version.*train again"):
        unpack(bomb, Model)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_inside_the_archive_is_refused_and_does_not_run(tmp_path: Path) -> None:
    hostile = np.array([Bomb(tmp_path / "ran")], dtype=object)
    out = io.BytesIO()
    np.savez(out, structure=np.frombuffer(b"{}", dtype=np.uint8), a0=hostile)
    with pytest.raises(Invalid, match="not in the format"):
        unpack(out.getvalue(), Model)
    assert not (tmp_path / "ran").exists()


def test_a_class_that_the_model_does_not_consist_of_is_refused() -> None:
    def name_another(told: Any, _arrays: Any) -> None:
        told["content"]["fields"]["inner"] = {"type": "Stranger", "fields": {"number": 1.0}}

    with pytest.raises(Invalid, match="'Stranger', which is no part of it"):
        unpack(rewritten(pack(a_model()), name_another), Model)


def test_another_kind_of_model_is_refused() -> None:
    with pytest.raises(Invalid, match="is a 'Stranger', not a Model"):
        unpack(pack(Stranger(1.0)), Model)


def test_another_version_of_the_format_is_refused() -> None:
    def age(told: Any, _arrays: Any) -> None:
        told["format"] = 2

    with pytest.raises(Invalid, match="format 2, this version reads format 1; train again"):
        unpack(rewritten(pack(a_model()), age), Model)


def test_trees_of_another_scikit_learn_are_refused() -> None:
    def age(told: Any, _arrays: Any) -> None:
        told["libraries"]["scikit-learn"] = "1.2.0"

    with pytest.raises(Invalid, match=r"trained with scikit-learn 1\.2\.0.*train again"):
        unpack(rewritten(pack(a_model()), age), Model)


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 99), ("feature_idx", -1), ("is_categorical", 1)]
)
def test_a_tree_that_leads_outside_itself_is_refused(
    classifier: HistGradientBoostingClassifier, field: str, value: int
) -> None:
    def lead_astray(_told: Any, arrays: Any) -> None:
        (nodes,) = (array for array in arrays.values() if array.dtype.names)
        nodes[field][0] = value

    with pytest.raises(Invalid, match="leads outside itself"):
        unpack(rewritten(pack(a_model(trees=classifier)), lead_astray), Model)


def test_an_archive_that_unfolds_beyond_measure_is_refused() -> None:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a0.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(520):
            file.write(bytes(2**20))
    with pytest.raises(Invalid, match="larger than a model can be"):
        unpack(out.getvalue(), Model)


@given(data=st.binary(max_size=200), cut=st.integers(0, 400), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_bytes_give_a_model_or_one_clear_error(data: bytes, cut: int, place: int, bit: int) -> None:
    whole = pack(a_model())
    flipped = bytearray(whole)
    flipped[place % len(whole)] ^= 1 << bit
    for attempt in (data, b"PK\x03\x04" + data, whole[:cut], bytes(flipped)):
        with suppress(Invalid):
            assert isinstance(unpack(attempt, Model), Model)


def test_what_a_model_cannot_hold_is_refused_when_it_is_stored() -> None:
    with pytest.raises(Invalid, match="cannot hold a set"):
        pack(a_model(inner={1, 2}))
    with pytest.raises(Invalid, match="cannot hold an array of object"):
        pack(a_model(table=np.array([object()])))


def test_a_field_that_this_version_does_not_know_is_named() -> None:
    def add(told: Any, _arrays: Any) -> None:
        told["content"]["fields"]["later"] = 1

    with pytest.raises(Invalid, match="has 'later', which this version does not know"):
        unpack(rewritten(pack(a_model()), add), Model)


def test_a_field_that_came_later_has_its_default_where_it_has_one() -> None:
    def drop(name: str) -> Any:
        def change(told: Any, _arrays: Any) -> None:
            del told["content"]["fields"][name]

        return change

    assert unpack(rewritten(pack(a_model()), drop("trees")), Model).trees is None
    with pytest.raises(Invalid, match="has no 'number', which this version needs"):
        unpack(rewritten(pack(a_model()), drop("number")), Model)


@given(
    number=st.floats(allow_nan=False),
    words=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    table=st.lists(st.floats(width=32), max_size=4),
)
def test_what_was_stored_comes_back(number: float, words: tuple[str, ...], table: list[float]) -> None:
    model = a_model(number=number, inner=Inner(words), table=np.array([table], dtype=np.float32))
    again = unpack(pack(model), Model)
    assert again.number == number
    assert math.copysign(1, again.number) == math.copysign(1, number)
    assert again.inner == model.inner
    assert again.by_horizon == model.by_horizon
    np.testing.assert_array_equal(again.table, model.table)
    assert again.table.dtype == np.float32
    assert pack(again) == pack(model)


def test_stored_trees_say_to_the_bit_what_the_fitted_ones_said(
    rows: NDArray[np.float32], classifier: HistGradientBoostingClassifier
) -> None:
    regressor = HistGradientBoostingRegressor(max_iter=12, random_state=1).fit(rows, np.nan_to_num(rows[:, 1]))
    stored = unpack(pack(a_model(trees=(classifier, regressor))), Model).trees
    assert (stored[0].predict_proba(rows) == classifier.predict_proba(rows)).all()
    assert (stored[1].predict(rows) == regressor.predict(rows)).all()


def test_rows_of_another_width_are_refused(
    rows: NDArray[np.float32], classifier: HistGradientBoostingClassifier
) -> None:
    with pytest.raises(Invalid, match="5 columns"):
        trees_of(classifier).predict(rows[:, :3])


def test_a_model_names_the_code_and_the_libraries_that_made_it(tmp_path: Path) -> None:
    told = provenance()
    assert told["hearthwatch"]
    assert set(told["libraries"]) == {"numpy", "scikit-learn", "scipy"}
    assert commit(tmp_path) is None
    (tmp_path / ".git" / "refs").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/main\n")
    (tmp_path / ".git" / "refs" / "main").write_text("ab" * 20 + "\n")
    commit.cache_clear()
    assert commit(tmp_path) == "ab" * 20
