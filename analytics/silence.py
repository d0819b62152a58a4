"""A device in trouble that falls silent has not recovered: its finding stands for a while, with what was known of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from hearthwatch.values import Finding, Observation, Severity

SILENT_DAYS = 14
"""For so long silence is taken for a sign of the fault; after that, nobody knows."""


def still_standing(finding: Finding, now: datetime) -> Observation:
    """The finding seen once more, with its old evidence; that nothing more is known is said once."""
    reasons = list(finding.evidence.get("reasons", ()))
    if not any(isinstance(reason, Mapping) and reason.get("text_key") == "silent" for reason in reasons):
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
