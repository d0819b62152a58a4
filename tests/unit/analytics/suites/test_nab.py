"""The suite `nab`: the benchmark's own score, its files, and our detector on them."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.panel import Floats
from analytics.suites import nab, nab_rivals
from analytics.suites.nab_files import read
from analytics.suites.nab_scoring import PROFILES, best_threshold, judge, probation, results, score, worth
from hearthwatch.errors import Invalid, Missing

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


def stamp(point: int) -> str:
    return (BEGIN + timedelta(minutes=20 * point)).strftime("%Y-%m-%d %H:%M:%S")


def table(values: Floats) -> str:
    return "timestamp,value\n" + "".join(f"{stamp(point)},{value}\n" for point, value in enumerate(values))


def benchmark(folder: Path, **files: str) -> Path:
    """A folder like the original with one window, points 800 to 860, in each of `a/one.csv`, `a/two.csv` and `b/three.csv`."""
    windows = [[stamp(800) + ".000000", stamp(860) + ".000000"]]
    (folder / "labels").mkdir()
    (folder / "labels" / "combined_windows.json").write_text(
        json.dumps({"a/one.csv": windows, "a/two.csv": windows, "b/three.csv": windows, "b/none.csv": []})
    )
    (folder / "data" / "a").mkdir(parents=True)
    for name, text in files.items():
        (folder / "data" / "a" / f"{name}.csv").write_text(text)
    return folder


def course(fault: float = 0.0) -> Floats:
    values: Floats = np.random.default_rng(4).normal(20.0, 1.0, 1_000)
    values[805:812] += fault
    return values


def test_a_folder_without_labels_or_without_any_series_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"combined_windows\.json"):
        read(tmp_path)
    with pytest.raises(Missing, match="none of the 4 series"):
        read(benchmark(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,value\n", r"one\.csv has no column timestamp"),
        ("timestamp,value\n", r"one\.csv has no rows"),
        ("timestamp,value\nyesterday,1\n", r"one\.csv, line 2: 'yesterday' is no time"),
        (f"timestamp,value\n{stamp(0)},1\n{stamp(1)},much\n", r"one\.csv, line 3: 'much' is no number"),
        (f"timestamp,value\n{stamp(0)},1\n", r"a/one\.csv has no point from"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=words):
        read(benchmark(tmp_path, one=text))


def test_labels_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, one=table(course()))
    for text, words in (
        ("{", "is no JSON"),
        ("[]", "must be an object"),
        ('{"a/one.csv": [["x", "y"]]}', r"no \[first, last\]"),
    ):
        (folder / "labels" / "combined_windows.json").write_text(text)
        with pytest.raises(Invalid, match=words):
            read(folder)


def test_missing_series_are_skipped_and_counted_packed_ones_read_and_a_fault_found(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, one=table(course(fault=30.0)))
    (folder / "data" / "a" / "two.csv.gz").write_bytes(gzip.compress(table(course(fault=-30.0)).encode()))
    answer = nab.evaluate(folder, lambda _name, _done, _all: None)
    ours = answer["results"]
    assert (ours["series"], ours["missing"], ours["windows"], ours["found"]) == (2, 2, 2, 2)
    assert ours["standard"] > 80
    assert ours["without_lengths"]["standard"] > 80
    assert answer["baselines"]["null"]["standard"] == 0
    assert answer["baselines"]["Numenta HTM (published, 58 series)"]["standard"] == 70.5


def test_gaps_in_a_series_are_no_samples(tmp_path: Path) -> None:
    lines = table(course()).splitlines()
    lines[501] = f"{stamp(500)},"
    lines[601] = f"{stamp(600)},nan"
    lines[701] = f"{stamp(700)},-inf"
    benchmark_read = read(benchmark(tmp_path, one="\n".join(lines) + "\n"))
    (series,) = benchmark_read.series
    assert len(benchmark_read.missing) == 3
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [500, 600, 700]
    assert np.isfinite(np.delete(nab.novelty_of([series])[0], [500, 600, 700])).all()


def quiet(_name: str, _done: int, _all: int) -> None:
    """Nobody is told how far it is."""


def test_files_that_no_label_names_are_counted_and_not_judged(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, one=table(course(fault=30.0)), extra=table(course(fault=30.0)))
    (folder / "data" / "a" / "packed.csv.gz").write_bytes(b"never opened")
    assert read(folder).unlabelled == ("a/extra.csv", "a/packed.csv")
    ours = nab.evaluate(folder, quiet)["results"]
    assert (ours["series"], ours["missing"], ours["unlabelled"]) == (1, 3, 2)


@pytest.mark.parametrize("name", ["a/two.csv", "elsewhere/two.csv"])
def test_windows_that_cannot_count_leave_nothing_to_find(tmp_path: Path, name: str) -> None:
    folder = benchmark(tmp_path, one=table(course()))
    windows = {"a/one.csv": [[stamp(3), stamp(9)]], name: [[stamp(800), stamp(860)]]}
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    with pytest.raises(Invalid, match="nothing to find"):
        nab.evaluate(folder, quiet)


def test_clocks_put_back_marks_of_byte_order_and_zones_are_read_as_they_are_meant(tmp_path: Path) -> None:
    values = course(fault=30.0)
    points = [*range(500), *range(490, 990)]
    text = "timestamp,value\n" + "".join(
        f"{stamp(point)}+00:00,{value}\n" for point, value in zip(points, values, strict=True)
    )
    folder = benchmark(tmp_path, one="\ufeff" + text)
    (folder / "labels" / "combined_windows.json").write_text(
        json.dumps({"a/one.csv": [[stamp(495), stamp(499)], [stamp(790), stamp(850)]]})
    )
    (series,) = read(folder).series
    assert series.windows == ((495, 499), (800, 860))
    assert nab.evaluate(folder, quiet)["results"]["found"] >= 1


def test_a_window_between_rows_that_changed_places_reaches_from_the_earlier_to_the_later_row(tmp_path: Path) -> None:
    lines = table(course()).splitlines()
    lines[801], lines[861] = lines[861], lines[801]
    (series,) = read(benchmark(tmp_path, one="\n".join(lines) + "\n")).series
    assert series.windows == ((800, 860),)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("minutes", [1, 24 * 60])
def test_series_of_another_step_without_any_value_of_one_point_or_huge_stand_beside_the_others(
    tmp_path: Path, minutes: int
) -> None:
    def every(values: Floats) -> str:
        at = [BEGIN + timedelta(minutes=minutes * point) for point in range(len(values))]
        return "timestamp,value\n" + "".join(
            f"{when:%Y-%m-%d %H:%M:%S},{value}\n" for when, value in zip(at, values, strict=True)
        )

    series = {"one": course(fault=30.0), "void": np.full(1_000, np.nan), "single": np.ones(1), "huge": 1e300 * course()}
    folder = benchmark(tmp_path, **{name: every(values) for name, values in series.items()})
    window = [[f"{BEGIN + timedelta(minutes=minutes * point):%Y-%m-%d %H:%M:%S}" for point in (800, 860)]]
    labels = {f"a/{name}.csv": window if name == "one" else [] for name in series}
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(labels))
    answer = nab.evaluate(folder, quiet)
    assert (answer["results"]["series"], answer["results"]["gaps"], answer["results"]["found"]) == (4, 1_000, 1)
    json.dumps(answer, allow_nan=False)


def test_no_detection_is_zero_the_first_point_of_each_window_alone_a_hundred_and_everything_far_below() -> None:
    points = [worth(2_000, [(700, 760), (1_500, 1_560)])]
    never, first, always = np.zeros(2_000, dtype=bool), np.zeros(2_000, dtype=bool), np.ones(2_000, dtype=bool)
    first[[700, 1_500]] = True
    for profile in PROFILES.values():
        assert score([judge(never, points[0])], profile) == 0.0
        assert score([judge(first, points[0])], profile) == pytest.approx(100.0)
        assert score([judge(always, points[0])], profile) < 0.0


def test_detections_and_windows_in_the_probationary_period_do_not_count() -> None:
    assert (probation(1_000), probation(100_000)) == (150, 750)
    alarms = np.zeros(1_000, dtype=bool)
    alarms[:150] = True
    told = results([judge(alarms, worth(1_000, [(20, 60), (700, 760)]))])
    assert (told["windows"], told["found"], told["false_alarms"], told["standard"]) == (1, 0, 0, 0.0)


def test_the_score_is_the_benchmarks_own_on_random_scores() -> None:
    """Expected: another implementation of the score, verified against the results that numenta/NAB publishes."""
    scores = np.round(np.random.default_rng(1_000).random(1_000), 3)
    points = worth(1_000, [(200, 260), (700, 760)])
    found = [best_threshold([scores], [points], profile) for profile in PROFILES.values()]
    assert [threshold for threshold, _ in found] == [0.969, 0.993, 0.969]
    assert [value for _, value in found] == pytest.approx([31.374762, 14.925469, 54.249842], abs=1e-5)
    alarms = results([judge(scores >= 0.969, points)])
    assert (alarms["standard"], alarms["low_fn"]) == (31.37, 54.25)


@pytest.mark.parametrize(
    ("rival", "expected"),
    [("windowed_gaussian", (30.142108, 19.144673, 36.036767)), ("control_chart", (35.943254, 24.125588, 41.836566))],
)
def test_the_score_is_the_benchmarks_own_on_its_files(rival: str, expected: tuple[float, ...]) -> None:
    """As above, on the series of the benchmark that are at hand."""
    folder = Path(os.environ.get("HEARTHWATCH_DATA", "nowhere")) / "nab"
    if not folder.is_dir():
        pytest.skip("HEARTHWATCH_DATA has no NAB")
    series = read(folder).series
    if len(series) != 41:
        pytest.skip("the expected figures are of 41 series")
    scores = [nab_rivals.METHODS[rival](one.values) for one in series]
    points = [worth(len(one.values), one.windows) for one in series]
    found = [best_threshold(scores, points, profile)[1] for profile in PROFILES.values()]
    assert found == pytest.approx(expected, abs=1e-5)
