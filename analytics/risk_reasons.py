"""What speaks for and against a high probability, in ids and numbers that become sentences when somebody reads them.

For: the groups of metrics with the largest Shapley values, each with the device's place among its peers. Against: the group that lowers
the risk most, and what is as usual on the device although it need not be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.artifacts import Artifact
from analytics.decision.peers import Peers, Place, Ranked
from analytics.decision.shapley import shapley
from analytics.features import Feature
from analytics.hazard import Matrix
from analytics.panel import Floats, Ints, Panel
from analytics.signals import BY_ID, SIGNALS
from analytics.training.names import JUDGED_AT
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.metrics import BY_NAME
from hearthwatch.reason_words import AGAINST, RAISES, sentence
from hearthwatch.reasons import reason_of
from hearthwatch.values import Device

EXPLAIN_FROM = 0.1
MOST_EXPLAINED = 60
"""So many of each model and part are explained though nothing was decided about them; what is near its line always is."""
MOST_REASONS = 4
MIN_POINTS = 0.01
MOST_USUAL = 3
USUAL_UP_TO = 90
"""Per cent of the peers a value may leave behind, on the side that worries, and still be called usual."""
COUNT_DAYS, RECENT_DAYS = 7, 3
_LEVELS = ("mean_7", "today", "total", "days")
_COUNTS = {UNEXPECTED_REBOOTS: "reboots", "wifi_reconnects": "connection_breaks"}

Reason = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explained:
    """At most `MOST_REASONS` reasons, strongest first, and what speaks against it."""

    reasons: Sequence[Reason]
    against: Reason | None


UNEXPLAINED = Explained((), None)
"""What is said of a risk too low to ask why."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a device model's devices are compared in beside a model's own columns; all arrays by device.

    ``signals`` are recent means of the watched signals, ``counts`` how often something happened in the last `COUNT_DAYS`.
    """

    peers: Peers
    signals: Mapping[str, Floats]
    counts: Mapping[str, Floats]


def around(panel: Panel, devices: Sequence[Device], day: Ints) -> Around:
    """What surrounds the prognoses of a device model on the judged day of each device."""
    signals = {
        signal.id: _mean_until(panel.values[signal.id], day, RECENT_DAYS)
        for signal in SIGNALS
        if signal.id in panel.values
    }
    counts = {
        reason: _mean_until(panel.values[metric], day, COUNT_DAYS)
        for metric, reason in _COUNTS.items()
        if metric in panel.values
    }
    return Around(Peers.of([device.version or device.firmware for device in devices]), signals, counts)


def _mean_until(values: Floats, day: Ints, length: int) -> Floats:
    days = day[:, None] - np.arange(length)[None, :]
    recent = np.where(days >= 0, np.take_along_axis(values, np.maximum(days, 0), axis=1), np.nan)
    known = ~np.isnan(recent)
    count = known.sum(axis=1)
    total = np.where(known, recent, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def explained(
    artifact: Artifact, features: Matrix, rows: Ints, p30: Floats, nearby: Around, near_from: float
) -> dict[int, Explained]:
    """Explanations by place in ``rows``: of all that are near their line (``near_from``), and of the riskiest others.

    ``features`` are those of all devices of the model; ``rows`` name the ones that ``p30`` speaks of.
    """
    order = np.argsort(-p30, kind="stable")
    chosen = np.array(
        [
            place
            for rank, place in enumerate(order.tolist())
            if p30[place] >= near_from or (p30[place] >= EXPLAIN_FROM and rank < MOST_EXPLAINED)
        ],
        dtype=np.int64,
    )
    if not len(chosen):
        return {}
    names, weights = contributions(artifact, features[rows[chosen]])
    told = _Telling(artifact.columns, features, nearby)
    return {
        place: told.of(int(rows[place]), dict(zip(names, weights[at].tolist(), strict=True)), float(p30[place]))
        for at, place in enumerate(chosen.tolist())
    }


def contributions(artifact: Artifact, features: Matrix) -> tuple[tuple[str, ...], Floats]:
    """How much each reason raises each row's 30-day probability: ids of reasons, and an array (rows, reasons)."""
    of_column = [group_of(column) for column in artifact.columns]
    names = tuple(sorted(set(of_column)))
    groups = [np.array([one == name for one in of_column], dtype=bool) for name in names]

    def risk(rows: Matrix) -> Floats:
        return artifact.hazard.probabilities(rows, (JUDGED_AT,))[:, 0]

    return names, shapley(risk, features, artifact.typical, groups)


def group_of(column: Feature) -> str:
    """The reason that a column belongs to; a signal with words of its own (the daily loss of charge) is not its metric."""
    own = reason_of(column.metric)
    signal = BY_ID.get(column.metric)
    return reason_of(signal.metric) if signal is not None and own.endswith(f":{column.metric}") else own


