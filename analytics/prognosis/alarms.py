"""When a probability becomes a finding, and how long the finding stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.panel import day_number, day_start
from analytics.prognosis.known import Known
from analytics.silence import SILENT_DAYS, still_standing
from analytics.training.names import HORIZONS, JUDGED_AT
from hearthwatch.failure_modes import mode_of_part
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Observation, Severity

CLOSE_AT = 0.6
SOON = HORIZONS.index(7)
AHEAD = HORIZONS.index(JUDGED_AT)

Reasons = Sequence[Mapping[str, Any]]


def is_alarm(known: Known, device: str, part: str, p30: float, alarm: float) -> bool:
    """Whether a probability opens a finding, or keeps an open one."""
    close = alarm * CLOSE_AT
    if (device, mode_of_part(part)) in known.open:
        return p30 >= close
    return p30 >= alarm and known.before.get((device, part), 0.0) >= close


def observation(
    device: str, part: str, p: Sequence[float], why: Reasons, version: int, *, now: datetime, alarm: float
) -> Observation:
    """What a probability becomes as a finding."""
    severity: Severity = "critical" if p[SOON] >= alarm else "warning"
    evidence = {
        "metrics": [reason["metric"] for reason in why if reason["metric"] not in {"age", "service"}],
        "reasons": list(why) or [{"text_key": "risk", "text": "The sum of many small signs", "values": {}}],
        "probabilities": {str(horizon): value for horizon, value in zip(HORIZONS, p, strict=True)},
        "alarm": alarm,
        "day": day_start(day_number(now) - 1).date().isoformat(),
        "model_version": version,
    }
    mode = mode_of_part(part)
    return Observation("prognosis", "device", device, mode, severity, now, evidence, p[AHEAD], part)


def still_in_alarm(known: Known, rows: Sequence[Prognosis], now: datetime) -> list[Observation]:
    """Open findings of devices of which nothing new can be said: silent, or without the values that the model needs."""
    said = {(row.device_id, mode_of_part(row.part)) for row in rows if row.abstained is None}
    result = []
    for key, finding in known.open.items():
        day = finding.evidence.get("day")
        told = None if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC)
        lately = told is not None and now - told < timedelta(
            days=SILENT_DAYS + 2 + sum(one > day_number(told) for one in known.blind)
        )
        days = known.labels.renewed.get((finding.subject, finding.part or ""), ())
        renewed = any(one >= day_number(finding.last_seen) for one in days)
        if key not in said and lately and not renewed:
            result.append(still_standing(finding, now, known.blind))
    return result
