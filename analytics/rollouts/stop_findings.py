"""What the gate itself found out about a release is a finding, as a verdict of the watch is: its ticket and its owners hang on it.

The watch leaves the first day after an update out and needs many devices; the gate may have seen enough of a small wave before. Its finding
has the failure mode that the watch would name, so that the two are one. It ends as the watch's do (`analytics.cohorts.look_findings`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from analytics.cohorts.spec import REBOOTS, WENT_SILENT
from analytics.rollouts.judging import Judgement, Tally
from hearthwatch.records import findings
from hearthwatch.values import Observation, Release

CODES = frozenset({"failures", "silence"})
"""Stops that rest on what the gate saw; `worse` is the watch's own, `withdrawn` a person's."""


def note_stop(
    connection: Connection, release: Release, judgement: Judgement, tally: Tally, now: datetime, relapse: timedelta
) -> None:
    """Observe the finding of a stop, where it is one for what became of devices; ``tally`` is that of the open wave."""
    if judgement.decision != "stop" or judgement.code not in CODES:
        return
    silent = judgement.code == "silence" or tally.silent > tally.unhealthy
    metric = WENT_SILENT if silent else REBOOTS
    evidence = {
        "model": release.model,
        "version": release.version,
        "replaces": release.replaces,
        "devices": tally.updated,
        "events": tally.failures,
        "metrics": [metric.name],
        "reasons": [judgement.why],
    }
    subject = f"release:{release.id}"
    seen = Observation("cohort", "release", subject, metric.mode, "critical", now, evidence)
    findings.observe(connection, seen, relapse=relapse)