class _Telling:
    """Tells of single devices what speaks for and against their risk."""

    def __init__(self, columns: Sequence[Feature], features: Matrix, nearby: Around) -> None:
        self._features = features
        self._nearby = nearby
        self._ranked: dict[int, Ranked] = {}
        self._signals = {name: nearby.peers.ranked(values) for name, values in nearby.signals.items()}
        self._columns: dict[str, list[tuple[int, Feature]]] = {}
        for place, column in enumerate(columns):
            self._columns.setdefault(group_of(column), []).append((place, column))

    def of(self, row: int, weights: Mapping[str, float], p30: float) -> Explained:
        """One device, from what each reason contributes to its probability."""
        least = min(MIN_POINTS, 0.1 * p30)
        order = sorted(weights, key=lambda name: -weights[name])
        raising = [name for name in order if weights[name] >= least][:MOST_REASONS]
        lowering = [name for name in reversed(order) if weights[name] <= -least][:1]
        reasons = [self._raises(row, name, weights[name]) for name in raising]
        return Explained(reasons, self._against(row, raising, lowering, weights))

    def _raises(self, row: int, reason: str, weight: float) -> Reason:
        metric, aspect, place = self._strongest(row, reason)
        known = any(not np.isnan(self._features[row, at]) for at, _ in self._columns[reason])
        values: dict[str, Any] = {"points": round(100 * weight, 1), "aspect": aspect if known else "missing"}
        if place is not None:
            values |= place.told()
        shown = self._value(row, reason, metric)
        if shown is not None:
            values["value"] = shown
        return _worded({"text_key": RAISES, "reason": reason, "metric": _reported(metric), "values": values})

    def _strongest(self, row: int, reason: str) -> tuple[str, str, Place | None]:
        """The metric of a reason that stands out most among the peers, by what it is or by how it has changed."""
        best: tuple[str, str, Place | None] = (self._columns[reason][0][1].metric, "level", None)
        for aspect, views in (("level", _LEVELS), ("change", ("own",))):
            for at, column in self._columns[reason]:
                if column.view not in views:
                    continue
                place = self._place(at, row)
                if place is not None and (best[2] is None or place.share > best[2].share):
                    best = column.metric, aspect, place
        return best

    def _place(self, column: int, row: int) -> Place | None:
        if column not in self._ranked:
            self._ranked[column] = self._nearby.peers.ranked(self._features[:, column].astype(np.float64))
        return self._ranked[column].place(row)

    def _value(self, row: int, reason: str, metric: str) -> str | None:
        """What the metric is at, with its unit, where it is one of the catalogue, or its logarithm."""
        raw = _reported(metric)
        unit = BY_NAME[raw].unit if raw in BY_NAME else "days" if raw in {"age", "service"} else None
        if unit is None or metric not in {raw, f"log_{raw}"}:
            return None
        for at, column in self._columns[reason]:
            value = float(self._features[row, at])
            if column.metric == metric and column.view in _LEVELS and not np.isnan(value):
                return f"{value if metric == raw else np.exp(value):.4g} {unit}"
        return None

    def _against(
        self, row: int, raising: Sequence[str], lowering: Sequence[str], weights: Mapping[str, float]
    ) -> Reason:
        told = {*raising, *lowering}
        none = [name for name, count in self._nearby.counts.items() if name not in told and count[row] == 0]
        usual = [name for name in self._usual(row) if name not in {*told, *none}][:MOST_USUAL]
        values: dict[str, Any] = {"none": none, "usual": usual}
        if lowering:
            values |= {"reason": lowering[0], "points": round(-100 * weights[lowering[0]], 1)}
        return _worded({"text_key": AGAINST, "values": values})

    def _usual(self, row: int) -> list[str]:
        """Reasons all of whose signals are, for this device, where those of its peers are."""
        usual: dict[str, bool] = {}
        for name, ranked in self._signals.items():
            place = ranked.place(row)
            if place is not None:
                bad = BY_ID[name].bad
                worrying = bad == "both" or bad == {"higher": "high", "lower": "low"}[place.side]
                reason = group_of(Feature(name, "today"))
                usual[reason] = usual.get(reason, True) and not (worrying and place.share > USUAL_UP_TO)
        return [reason for reason, is_usual in usual.items() if is_usual]


def _reported(metric: str) -> str:
    """The metric that devices report, of what may be derived from it."""
    return BY_ID[metric].metric if metric in BY_ID else metric


def _worded(reason: Reason) -> Reason:
    """With its English sentence, for readers that have no table of words."""
    return {**reason, "text": sentence(reason)}
