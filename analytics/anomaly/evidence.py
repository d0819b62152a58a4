"""Why a device or a group is held to be abnormal, as a person can check it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from analytics.anomaly.engine import Seen, State, Watch
from analytics.anomaly.unusual import Named, columns_of
from analytics.panel import Floats, day_start
from analytics.signals import NOVELTY, STRUCTURE, Signal
from hearthwatch.failure_modes import MODES, UNUSUAL
from hearthwatch.metrics import BY_NAME
from hearthwatch.values import Finding, Observation

CRITICAL_SCORE = 8.0
"""So many deviations from the peers make a finding critical."""
STRANGE_SCORE = 2.0
"""A scorer of hours that is this many deviations from the peers is given as a reason."""
MOST = 9.9e8


@dataclass(frozen=True, slots=True)
class Context:
    """What an observation says beside the numbers of one device. ``peers`` is how many devices of the model reported that day."""

    day: int
    now: datetime
    model: str
    peers: int
    rate: float


def device_observation(
    watch: Watch, state: State, seen: Seen, raw: Mapping[str, Floats], row: int, mode: int, device: str, about: Context
) -> Observation:
    """The observation of one device and mode. ``raw``: the day's metric values, shape (devices,)."""
    streams = [place for place, of in enumerate(watch.mode_of_stream) if of == mode]
    streams.sort(key=lambda place: -float(state.evidence[row, place] - watch.thresholds[place]))
    reasons: list[dict[str, Any]] = []
    scores: dict[str, dict[str, float | None]] = {}
    for place in streams:
        stream = watch.streams[place]
        signal = watch.signals[stream.signal]
        peers, own = float(seen.peers[row, stream.signal]), float(seen.own[row, stream.signal])
        if math.isnan(peers) or state.evidence[row, place] <= 0:
            continue
        if signal.metric not in scores:
            scores[signal.metric] = {"peers": round(peers, 2), "own_past": _rounded(own)}
            value = float(raw[signal.metric][row]) if signal.metric in raw else math.nan
            reasons.append(_reason(signal, peers, own, value, about))
    metrics = list(scores) or [watch.signals[watch.streams[streams[0]].signal].metric]
    top = streams[0]
    evidence = {
        "metrics": metrics,
        "reasons": reasons,
        "scores": scores,
        "e_value": _power(float(state.evidence[row, top])),
        "threshold": _power(float(watch.thresholds[top])),
        "false_alarms_per_1000_device_days": about.rate,
        "day": day_start(about.day).date().isoformat(),
        "model": about.model,
        "peers": about.peers,
    }
    worst = max((abs(score["peers"] or 0.0) for score in scores.values()), default=0.0)
    known = MODES.get(watch.modes[mode], UNUSUAL)
    return Observation(
        kind="anomaly",
        subject_type="device",
        subject=device,
        mode=watch.modes[mode],
        severity="critical" if worst >= CRITICAL_SCORE else "warning",
        at=about.now,
        evidence=evidence,
        part=known.part or None,
    )


def unusual_observation(
    watch: Watch, state: State, seen: Seen, row: int, behind: Named, hour: int, device: str, about: Context
) -> Observation:
    """The observation of a device whose hours are unlike its past and its peers; ``behind``: the metrics that made it so.

    ``hour`` (UTC) is that of the day's greatest novelty.
    """
    columns = columns_of(watch)
    place = next(place for place, stream in enumerate(watch.streams) if stream.signal == columns[0])
    scores = {
        watch.signals[column].id: {
            "peers": _rounded(float(seen.peers[row, column]), 1),
            "own_past": _rounded(float(seen.own[row, column]), 1),
        }
        for column in columns
    }
    evidence = {
        "metrics": list(behind.metrics),
        "reasons": _unusual_reasons(behind, scores, hour, about),
        "scores": scores,
        "shares": {name: round(share, 3) for name, share in zip(behind.metrics, behind.shares, strict=True)},
        "e_value": _power(float(state.evidence[row, place])),
        "threshold": _power(float(watch.thresholds[place])),
        "false_alarms_per_1000_device_days": about.rate,
        "day": day_start(about.day).date().isoformat(),
        "model": about.model,
        "peers": about.peers,
    }
    return Observation(
        "anomaly", "device", device, UNUSUAL.id, "warning", about.now, evidence, part=behind.part or None
    )


