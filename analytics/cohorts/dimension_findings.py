"""Keeps the findings about standing comparisons in step with the verdicts. Their subject is the comparison: ``comparison:7``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from analytics.cohorts.dimension_words import named
from analytics.cohorts.look_rows import Look
from analytics.cohorts.spec import CRITICAL_LOW
from analytics.cohorts.verdict import Verdict
from hearthwatch.records import findings
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.comparisons import Comparison
from hearthwatch.values import Observation


def subject_of(comparison: Comparison) -> str:
    """The subject of its findings."""
    return f"comparison:{comparison.id}"


def keep_findings(
    connection: Connection,
    looks: Sequence[tuple[Comparison, Look]],
    verdicts: Sequence[Verdict],
    rows: Sequence[ComparisonLook],
    at: datetime,
    relapse: timedelta,
) -> None:
    """`worse` is a finding; `same` or `better` ends it where no other metric of that failure mode is worse; anything else leaves it."""
    together = list(zip(looks, verdicts, rows, strict=True))
    worse = {(one.id, look.metric.mode) for (one, look), verdict, _ in together if verdict.word == "worse"}
    for (comparison, look), verdict, row in together:
        if verdict.word == "worse":
            findings.observe(connection, _observation(comparison, look, verdict, row, at), relapse=relapse)
        elif verdict.word in {"same", "better"} and (comparison.id, look.metric.mode) not in worse:
            recover(connection, comparison, at, f"the evidence turned: {verdict.word}", look.metric.mode)


def recover(
    connection: Connection, comparison: Comparison, now: datetime, reason: str, mode: str | None = None
) -> None:
    """End the findings of a comparison that are not over."""
    for finding in findings.list_findings(connection, subject=subject_of(comparison), kind="cohort", mode=mode):
        if finding.state != "recovered":
            findings.recover_one(connection, finding.id, now, reason)


def _observation(
    comparison: Comparison, look: Look, verdict: Verdict, row: ComparisonLook, at: datetime
) -> Observation:
    ratio = verdict.ratio
    sure = ratio is not None and ratio.facing(look.metric.direction).low > CRITICAL_LOW
    return Observation(
        kind="cohort",
        subject_type="group",
        subject=subject_of(comparison),
        mode=look.metric.mode,
        severity="critical" if sure else "warning",
        at=at,
        evidence={
            "model": comparison.model,
            "by": comparison.by,
            "treatment": comparison.treatment,
            "control": list(comparison.control),
            "name": f"{comparison.model}, {named(comparison.by, comparison.treatment)}",
            "ratio": row.ratio,
            "low": row.low,
            "high": row.high,
            "e": row.e,
            "devices": row.devices_treatment,
            "control_devices": row.devices_control,
            "events": row.events_treatment,
            "control_events": row.events_control,
            "hours": row.hours_treatment,
            "assignment": row.detail["basis"],
            "metrics": [row.metric],
            "reasons": [row.why],
        },
    )
