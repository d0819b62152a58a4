"""`hearthwatch evaluate`: published and own benchmark suites, nothing tuned per suite, with what people use today beside ours."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analytics.suites import asd, asd_files, asos, backblaze, cmapss, cohorts, nab, nab_files
from hearthwatch.errors import Invalid
from hearthwatch.run import asd_table, backblaze_table, cmapss_table, nab_table
from hearthwatch.run.printing import show

Suite = Literal["asd", "asos", "backblaze", "cmapss", "cohorts", "nab"]
SUITES: tuple[str, ...] = get_args(Suite)
REPLICATIONS = 2000
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH

Told = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked. None where an option was not given; ``replications``, ``only``, ``jobs`` and ``seed`` are of `cohorts` alone."""

    suite: str
    data: Path | None
    replications: int | None = None
    only: str | None = None
    jobs: int | None = None
    seed: int | None = None


def run_evaluation(options: Options, *, as_json: bool) -> None:
    """Run a suite and print what came out: one JSON object, or lines for people."""
    began = time.perf_counter()
    if options.suite == "cohorts":
        found = _cohorts(options)
    elif options.suite == "asos":
        found = _asos(options)
    elif options.suite == "asd":
        found = _asd(options)
    elif options.suite == "backblaze":
        found = backblaze.evaluate(_folder_alone(options, "Drive Stats' daily files like 2013-04-10.csv.gz"))
    elif options.suite == "cmapss":
        found = cmapss.evaluate(_folder_alone(options, "train_FD001.txt and the like"))
    elif options.suite == "nab":
        found = _nab(options)
    else:
        raise Invalid(f"there is no suite {options.suite!r}; there are {', '.join(SUITES)}")
    answer = {"suite": options.suite, "seconds": round(time.perf_counter() - began, 1), **found}
    if as_json:
        show(answer, as_json=True)
        return
    for line in _LINES[options.suite](answer):
        typer.echo(line)


def _cohorts(options: Options) -> dict[str, Any]:
    kept = _folder_to_keep_in(options.data)
    chosen = cohorts.Options(
        replications=REPLICATIONS if options.replications is None else options.replications,
        jobs=options.jobs or 1,
        seed=1 if options.seed is None else options.seed,
        only=options.only,
        kept=kept,
    )
    with _progress() as told:
        return cohorts.evaluate(chosen, told)


def _asos(options: Options) -> dict[str, Any]:
    return asos.evaluate(_folder_alone(options, asos.FILE))


def _asd(options: Options) -> dict[str, Any]:
    data = _folder_alone(options, f"{asd_files.ARCHIVES}/NAME.npz and {asd_files.INTERPRETATIONS}/NAME.txt")
    with _progress("methods") as told:
        return asd.evaluate(data, told)


def _nab(options: Options) -> dict[str, Any]:
    if options.only not in (None, nab.PERTURBATION):
        raise Invalid(
            f"the suite nab knows --only {nab.PERTURBATION} (each constant 25 % lower and higher), not {options.only}"
        )
    data = _folder_alone(replace(options, only=None), f"data/CATEGORY/NAME.csv and {nab_files.LABELS}")
    with _progress("constants") as told:
        return nab.evaluate(data, told, perturb=options.only is not None)


def _folder_alone(options: Options, holds: str) -> Path:
    """The folder of a suite that takes nothing else."""
    given = {name for name in ("replications", "only", "jobs", "seed") if getattr(options, name) is not None}
    if given:
        raise Invalid(f"the suite {options.suite} has nothing to do with --{', --'.join(sorted(given))}")
    if options.data is None:
        raise Invalid(f"the suite {options.suite} needs --data, the folder with {holds}")
    return options.data


def _folder_to_keep_in(data: Path | None) -> Path | None:
    """The folder, unless nothing may be written there: data that is shared read-only is left alone, also by root."""
    if data is None or not data.exists():
        return data
    if not data.is_dir():
        raise Invalid(f"--data {data} is a file; give a folder in which results are kept")
    if data.stat().st_mode & _WRITABLE and os.access(data, os.W_OK):
        return data
    typer.echo(f"{data} is read-only: nothing is kept, and a run that is ended begins anew", err=True)
    return None


@contextmanager
def _progress(of: str = "replications") -> Iterator[Told]:
    """A bar where a terminal is there, else nothing."""
    if not sys.stderr.isatty():
        yield lambda _name, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(of, total=None)
        yield lambda name, done, total: bar.update(task, description=name[:60], completed=done, total=total)


def cohort_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """A table for people: ours with its goal, and every rival, as "share detected / mean days"."""
    baselines: Mapping[str, Sequence[Mapping[str, Any]]] = answer["baselines"]
    yield " | ".join(("scenario", "devices", "ratio", "frailty", "replications", "hearthwatch", "goal", *baselines))
    of_cell = {name: {_cell(row): row for row in rows} for name, rows in baselines.items()}
    for row in answer["results"]:
        rivals = (of_cell[name].get(_cell(row)) for name in baselines)
        cells = [row["scenario"], row["devices"], f"{row['ratio']:g}", f"{row['frailty']:g}", row["replications"]]
        cells += [_said(row, error=True), _goal(row), *("" if rival is None else _said(rival) for rival in rivals)]
        yield " | ".join(str(cell) for cell in cells)


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("scenario", "devices", "ratio", "frailty"))


def _said(row: Mapping[str, Any], *, error: bool = False) -> str:
    share = f"{100 * row['detected']:.2f}"
    said = f"{share} +- {100 * row['detected_se']:.2f} %" if error else f"{share} %"
    if row["detected"] > 0:
        said += f" / {row['mean_days']:.2f} d"
    if "false_discovery_rate" in row:
        said += f", {100 * row['false_discovery_rate']:.1f} % of all found false"
    return said


def _goal(row: Mapping[str, Any]) -> str:
    if row["goal"] is None:
        return "-"
    if row["met"]:
        return "met"
    return "missed: " + ", ".join(f"{name} by {value:g}" for name, value in row["missed_by"].items())


def asos_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """A table for people: the share of series flagged at any daily look, and at the end."""
    for name, told in (("hearthwatch", answer["results"]), *answer["baselines"].items()):
        yield (
            f"{name:<16} {told['series']} series, flagged at any look {100 * told['flagged_any_look']:.1f} %, "
            f"at the end {100 * told['flagged_end']:.1f} %"
        )


_LINES: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "asd": asd_table.lines,
    "asos": asos_lines,
    "backblaze": backblaze_table.lines,
    "cmapss": cmapss_table.lines,
    "cohorts": cohort_lines,
    "nab": nab_table.lines,
}
