"""The whole of a backtest: reads the history, learns, predicts, and reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analytics.backtest.answer import answer_of
from analytics.backtest.breakdown import breakdown_of
from analytics.backtest.case import Case, case_of, check_length
from analytics.backtest.examples import examples_of
from analytics.backtest.predicting import Predicted, predict
from analytics.backtest.quality import quality_of
from analytics.backtest.refusals import Refusal, TooLittle
from analytics.backtest.rows import Rows, check_failures, rows_of, unseen_refused
from analytics.backtest.warned import warned_of
from analytics.evaluation import scores
from analytics.explanation import influences
from analytics.history_panel import panel_of_history
from analytics.panel import Flags, Floats, Ints, Panel, day_start
from hearthwatch.errors import Invalid
from hearthwatch.history import History, Survey, read_history, read_mapping

Progress = Callable[[str], None]
BASELINE = ("auc", "average_precision", "brier")
_SECTIONS = ("cut", "test", "unseen_devices", "baseline", "alerts", "answer", "budgets", "lead_days", "calibration")
_LISTS = ("reasons", "by_model", "by_part", "weeks")


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was said of every test row, and the report on it.

    ``device`` and ``day`` are indices; ``known`` are the probabilities of the model of all devices, ``unseen`` of those that never saw
    the row's device, ``by_age`` of the age-only hazard; ``fails_on`` is the day of the failure that a positive row foresees, else -1.
    """

    report: dict[str, Any]
    device: Ints
    day: Ints
    failed: Flags
    fails_on: Ints
    known: Floats
    unseen: Floats
    by_age: Floats


def backtest(
    path: Path,
    mapping: Path,
    *,
    cut: datetime | None,
    horizon: timedelta,
    now: datetime | None = None,
    progress: Progress = lambda _stage: None,
) -> dict[str, Any]:
    """Backtest a history. ``now``: readings of later days are of a clock that was wrong; ``progress`` hears of each stage in words.

    Raises `TooLittle` (an `Invalid`) naming what is missing (readings, days or failing devices on a side of the cut); its report
    holds the data quality all the same.
    """
    began = time.perf_counter()
    survey = Survey(now or datetime.now(UTC))
    history = read_history(path, read_mapping(mapping), survey)
    panel = panel_of_history(history, lambda rows: progress(f"reading: {rows:,} rows"))
    try:
        report = backtested(history, panel, cut=cut, horizon=horizon, progress=progress).report
    except TooLittle as little:
        told = {**(little.report or {}), "seconds": round(time.perf_counter() - began, 2)}
        raise TooLittle(little.message, where=little.where, refused=little.refused, report=told) from None
    return {**report, "seconds": round(time.perf_counter() - began, 2)}


def backtested(
    history: History,
    panel: Panel,
    *,
    cut: datetime | None,
    horizon: timedelta,
    progress: Progress = lambda _stage: None,
) -> Backtest:
    """As `backtest`, of a history that has been read, with what was said of every row; the report has no ``seconds``."""
    counted = {
        "devices": len(panel.devices),
        "readings": int(history.quality.readings),
        "failures": int(history.failures.num_rows),
        "horizon_days": horizon.days,
    }
    case = None
    try:
        case = case_of(history, panel, cut=cut, horizon=horizon)
        check_length(case)
        check_failures(case)
        progress("looking back from every day")
        train, test = rows_of(case)
    except TooLittle as little:
        report = {**_nothing(little.refused), **counted, "quality": quality_of(history, panel, case)}
        raise TooLittle(little.message, where=little.where, refused=little.refused, report=report) from None
    progress("learning")
    predicted = predict(case, train, test)
    progress("judging")
    report = _report(history, case, train, test, predicted)
    progress("")
    fails_on = np.where(test.failed, test.day + np.where(test.failed, test.to_failure, 0), -1).astype(np.int64)
    return Backtest(
        {**counted, **report},
        test.device,
        test.day,
        test.failed,
        fails_on,
        predicted.known,
        predicted.unseen,
        predicted.by_age,
    )


def _report(history: History, case: Case, train: Rows, test: Rows, predicted: Predicted) -> dict[str, Any]:
    warned = warned_of(case, train, test, predicted)
    refused: list[Refusal] = list(unseen_refused(case, train))
    parts: dict[str, Any] = {}
    for told in (
        answer_of(case, warned),
        breakdown_of(case, test, predicted, warned),
        examples_of(case, test, predicted, warned),
    ):
        parts |= told.figures
        refused += told.refused
    by_age = scores(predicted.by_age, test.failed)
    return {
        "cut": day_start(case.panel.first_day + case.cut).isoformat(),
        "test": scores(predicted.known, test.failed),
        "unseen_devices": None
        if any(one.figure == "unseen_devices" for one in refused)
        else scores(predicted.unseen, test.failed),
        "baseline": {name: by_age[name] for name in BASELINE},
        "reasons": influences(predicted.model, test.features, case.columns, predicted.known, case.horizon),
        **parts,
        "quality": quality_of(history, case.panel, case),
        "refused": [one.as_json() for one in refused],
    }


def _nothing(refused: tuple[Refusal, ...]) -> Mapping[str, Any]:
    """The keys of a report of which nothing can be said."""
    return {
        **dict.fromkeys(_SECTIONS),
        **{name: [] for name in _LISTS},
        "examples": {"foretold": [], "missed": [], "false": []},
        "refused": [one.as_json() for one in refused],
    }


__all__ = ["Backtest", "Invalid", "backtest", "backtested"]