def _unusual_reasons(
    behind: Named, scores: Mapping[str, Mapping[str, float | None]], hour: int, about: Context
) -> list[dict[str, Any]]:
    """One sentence for each way in which it is unusual that day, or one that says it was."""
    who = _listed(behind.metrics)
    others = f"; that of the other {about.peers - 1} of the model is" if about.peers > 1 else ""
    told = (
        (
            STRUCTURE,
            "hours_apart",
            f"{who}: the course through the day, or the relation to one another, is not what it was{others}",
        ),
        (NOVELTY, "hours_new", f"{who}: something that this device never did before"),
    )
    whom = {"metrics": list(behind.metrics), "others": max(about.peers - 1, 0)}
    reasons: list[dict[str, Any]] = []
    for name, key, text in told:
        peers, own = scores[name]["peers"], scores[name]["own_past"]
        if peers is not None and peers >= STRANGE_SCORE:
            values: dict[str, Any] = {"deviations from peers": peers, "deviations from its own past": own}
            if name == NOVELTY:
                values["most at (UTC)"] = f"{hour:02d}:00"
            reasons.append({"text_key": key, "text": text, "values": values, "about": whom})
    if not reasons:
        text = f"{who}: not as usual for this device on the days before"
        reasons.append({"text_key": "hours_before", "text": text, "values": {}, "about": whom})
    return reasons


def lasting_severity(seen: Observation, before: Finding | None) -> Observation:
    """A finding that was critical stays so until it has recovered: a calmer day is no recovery."""
    if before is not None and before.severity == "critical" and seen.severity != "critical":
        return replace(seen, severity="critical")
    return seen


def group_observation(
    group: str, mode: str, metrics: Sequence[str], share: float, devices: int, about: Context
) -> Observation:
    """One incident of a whole group. ``group`` is its model and firmware, or model and region; ``devices`` its size that day."""
    known = MODES.get(mode, UNUSUAL)
    reason = {
        "text_key": "incident",
        "text": f"{share:.0%} of {devices} devices left their own past on the same day",
        "values": {},
        "about": {"share": f"{share:.0%}", "devices": devices},
    }
    evidence = {
        "metrics": list(metrics),
        "reasons": [reason],
        "share": round(share, 4),
        "devices": devices,
        "day": day_start(about.day).date().isoformat(),
        "model": about.model,
    }
    return Observation(
        "incident", "group", f"group:{group}", mode, "warning", about.now, evidence, part=known.part or None
    )


def _reason(signal: Signal, peers: float, own: float, value: float, about: Context) -> dict[str, Any]:
    known = BY_NAME.get(signal.metric)
    side = "above" if peers > 0 else "below"
    values: dict[str, Any] = {}
    if not math.isnan(value) and (known is None or known.kind == "gauge"):
        values[f"{signal.metric} that day"] = f"{value:.4g} {known.unit if known else ''}".strip()
    values["deviations from peers"] = round(peers, 1)
    values["deviations from its own past"] = _rounded(own, 1)
    what = signal.called or signal.metric
    return {
        "text_key": f"{signal.id}_{side}_peers",
        "text": f"{what} is far {side} what is usual for this device beside {about.peers - 1} of its model",
        "values": values,
        "about": {"metrics": [signal.metric], "others": about.peers - 1},
    }


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "its metrics"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _rounded(value: float, digits: int = 2) -> float | None:
    return None if math.isnan(value) else round(value, digits)


def _power(logarithm: float) -> float:
    return float(np.round(min(math.exp(min(logarithm, 50.0)), MOST), 1))
