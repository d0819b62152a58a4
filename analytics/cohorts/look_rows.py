"""A look as it is written down: numbers, verdict, and what a page shows beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analytics.cohorts.decision import Decision
from analytics.cohorts.detail import contributors, strata_detail
from analytics.cohorts.evidence import Evidence
from analytics.cohorts.panel import time_of
from analytics.cohorts.spec import Metric
from analytics.cohorts.streams import Stream
from analytics.cohorts.verdict import Standing, Verdict, late_alarm, on_watch_list
from analytics.cohorts.weighing import Basis, Ratio, Weight
from analytics.sequential.detector import RUN_LENGTH_DAYS
from hearthwatch.records.look_ledger import RecordedLook
from hearthwatch.said import all_told, as_told
from hearthwatch.values import Release

_LARGEST_E = 700.0  # natural logarithm: what a float still holds


@dataclass(frozen=True, slots=True)
class Look:
    """One stream at this look."""

    release: Release
    stream: Stream
    weight: Weight
    evidence: Evidence

    @property
    def metric(self) -> Metric:
        """What it is about."""
        return self.stream.metric


def row_of(
    look: Look, verdict: Verdict, standing: Standing, decision: Decision | None, hour: int, margin: float
) -> RecordedLook:
    """The numbers of a look at the hour (since 1970)."""
    weight, ratio = look.weight, verdict.ratio
    return RecordedLook(
        metric=look.metric.name,
        at=time_of(hour),
        verdict=verdict.word,
        why=verdict.why,
        e=finite_e(weight.log_e),
        devices_treatment=weight.devices[0],
        devices_control=weight.devices[1],
        hours_treatment=weight.hours[0],
        hours_control=weight.hours[1],
        events_treatment=weight.events[0],
        events_control=weight.events[1],
        e_rate=None if weight.log_e_rate is None else finite_e(weight.log_e_rate),
        e_first=None if weight.log_e_first is None else finite_e(weight.log_e_first),
        ratio=ratio.value if ratio and np.isfinite(ratio.value) else None,
        low=ratio.low if ratio else None,
        high=ratio.high if ratio and np.isfinite(ratio.high) else None,
        detail={**_detail(look, standing, decision, margin), "said": all_told(verdict.said)},
    )


def _detail(look: Look, standing: Standing, decision: Decision | None, margin: float) -> Mapping[str, Any]:
    weight, metric, evidence = look.weight, look.metric, look.evidence
    basis = Basis(weight.assignment == "randomised", look.stream.past.rates)
    sums = basis.of(look.stream) if metric.repeats and weight.rate is not None else look.stream.everyone
    of_device = evidence.fleet.strata.of_device
    cap = float(evidence.cap) if metric.source == "reboots" else look.stream.cap
    return {
        "kind": metric.kind,
        "unit": metric.unit,
        "direction": metric.direction,
        "margin": metric.margin or margin,
        "bounds": list(metric.bounds),
        "first_wave": evidence.first_wave,
        "last_arrival": evidence.last_arrival,
        "pre_hours": evidence.pre_hours,
        "cap": cap if np.isfinite(cap) else None,
        "assignment": weight.assignment,
        "devices_with_events": list(weight.devices_with_events),
        "unadjusted": _as_list(weight.unadjusted),
        "first": _as_list(weight.first),
        "before": weight.before,
        "arms_differed": weight.arms_differed,
        "arms_drifted": weight.arms_drifted,
        "beta": weight.beta,
        "needed": standing.needed,
        "suspicion": _as_list(weight.suspicion),
        "watch_list": on_watch_list(weight, standing),
        "late": _late(weight, standing),
        "decision": _foretold(decision),
        "strata": strata_detail(sums, of_device, evidence.fleet.places),
        "contributors": contributors(sums, evidence.fleet.ids, of_device),
        "adoption": list(evidence.adoption),
    }


def _foretold(decision: Decision | None) -> Mapping[str, Any] | None:
    return {**asdict(decision), "said": as_told(decision.says)} if decision is not None else None


def _late(weight: Weight, standing: Standing) -> Mapping[str, Any] | None:
    late = weight.late
    if late is None:
        return None
    return {
        "e": finite_e(late.log_e),
        "threshold": RUN_LENGTH_DAYS,
        "needed": standing.late_needed if np.isfinite(standing.late_needed) else None,
        "since": time_of(late.since).isoformat().replace("+00:00", "Z"),
        "ratio": late.ratio,
        "whole": late.whole,
        "alarm": late_alarm(weight),
    }


def _as_list(ratio: Ratio | None) -> list[float | None] | None:
    if ratio is None:
        return None
    return [value if np.isfinite(value) else None for value in (ratio.value, ratio.low, ratio.high)]


def finite_e(log_e: float) -> float:
    """The e-value, as far as a float holds it."""
    return float(np.exp(min(log_e, _LARGEST_E)))
