"""The suite `asd`: reading its folder, judging methods, and what comes out on the real servers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.panel import Floats
from analytics.suites import asd, asd_rivals
from analytics.suites.asd_files import Segment, series_in
from analytics.suites.asd_rivals import Verdicts
from hearthwatch.errors import Invalid, Missing
from hearthwatch.run import asd_table

STEPS, METRICS = 200, 4


def values(steps: int = STEPS, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((steps, 1))
    found: Floats = common * np.array([1.0, -1.0, 2.0, 0.5]) + 0.1 * rng.standard_normal((steps, METRICS))
    return found


def label(*segments: tuple[int, int]) -> Any:
    marked = np.zeros(STEPS, dtype=np.int8)
    for first, last in segments:
        marked[first : last + 1] = 1
    return marked


def write(
    folder: Path, name: str = "one", text: str = "20-24:1,3\n", arrays: Mapping[str, Any] | None = None, **changed: Any
) -> Path:
    """A series whose steps 20 to 24 are wrong in metrics 1 and 3; ``changed`` replaces an array, None leaves it out."""
    test = values(seed=2)
    test[20:25, [0, 2]] += np.array([8.0, -8.0])
    held = dict(arrays or {"train": values(), "test": test, "label": label((20, 24))}) | changed
    (folder / "npz").mkdir(exist_ok=True)
    (folder / "interpretation_label").mkdir(exist_ok=True)
    np.savez(folder / "npz" / f"{name}.npz", **{key: array for key, array in held.items() if array is not None})
    (folder / "interpretation_label" / f"{name}.txt").write_text(text)
    return folder


def test_a_folder_without_archives_is_told_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"has no npz/NAME\.npz: .*InterFusion"):
        asd.evaluate(tmp_path)
    with pytest.raises(Missing, match="nowhere has no npz"):
        asd.evaluate(tmp_path / "nowhere")


def with_value(step: int, metric: int, value: float) -> Floats:
    held = values(seed=2)
    held[step, metric] = value
    return held


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"label": None}, r"one\.npz has no label; it has train, test"),
        ({"train": None, "test": None}, r"one\.npz has no train, test; it has label"),
        ({"train": values()[:, :3]}, "train has 3 metrics and test has 4"),
        ({"train": values()[:, 0]}, r"train must have steps and metrics; its shape is \(200,\)"),
        ({"test": values()[:0]}, r"test must have steps and metrics; its shape is \(0, 4\)"),
        ({"test": with_value(7, 2, -math.inf)}, "test has 1 infinite values, the first at step 7, metric 3"),
        ({"train": with_value(7, 2, math.inf)}, "train has 1 infinite values"),
        ({"train": np.full((STEPS, METRICS), math.nan)}, "train has no value at all"),
        ({"train": values()[:30]}, "one: train: the past has 30 steps; 50 are needed"),
        ({"train": values().astype(str)}, "train holds <U.*, not numbers"),
        ({"train": np.array([[{}]], dtype=object)}, r"one\.npz: train cannot be read"),
        ({"label": label((20, 24))[:-1]}, r"label must be 200 long, like test; its shape is \(199,\)"),
        ({"label": 2 * label((20, 24))}, "label must be 0 or 1; it has 2"),
        ({"label": np.full(STEPS, math.nan)}, "label must be 0 or 1; it has nan"),
        ({"label": label()}, "label marks nothing as anomalous"),
        ({"text": ""}, r"one\.txt names no segment"),
        ({"text": "20-24:1\n\n20 to 24\n"}, r"one\.txt, line 3: '20 to 24' is not start-end:metric"),
        ({"text": "24-20:1"}, "segment 24-20 does not lie within the 200 steps of test"),
        ({"text": "20-200:1"}, "segment 20-200 does not lie within"),
        ({"text": "60-70:1"}, "label marks nothing in segment 60-70"),
        ({"text": "20-24:1,5"}, r"one\.txt, line 1: metric 5 is not one of 1 to 4"),
        ({"text": "20-24:0"}, "metric 0 is not one of 1 to 4"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name_and_key(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        asd.evaluate(write(tmp_path, **changed))


def test_files_that_are_something_else_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    archive, text = tmp_path / "npz" / "one.npz", tmp_path / "interpretation_label" / "one.txt"
    whole = archive.read_bytes()
    for content in (b"", b"no archive", whole[:300]):
        archive.write_bytes(content)
        with pytest.raises(Invalid, match=r"one\.npz is no NumPy archive"):
            asd.evaluate(tmp_path)
    archive.write_bytes(whole)
    text.write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match=r"one\.txt is no text"):
        asd.evaluate(tmp_path)


def test_a_series_of_which_nobody_says_what_was_wrong_is_judged_by_precision_alone(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", label=label((20, 24), (90, 90), (199, 199)))
    (tmp_path / "interpretation_label" / "b.txt").unlink()
    assert [(one.first, one.last) for one in series_in(tmp_path)[1].segments] == [(20, 24), (90, 90), (199, 199)]
    answer = asd.evaluate(tmp_path, draws=10)
    for method in (answer["results"], *answer["baselines"].values()):
        assert method["b"]["hit_at_3"] is None
        assert method["mean"]["hit_at_3"] == method["a"]["hit_at_3"]
        mean = (method["a"]["average_precision"] + method["b"]["average_precision"]) / 2
        assert method["mean"]["average_precision"] == pytest.approx(mean, abs=1e-4)
    (tmp_path / "interpretation_label" / "a.txt").unlink()
    alone = asd.evaluate(tmp_path, draws=10)
    assert alone["results"]["mean"]["hit_at_3"] is None
    assert alone["results"]["mean"]["average_precision"] == answer["results"]["mean"]["average_precision"]
    assert any(line.startswith("mean | 4 | ") and " / - |" in line for line in asd_table.lines(alone))


@pytest.mark.filterwarnings("error")
def test_gaps_a_metric_never_measured_steps_without_anything_and_a_single_metric_are_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    train, test = values(), values(seed=2)
    test[20:25, [0, 2]] += np.array([8.0, -8.0])
    for array in (train, test):
        array[rng.random(array.shape) < 0.1] = math.nan
        array[60:63] = math.nan
        array[:, 3] = math.nan
    write(tmp_path, "gaps", train=train, test=test)
    single = values(seed=2)[:, :1]
    single[20:25] += 8.0
    write(tmp_path, "single", text="20-24:1", train=values()[:, :1], test=single)
    answer = asd.evaluate(tmp_path, draws=3)
    for method in (answer["results"], *answer["baselines"].values()):
        assert all(0.0 < method[name]["average_precision"] <= 1.0 for name in ("gaps", "single"))
    assert answer["results"]["gaps"]["average_precision"] > 0.6
    assert answer["results"]["gaps"]["hit_at_3"] == 1.0
    chance = answer["baselines"]["random"]["single"]["average_precision"]
    assert answer["results"]["single"]["average_precision"] > 5 * chance


def test_a_series_called_mean_cannot_stand_beside_the_mean(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="may not be called mean"):
        asd.evaluate(write(tmp_path, "mean"))


def test_series_come_in_the_order_of_their_numbers_with_metrics_counted_from_zero(tmp_path: Path) -> None:
    for name in ("s-10", "s-2", "s-1"):
        write(tmp_path, name, label=label((20, 24))[:, None])
    fleet = series_in(tmp_path)
    assert [series.name for series in fleet] == ["s-1", "s-2", "s-10"]
    assert fleet[0].segments == (Segment(20, 24, frozenset({0, 2})),)
    assert np.flatnonzero(fleet[0].label).tolist() == [20, 21, 22, 23, 24]


def test_each_series_and_the_mean_of_every_method_come_out(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", text="20-22:1\n23-24:2\n")
    answer = asd.evaluate(tmp_path, draws=100)
    assert answer["baselines"].keys() == asd_rivals.RIVALS.keys()
    for method in (answer["results"], *answer["baselines"].values()):
        assert method.keys() == {"a", "b", "mean"}
        mean = (method["a"]["average_precision"] + method["b"]["average_precision"]) / 2
        assert method["mean"]["average_precision"] == pytest.approx(mean, abs=1e-4)
        hits = method["a"]["hit_at_3"] + 2 * method["b"]["hit_at_3"]
        assert method["mean"]["hit_at_3"] == pytest.approx(hits / 3, abs=1e-4)
        low, high = method["mean"]["by_series"]["average_precision"]
        assert low <= method["mean"]["average_precision"] <= high
    assert answer["results"]["a"]["average_precision"] > 0.8
    assert answer["baselines"]["random"]["mean"]["average_precision"] < 0.3
    ahead = answer["results"]["mean"]["ahead_of"]["random"]["average_precision"]
    rival = answer["baselines"]["random"]["mean"]["average_precision"]
    assert ahead["difference"] == pytest.approx(answer["results"]["mean"]["average_precision"] - rival, abs=2e-4)
    assert asd.evaluate(tmp_path, draws=100) == answer


def test_a_segment_is_hit_by_the_three_metrics_named_at_its_highest_score_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = np.zeros((STEPS, METRICS))
    part[:, 3] = 1.0  # at any other step the fourth metric would be named first
    part[22] = [0.0, 3.0, 2.0, 1.0]
    score = np.zeros(STEPS)
    score[[5, 22, 24]] = [9.0, 2.0, 1.0]
    monkeypatch.setattr(asd, "RIVALS", {"fixed": lambda _train, _test: Verdicts(score, part)})
    folder = write(tmp_path, text="20-24:1")
    assert asd.evaluate(folder, draws=10)["baselines"]["fixed"]["one"]["hit_at_3"] == 0.0
    write(tmp_path, text="20-24:4")
    assert asd.evaluate(folder, draws=10)["baselines"]["fixed"]["one"]["hit_at_3"] == 1.0


def test_the_scorer_sees_neither_labels_nor_the_rest_of_the_test(tmp_path: Path) -> None:
    (series,) = series_in(write(tmp_path))
    whole = asd.hearthwatch(series.train, series.test)
    begun = asd.hearthwatch(series.train, series.test[:60])
    np.testing.assert_array_equal(whole.score[:60], begun.score)
    np.testing.assert_array_equal(whole.part[:60], begun.part)


def test_rivals_are_not_disturbed_by_constant_metrics_and_are_the_same_each_time(tmp_path: Path) -> None:
    (series,) = series_in(write(tmp_path))
    train, test = (np.concatenate([array, np.full((STEPS, 1), 3.0)], axis=1) for array in (series.train, series.test))
    for name, rival in asd_rivals.RIVALS.items():
        found = rival(train, test)
        assert np.isfinite(found.score).all(), name
        assert found.part.shape == test.shape
        np.testing.assert_array_equal(found.score, rival(train, test).score)
        if name != "random":
            assert (found.part[:, METRICS] == 0).all(), name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("train", [np.zeros((STEPS, METRICS)), np.full((STEPS, METRICS), 7.5), 1e140 * values()])
def test_a_past_without_any_movement_and_huge_numbers_are_judged_all_the_same(tmp_path: Path, train: Floats) -> None:
    test = 1e140 * values(seed=2)
    answer = asd.evaluate(write(tmp_path, train=train, test=test), draws=3)
    for method in (answer["results"], *answer["baselines"].values()):
        assert 0.0 < method["one"]["average_precision"] <= 1.0


def test_on_real_servers_it_is_clearly_ahead_of_pca_and_isolation_forest(
    third_party_data: Path, tmp_path: Path
) -> None:
    for kind, end in (("npz", "npz"), ("interpretation_label", "txt")):
        (tmp_path / kind).mkdir()
        for name in ("omi-2", "omi-8"):
            (tmp_path / kind / f"{name}.{end}").symlink_to(third_party_data / "asd" / kind / f"{name}.{end}")
    answer = asd.evaluate(tmp_path, draws=10)
    ours = answer["results"]
    for rival in ("pca", "pca_smoothed", "isolation_forest", "isolation_forest_smoothed", "largest_z", "random"):
        theirs = answer["baselines"][rival]
        for name in ("omi-2", "omi-8"):
            assert ours[name]["average_precision"] > theirs[name]["average_precision"] + 0.2, (rival, name)
        assert ours["mean"]["hit_at_3"] >= theirs["mean"]["hit_at_3"]
    assert ours["mean"]["segments"] == 9
