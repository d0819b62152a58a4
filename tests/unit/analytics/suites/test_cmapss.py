"""The suite `cmapss`: reading the engines' files, and how forecasts are judged."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analytics.remaining_life.histories import Floats
from analytics.suites import cmapss
from analytics.suites.cmapss_files import COLUMNS, read_sets
from analytics.suites.cmapss_scores import Judged, Told, nasa_score
from hearthwatch.errors import Invalid, Missing
from hearthwatch.run import cmapss_table


def rows(seed: int, engines: int, *, cut: bool = False) -> tuple[list[str], list[int]]:
    """Lines of engines whose second and third sensor show wear, and the cycles each had left."""
    rng = np.random.default_rng(seed)
    lines, left = [], []
    for engine in range(1, engines + 1):
        life = int(rng.integers(60, 120))
        until = int(rng.integers(25, life)) if cut else life
        left.append(life - until)
        for cycle in range(1, until + 1):
            sensors = np.full(COLUMNS - 5, 500.0)
            sensors[1:3] += rng.normal(10.0 * (cycle / life) ** 2, 0.5)
            lines.append(" ".join(f"{value:.4f}" for value in (engine, cycle, 0.0, 0.0, 100.0, *sensors)) + "  ")
    return lines, left


def write(folder: Path, name: str = "FD001", *, test: bool = True) -> Path:
    """A small set in the published format."""
    (folder / f"train_{name}.txt").write_text("\n".join(rows(1, 20)[0]) + "\n")
    if test:
        lines, left = rows(2, 10, cut=True)
        (folder / f"test_{name}.txt").write_text("\n".join(lines) + "\n")
        (folder / f"RUL_{name}.txt").write_text("".join(f"{cycles} \n" for cycles in left) + "\n")
    return folder


def test_a_folder_without_the_files_is_told_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"train_FD001.*nasa\.gov"):
        cmapss.evaluate(tmp_path)


@pytest.mark.parametrize("lacking", ["test", "RUL"])
def test_half_a_test_is_an_error_that_names_the_other_half(tmp_path: Path, lacking: str) -> None:
    (write(tmp_path) / f"{lacking}_FD001.txt").unlink()
    with pytest.raises(Missing, match=f"no {lacking}_FD001"):
        cmapss.evaluate(tmp_path)


def _with(line: int, change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda lines: [change(one) if place == line - 1 else one for place, one in enumerate(lines)]


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("train", _with(7, lambda line: line + " 1.0"), r"train_FD001\.txt, line 7: 27 numbers where 26 belong"),
        ("train", _with(3, lambda line: line.replace("500.0000", "oops", 1)), r"line 3: .*oops"),
        ("train", _with(3, lambda line: line.replace("500.0000", "nan", 1)), "line 3: a value is not finite"),
        ("train", lambda lines: [lines[1], lines[0], *lines[2:]], "engine 1: .*grow"),
        ("train", lambda _lines: [], "is empty"),
        ("test", lambda lines: ["engine,cycle"], r"test_FD001\.txt, line 1: 1 numbers where 26 belong"),
        ("RUL", lambda lines: lines[:-3], "has 9 lines, but .*test_FD001.txt has 10 engines"),
        ("RUL", _with(4, lambda _line: "-3"), "line 4: an engine has fewer than no cycles left"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(
    tmp_path: Path, name: str, damage: Callable[[list[str]], list[str]], words: str
) -> None:
    path = write(tmp_path) / f"{name}_FD001.txt"
    path.write_text("\n".join(damage(path.read_text().split("\n"))))
    with pytest.raises(Invalid, match=words):
        cmapss.evaluate(tmp_path)


def test_a_file_that_only_claims_to_be_gzipped_is_named(tmp_path: Path) -> None:
    (tmp_path / "train_FD001.txt.gz").write_text("1 2 3")
    with pytest.raises(Invalid, match=r"train_FD001\.txt\.gz cannot be read"):
        cmapss.evaluate(tmp_path)


def test_plain_and_gzipped_files_are_the_same_engines(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed" / "CMAPSSData"
    plain.mkdir()
    packed.mkdir(parents=True)
    for path in list(write(plain).iterdir()):
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    (one,), (other,) = read_sets(plain), read_sets(packed.parent)
    assert [engine.failed_at for engine in one.train] == [engine.failed_at for engine in other.train]
    assert all(engine.failed_at is None for engine in one.test)
    assert one.left.tolist() == other.left.tolist()
    np.testing.assert_array_equal(one.test[3].signals, other.test[3].signals)


def test_line_ends_of_windows_and_further_blanks_change_nothing(tmp_path: Path) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    for folder in (plain, other):
        folder.mkdir()
        write(folder)
    for path in other.iterdir():
        lines = path.read_text().splitlines()
        path.write_bytes("".join(f"  {line.replace(' ', '   ')} \t\r\n" for line in lines).encode() + b"\r\n \r\n")
    (one,), (two,) = read_sets(plain), read_sets(other)
    assert one.left.tolist() == two.left.tolist()
    np.testing.assert_array_equal(one.train[-1].signals, two.train[-1].signals)
    np.testing.assert_array_equal(one.test[-1].age, two.test[-1].age)


def test_a_set_with_a_test_is_judged_on_it_and_one_without_on_engines_left_out(tmp_path: Path) -> None:
    write(write(tmp_path), "FD003", test=False)
    answer = cmapss.evaluate(tmp_path)
    told = answer["results"]
    assert (told["FD001"]["protocol"], told["FD001"]["engines"]) == ("test", 10)
    assert (told["FD003"]["protocol"], told["FD003"]["engines"]) == ("training engines left out", 20)
    assert told["pooled"]["engines"] == 10
    assert told["pooled"]["left_out"]["engines"] == 40
    assert set(answer["baselines"]) == {"trees_without_own_start", "mean_life", "linear"}
    assert told["FD003"]["rmse"] < answer["baselines"]["mean_life"]["FD003"]["rmse"]
    assert told["FD003"] | {"left_out": 0} == told["FD003"]["left_out"] | {
        "protocol": "training engines left out",
        "left_out": 0,
    }
    printed = list(cmapss_table.lines(answer))
    assert printed[0] == "remaining life capped at 125 cycles"
    assert printed[2].startswith(f"hearthwatch | FD001 | test | 10 | {told['FD001']['rmse']:.2f} [")
    assert len(printed) == 2 + 4 * 3 + len(answer["goals"])
    assert set(answer["goals"]) == {"FD001_rmse", "FD001_coverage", "FD003_rmse", "FD003_coverage", "pooled_coverage"}
    assert answer["goals"]["FD003_rmse"]["met"] == (told["FD003"]["rmse"] <= 10.5)


def judged(expected: list[float], low: list[float], high: list[float], life: list[float]) -> dict[str, object]:
    def made(values: list[float]) -> Floats:
        return np.array(values)

    told = Told(made(expected), np.column_stack([made(low), made(expected), made(high)]))
    engines = np.arange(len(life))
    return dict(Judged.of(told, made(life), engines, np.ones(len(life), dtype=bool)).numbers())


def test_figures_are_those_of_the_definitions() -> None:
    numbers = judged(
        [10.0, 20.0, 30.0, 40.0], [5.0, 25.0, 20.0, 30.0], [15.0, 30.0, 25.0, 125.0], [13.0, 24.0, 30.0, 125.0]
    )
    assert numbers["rmse"] == round(float(np.sqrt((9 + 16 + 0 + 85**2) / 4)), 2)
    assert (numbers["coverage"], numbers["below_p10"], numbers["above_p90"]) == (0.5, 0.25, 0.25)


def test_a_forecast_that_is_too_long_costs_more_than_one_too_short() -> None:
    early, late = nasa_score(np.array([-10.0, 10.0]))
    assert early == pytest.approx(np.exp(10 / 13) - 1)
    assert late == pytest.approx(np.e - 1)
    assert nasa_score(np.zeros(1)).tolist() == [0.0]


def test_an_engine_counts_once_however_long_it_ran() -> None:
    told = Told(np.zeros(101), np.tile([0.0, 0.0, 0.0], (101, 1)))
    life, engine = np.array([*[0.0] * 100, 8.0]), np.array([*[0] * 100, 1])
    numbers = Judged.of(told, life, engine, np.ones(101, dtype=bool)).numbers()
    assert numbers["rmse"] == round(float(np.sqrt(32.0)), 2)
    assert numbers["coverage"] == 0.5
