"""The answer a maker came for: how many failures would have been foretold, how early, at how many false alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from analytics.backtest.case import Case
from analytics.backtest.refusals import Refusal
from analytics.backtest.warned import DECLARED, ENOUGH_ALERTS, Told, Warned
from analytics.evaluation import Alerts
from analytics.panel import day_start

FEWEST_LEADS = 10
"""Failures that must be foretold before one in ten of them means anything."""


def answer_of(case: Case, warned: Warned) -> Told:
    """``answer`` with its words, ``alerts`` of the contract, ``budgets`` and ``lead_days``."""
    ours, by_age = warned.chosen, warned.by_age[warned.budget]
    refused = _refused(warned)
    leads = sorted(ours.leads[failure] for failure in ours.foretold)
    answer: dict[str, Any] = {
        "budget": warned.budget,
        "foretold": len(ours.foretold),
        "of": len(ours.foreseeable),
        "share": _share(len(ours.foretold), len(ours.foreseeable)),
        "not_judged": len(warned.failures - ours.foreseeable),
        "lead_days": {
            "median": float(np.median(leads)) if leads else None,
            "p10": float(np.quantile(leads, 0.1)) if len(leads) >= FEWEST_LEADS else None,
        },
        "alerts_per_1000_device_weeks": _per_1000_weeks(len(ours.right), ours),
        "false_per_1000_device_weeks": _per_1000_weeks(int((~ours.right).sum()), ours),
        "by_age": len(by_age.foretold),
    }
    answer["words"] = [*_words(case, answer)]
    counts = Counter(leads)
    return Told(
        {
            "answer": answer,
            "alerts": _contract(warned.ours[DECLARED]),
            "budgets": [_budget(budget, warned) for budget in warned.ours],
            "lead_days": [{"days": days, "failures": counts[days]} for days in sorted(counts)],
        },
        refused,
    )


def _contract(alerts: Alerts) -> Mapping[str, Any]:
    spells = len(alerts.right)
    return {
        "per_1000_device_weeks": _per_1000_weeks(spells, alerts),
        "precision": int(alerts.right.sum()) / spells if spells else None,
        "recall": _share(len(alerts.foretold), len(alerts.foreseeable)),
        "lead_days_median": float(np.median(list(alerts.leads.values()))) if alerts.leads else None,
    }


def _budget(budget: float, warned: Warned) -> Mapping[str, Any]:
    ours, by_age = warned.ours[budget], warned.by_age[budget]
    told = _contract(ours)
    return {
        "budget": budget,
        **told,
        "foretold": len(ours.foretold),
        "of": len(ours.foreseeable),
        "false_per_1000_device_weeks": _per_1000_weeks(int((~ours.right).sum()), ours),
        "threshold": float(ours.threshold) if np.isfinite(ours.threshold) else None,
        "by_age": len(by_age.foretold),
    }


def _refused(warned: Warned) -> list[Refusal]:
    refused = []
    declared, chosen = warned.ours[DECLARED], warned.chosen
    if DECLARED * declared.weeks / 1000 < ENOUGH_ALERTS:
        why = (
            f"at {DECLARED:g} alerts per 1,000 device-weeks the {declared.weeks:,.0f} device-weeks after the cut allow "
            f"{int(DECLARED * declared.weeks / 1000)}: what came of so few says nothing"
        )
        weeks = f"{1000 * ENOUGH_ALERTS / DECLARED - declared.weeks:,.0f} more device-weeks after the cut"
        refused.append(Refusal("alerts", why, weeks))
    if not len(declared.right):
        refused.append(Refusal("alerts.precision", "no alert stays within the budget", "an alert within the budget"))
    if not declared.leads:
        why = "no alert within the budget came before a failure"
        refused.append(Refusal("alerts.lead_days_median", why, "a failure that an alert preceded"))
    told = len(chosen.foretold)
    if not told:
        why = "no alert came before a failure, so there is no lead to tell of"
        refused.append(Refusal("answer.lead_days", why, "a failure that an alert preceded"))
    elif told < FEWEST_LEADS:
        why = f"one in ten of {told} foretold failures is less than one failure"
        refused.append(Refusal("answer.lead_days.p10", why, f"{FEWEST_LEADS - told} more foretold failures"))
    return refused


def _words(case: Case, answer: Mapping[str, Any]) -> list[str]:
    cut = day_start(case.panel.first_day + case.cut).date().isoformat()
    lead = answer["lead_days"]["median"]
    early = f", half of them {lead:g} or more days ahead" if lead is not None else ""
    share, false = answer["share"], answer["false_per_1000_device_weeks"]
    what = f"{answer['foretold']} of {answer['of']} failures after {cut} would have been foretold ({share:.0%})"
    words = [
        f"{what}{early}, at {false:.1f} false alarms per 1,000 device-weeks (of {answer['budget']:g} alerts that may be given).",
        f"By age alone, without telemetry, {answer['by_age']} of {answer['of']} at as many alerts.",
    ]
    if answer["not_judged"]:
        words.append(
            f"{answer['not_judged']} further failure{'' if answer['not_judged'] == 1 else 's'} could not be judged: no reading in the "
            f"{case.horizon} days before, or the device had failed before and no repair is known."
        )
    return words


def _per_1000_weeks(number: int, alerts: Alerts) -> float | None:
    # 1000 * 7 * n / rows: as the contract's figure is computed, to the last bit
    rows = round(alerts.weeks * 7)
    return 1000 * 7 * number / rows if rows else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
