"""Some failures that would have been foretold, some that would have been missed and some false alarms, each with its reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.predicting import Predicted
from analytics.backtest.rows import Rows
from analytics.backtest.warned import Told, Warned
from analytics.explanation import deltas, typical
from analytics.features import Feature
from analytics.hazard import Matrix
from analytics.panel import Ints, day_start

FORETOLD, MISSED, FALSE = 8, 6, 4
MOST_REASONS = 4
MEDIAN_ROWS = 100_000
"""What is usual is told from about so many rows."""
MIN_POINTS = 0.0005
"""A metric that moves the probability by less than a twentieth of a point is no reason."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row of the test that an example shows: ``row`` is where its reasons are taken from."""

    row: int
    facts: Mapping[str, Any]


def examples_of(case: Case, test: Rows, predicted: Predicted, warned: Warned) -> Told:
    """``examples``: the surest of the foretold failures and of the false alarms; of the missed ones the nearest and the farthest."""
    lots = {
        "foretold": _foretold(case, test, predicted, warned)[:FORETOLD],
        "missed": _ends(_missed(case, test, predicted, warned), MISSED),
        "false": _false(case, test, predicted, warned)[:FALSE],
    }
    rows = np.array([shown.row for lot in lots.values() for shown in lot], dtype=np.int64)
    reasons = iter(_reasons(case, test, predicted, rows))
    told = {
        name: [{**shown.facts, "reasons": (why := next(reasons)), **_verdict(name, shown, why)} for shown in lot]
        for name, lot in lots.items()
    }
    return Told({"examples": told})


def _ends(shown: list[_Shown], most: int) -> list[_Shown]:
    """Of many those at both ends."""
    return shown if len(shown) <= most else [*shown[: most - most // 2], *shown[-(most // 2) :]]


def _foretold(case: Case, test: Rows, predicted: Predicted, warned: Warned) -> list[_Shown]:
    alerts, found = warned.chosen, []
    for failure in alerts.foretold:
        device, day = failure
        flagged = day - alerts.leads[failure]
        row = _row(test, device, flagged)
        found.append(
            _Shown(
                row,
                {
                    **_device(case, device),
                    "flagged_on": _date(case, flagged),
                    "failed_on": _date(case, day),
                    "part": case.failures.get((device, day + case.panel.first_day)),
                    "lead_days": int(alerts.leads[failure]),
                    "probability": float(predicted.known[row]),
                },
            )
        )
    return sorted(found, key=lambda shown: (-shown.facts["probability"], shown.row))


def _missed(case: Case, test: Rows, predicted: Predicted, warned: Warned) -> list[_Shown]:
    alerts, found = warned.chosen, []
    ordered = np.sort(predicted.known)
    for device, day in alerts.foreseeable - alerts.foretold:
        mine = _rows_of(test, device)
        window = mine[(test.day[mine] < day) & (test.day[mine] >= day - case.horizon)]
        row = int(window[np.argmax(predicted.known[window])])
        probability = float(predicted.known[row])
        found.append(
            _Shown(
                row,
                {
                    **_device(case, device),
                    "failed_on": _date(case, day),
                    "part": case.failures.get((device, day + case.panel.first_day)),
                    "highest_on": _date(case, int(test.day[row])),
                    "probability": probability,
                    "higher_than": float(np.searchsorted(ordered, probability) / len(ordered)),
                    "threshold": float(alerts.threshold) if np.isfinite(alerts.threshold) else None,
                    "days_seen": len(window),
                },
            )
        )
    return sorted(found, key=lambda shown: (-shown.facts["probability"], shown.row))


def _false(case: Case, test: Rows, predicted: Predicted, warned: Warned) -> list[_Shown]:
    spells, found = warned.chosen.spells, []
    for place in np.flatnonzero(~warned.chosen.right).tolist():
        device, begin, end = (int(part[place]) for part in (spells.device, spells.begin, spells.end))
        row = _row(test, device, begin)
        facts = {
            **_device(case, device),
            "flagged_on": _date(case, begin),
            "until": _date(case, end),
            "probability": float(predicted.known[row]),
        }
        found.append(_Shown(row, facts))
    return sorted(found, key=lambda shown: (-shown.facts["probability"], shown.row))


def _verdict(name: str, shown: _Shown, reasons: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Why a failure was missed, in words; nothing to add to the others."""
    if name != "missed":
        return {}
    facts = shown.facts
    if not reasons:
        why = "nothing it reported set it apart from devices that did not fail"
    else:
        why = (
            f"it stood out, by {reasons[0]['metric']} first, but less than the alerts that the budget allows: higher than "
            f"{facts['higher_than']:.1%} of all device-days"
        )
    if facts["days_seen"] <= 2:
        why += f"; there were readings on only {facts['days_seen']} of the days before it"
    return {"why": why}


def _reasons(case: Case, test: Rows, predicted: Predicted, rows: Ints) -> list[list[Mapping[str, Any]]]:
    if not len(rows):
        return []
    usual = typical(test.features[:: max(1, len(test.features) // MEDIAN_ROWS)])
    names, change = deltas(predicted.model, test.features[rows], usual, case.columns, case.horizon)
    found = []
    for place, row in enumerate(rows.tolist()):
        order = np.argsort(-change[place], kind="stable")[:MOST_REASONS]
        found.append(
            [
                _reason(case, names[number], float(change[place, number]), test.features[row], usual)
                for number in order
                if change[place, number] >= MIN_POINTS
            ]
        )
    return found


def _reason(case: Case, metric: str, points: float, row: Matrix, usual: Matrix) -> Mapping[str, Any]:
    says = [
        words
        for place, column in enumerate(case.columns)
        if column.metric == metric and (words := _says(case, column, float(row[place]), float(usual[place])))
    ]
    text = f"{metric} adds {100 * points:.1f} points" + (f": {', '.join(says)}" if says else "")
    return {"metric": metric, "points": round(100 * points, 2), "text": text}


def _says(case: Case, column: Feature, value: float, usual: float) -> str:
    """What one view of a metric says of a row; empty where it says nothing a person would ask for."""
    if np.isnan(value):
        return ""
    counter = column.metric in case.panel.totals
    if column.view == "total":
        return f"it stands at {value:.6g} (usually {usual:.6g})"
    if column.view == "mean_7":
        what = (
            "grew by {0:.4g} a day in 7 days (usually {1:.4g})"
            if counter
            else "{0:.4g} in the last 7 days (usually {1:.4g})"
        )
        return what.format(value, usual)
    if column.view == "peers" and abs(value) >= 2:
        return f"{abs(value):.0f} deviations {'above' if value > 0 else 'below'} its peers"
    if column.view == "days":
        return f"{value:.0f} days (usually {usual:.0f})" if not np.isnan(usual) else f"{value:.0f} days"
    return ""


def _device(case: Case, device: int) -> Mapping[str, Any]:
    code = int(case.background.model[device])
    return {"device": case.panel.devices[device], "model": case.models[code] if code >= 0 else None}


def _date(case: Case, day: int) -> str:
    return day_start(case.panel.first_day + day).date().isoformat()


def _rows_of(test: Rows, device: int) -> Ints:
    """The rows of a device; rows are in order of devices, then days."""
    begin, end = np.searchsorted(test.device, [device, device + 1])
    return np.arange(begin, end)


def _row(test: Rows, device: int, day: int) -> int:
    mine = _rows_of(test, device)
    return int(mine[np.searchsorted(test.day[mine], day)])
