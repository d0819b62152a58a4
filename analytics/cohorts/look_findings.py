"""Keeps the findings in step with the verdicts: one for each failure mode in which a release, or a value that is compared, is worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.cohorts.judging import Judged
from analytics.cohorts.spec import CRITICAL_LOW
from hearthwatch.records import findings
from hearthwatch.values import Observation, SubjectType


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about: ``release:7`` or ``comparison:7``; ``about`` is what its evidence says of it."""

    key: str
    type: SubjectType
    about: Mapping[str, Any]


def keep_findings(
    connection: Connection, found: Sequence[tuple[Subject, Judged]], at: datetime, relapse: timedelta
) -> None:
    """`worse` is a finding; `same` or `better` ends it where no other metric of that failure mode is worse; anything else leaves it."""
    worse = {(subject.key, one.look.metric.mode) for subject, one in found if one.verdict.word == "worse"}
    for subject, one in found:
        mode = one.look.metric.mode
        if one.verdict.word == "worse":
            findings.observe(connection, _observation(subject, one, at), relapse=relapse)
        elif one.verdict.word in {"same", "better"} and (subject.key, mode) not in worse:
            recover(connection, subject.key, at, f"the evidence turned: {one.verdict.word}", mode)


def recover(connection: Connection, subject: str, now: datetime, reason: str, mode: str | None = None) -> None:
    """End the findings about a subject that are not over."""
    for finding in findings.list_findings(connection, subject=subject, kind="cohort", mode=mode):
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, reason)


def _observation(subject: Subject, one: Judged, at: datetime) -> Observation:
    ratio, row, metric = one.verdict.ratio, one.row, one.look.metric
    sure = ratio is not None and ratio.facing(metric.direction).low > CRITICAL_LOW
    return Observation(
        kind="cohort",
        subject_type=subject.type,
        subject=subject.key,
        mode=metric.mode,
        severity="critical" if sure else "warning",
        at=at,
        evidence={
            **subject.about,
            "ratio": row.ratio,
            "low": row.low,
            "high": row.high,
            "e": row.e,
            "devices": row.devices_treatment,
            "control_devices": row.devices_control,
            "events": row.events_treatment,
            "control_events": row.events_control,
            "hours": row.hours_treatment,
            "assignment": row.detail.get("basis", row.detail["assignment"]),
            "metrics": [row.metric],
            "reasons": [row.why],
            "said": row.detail["said"],
        },
    )
