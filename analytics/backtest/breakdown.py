"""The figures of a backtest by risk, by model, by part and by week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.predicting import Predicted
from analytics.backtest.refusals import Refusal
from analytics.backtest.rows import FEWEST_FAILING, Rows
from analytics.backtest.warned import Told, Warned
from analytics.evaluation import Failure
from analytics.panel import day_start

SHARES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
"""Bands of risk by share of the device-days: failures are rare, so the top is cut finely."""
TIES = 1e-12
FEWEST_FORESEEABLE = 10
MOST_GROUPS = 50


def breakdown_of(case: Case, test: Rows, predicted: Predicted, warned: Warned) -> Told:
    """``calibration``, ``by_model``, ``by_part`` and ``weeks``."""
    refused = []
    foreseeable = len(warned.chosen.foreseeable)
    calibration = None
    if foreseeable >= FEWEST_FORESEEABLE:
        calibration = _bands(test, predicted)
    else:
        why = (
            f"{foreseeable} failures to judge by are too few to compare what was said with what happened, band by band"
        )
        refused.append(Refusal("calibration", why, f"{FEWEST_FORESEEABLE - foreseeable} more failures after the cut"))
    models = [case.models[code] if code >= 0 else "" for code in case.background.model.tolist()]
    first = case.panel.first_day
    by_model, few_models = _groups(warned, {failure: models[failure[0]] for failure in warned.chosen.foreseeable})
    by_part, few_parts = _groups(
        warned,
        {failure: case.failures.get((failure[0], failure[1] + first), "") for failure in warned.chosen.foreseeable},
    )
    for figure, few in (("by_model", few_models), ("by_part", few_parts)):
        if few:
            names = ", ".join(f"{name or 'no model'} ({count})" for name, count in few[:12]) + (
                " ..." if len(few) > 12 else ""
            )
            why = f"fewer than {FEWEST_FAILING} failures to judge by: {names}"
            refused.append(Refusal(figure, why, f"{FEWEST_FAILING} failures of each after the cut"))
    return Told(
        {"calibration": calibration, "by_model": by_model, "by_part": by_part, "weeks": _weeks(case, test, warned)},
        refused,
    )


def _bands(test: Rows, predicted: Predicted) -> Sequence[Mapping[str, Any]]:
    order = np.argsort(predicted.known, kind="stable")
    ordered = predicted.known[order]
    wanted = {round(share * len(order)) for share in SHARES}
    # No band begins among rows of one risk.
    edges = sorted(edge for edge in wanted if edge in {0, len(order)} or ordered[edge] > ordered[edge - 1] + TIES)
    found = []
    for begin, end in pairwise(edges):
        rows = order[begin:end]
        said = predicted.known[rows]
        found.append(
            {
                "from": float(said[0]),
                "to": float(said[-1]),
                "rows": len(rows),
                "said": float(said.mean()),
                "observed": float(test.failed[rows].mean()),
                "positives": int(test.failed[rows].sum()),
            }
        )
    return found


def _groups(warned: Warned, named: Mapping[Failure, str]) -> tuple[Sequence[Mapping[str, Any]], list[tuple[str, int]]]:
    """Figures of the groups with enough failures, the largest first, and the others with how many they have."""
    alerts = warned.chosen
    members: dict[str, list[Failure]] = {}
    for failure, name in named.items():
        members.setdefault(name, []).append(failure)
    found: list[Mapping[str, Any]] = []
    few: list[tuple[str, int]] = []
    for name, failures in sorted(members.items(), key=lambda one: (-len(one[1]), one[0])):
        if len(failures) < FEWEST_FAILING:
            few.append((name, len(failures)))
            continue
        leads = [alerts.leads[failure] for failure in failures if failure in alerts.foretold]
        found.append(
            {
                "name": name or None,
                "failures": len(failures),
                "foretold": len(leads),
                "share": len(leads) / len(failures),
                "lead_days_median": float(np.median(leads)) if leads else None,
            }
        )
    return found[:MOST_GROUPS], few


def _weeks(case: Case, test: Rows, warned: Warned) -> Sequence[Mapping[str, Any]]:
    """Failures of each week after the cut, foretold and not, and the alerts that began in it without one."""
    alerts = warned.chosen
    last = case.panel.days - 1
    weeks = []
    for begin in range(case.cut, last + 1, 7):
        mine = {failure for failure in alerts.foreseeable if begin < failure[1] <= begin + 7}
        rows = int(((test.day >= begin) & (test.day < begin + 7)).sum())
        if not rows and not mine:
            continue
        began = (alerts.spells.begin >= begin) & (alerts.spells.begin < begin + 7)
        weeks.append(
            {
                "from": day_start(case.panel.first_day + begin).date().isoformat(),
                "foretold": len(mine & alerts.foretold),
                "missed": len(mine - alerts.foretold),
                "false_alarms": int((began & ~alerts.right).sum()),
                "device_days": rows,
            }
        )
    return weeks
