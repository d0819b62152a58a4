"""Keeps the findings about releases in step with the verdicts: one for each failure mode in which a release is worse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection

from analytics.cohorts.look_rows import Look, finite_e
from analytics.cohorts.spec import CRITICAL_LOW
from analytics.cohorts.verdict import Verdict
from hearthwatch.records import findings
from hearthwatch.values import Observation


def keep_findings(
    connection: Connection, looks: Sequence[Look], verdicts: Sequence[Verdict], at: datetime, relapse: timedelta
) -> None:
    """`worse` is a finding; `same` or `better` ends it where no other metric of that failure mode is worse; anything else leaves it."""
    worse = {
        (look.release.id, look.metric.mode)
        for look, verdict in zip(looks, verdicts, strict=True)
        if verdict.word == "worse"
    }
    for look, verdict in zip(looks, verdicts, strict=True):
        subject = f"release:{look.release.id}"
        if verdict.word == "worse":
            findings.observe(connection, _observation(subject, look, verdict, at), relapse=relapse)
        elif verdict.word in {"same", "better"} and (look.release.id, look.metric.mode) not in worse:
            recover(connection, subject, at, f"the evidence turned: {verdict.word}", look.metric.mode)


def recover(connection: Connection, subject: str, now: datetime, reason: str, mode: str | None = None) -> None:
    """End the findings about a release that are not over."""
    for finding in findings.list_findings(connection, subject=subject, kind="cohort", mode=mode):
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, reason)


def _observation(subject: str, look: Look, verdict: Verdict, at: datetime) -> Observation:
    ratio, weight = verdict.ratio, look.weight
    sure = ratio is not None and ratio.facing(look.metric.direction).low > CRITICAL_LOW
    return Observation(
        kind="cohort",
        subject_type="release",
        subject=subject,
        mode=look.metric.mode,
        severity="critical" if sure else "warning",
        at=at,
        evidence={
            "model": look.release.model,
            "version": look.release.version,
            "replaces": look.release.replaces,
            "ratio": ratio.value if ratio and np.isfinite(ratio.value) else None,
            "low": ratio.low if ratio else None,
            "high": ratio.high if ratio and np.isfinite(ratio.high) else None,
            "e": finite_e(weight.log_e),
            "devices": weight.devices[0],
            "control_devices": weight.devices[1],
            "events": weight.events[0],
            "control_events": weight.events[1],
            "hours": weight.hours[0],
            "assignment": weight.assignment,
            "metrics": [look.metric.name],
            "reasons": [verdict.why],
        },
    )
