"""A device in trouble that falls silent has not recovered: its finding stands for a while, with what was known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection

from analytics.panel import day_number
from hearthwatch.records import blindness
from hearthwatch.values import Finding, Observation, Severity

SILENT_DAYS = 14
"""For so long silence is taken for a sign of the fault; after that, nobody knows. Days in which nobody could be heard do not count."""
_BLIND_HOURS = 12


def blind_days(connection: Connection, now: datetime) -> frozenset[int]:
    """The days of the last weeks (numbered as in `analytics.panel`) of which at least half was blind: nobody could be heard."""
    spans = blindness.between(connection, now - timedelta(days=4 * SILENT_DAYS), now, now)
    hours = Counter(hour // 24 for hour in blindness.hours_of(spans, now))
    return frozenset(day for day, blind in hours.items() if blind >= _BLIND_HOURS)


def still_standing(finding: Finding, now: datetime, blind: AbstractSet[int] = frozenset()) -> Observation:
    """The finding seen once more, with its old evidence; that nothing more is known is said once, but not of ``blind`` days alone."""
    reasons = list(finding.evidence.get("reasons", ()))
    silent = [day for day in range(day_number(finding.last_seen), day_number(now)) if day not in blind]
    if silent and not any(isinstance(reason, Mapping) and reason.get("text_key") == "silent" for reason in reasons):
        since = finding.last_seen.date().isoformat()
        reasons.append({"text_key": "silent", "text": "It has told nothing more since", "values": {"last seen": since}})
    return Observation(
        kind="prognosis" if finding.kind == "prognosis" else "anomaly",
        subject_type="device",
        subject=finding.subject,
        mode=finding.mode,
        severity=cast(Severity, finding.severity),
        at=now,
        evidence={**finding.evidence, "reasons": reasons},
        probability=finding.probability,
        part=finding.part,
    )
