"""What the gate itself found out about a release is a finding, as a verdict of the watch is: its ticket and its owners hang on it.

The watch leaves the first day after an update out and needs many devices; the gate may have seen enough of a small wave before. Its finding
has the failure mode that the watch would name, so that the two are one. It ends as the watch's do (`analytics.cohorts.look_findings`).
Whoever lets the roll-out go on all the same expects it (`alerts.rollouts.steering`); a further stop opens it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.cohorts.spec import REBOOTS, WENT_SILENT
from analytics.rollouts.judging import Judgement, Known
from hearthwatch.records import findings
from hearthwatch.said import all_told
from hearthwatch.values import Observation, Release

CODES = frozenset({"failures", "silence"})
"""Stops that rest on what the gate saw; `worse` is the watch's own, `withdrawn` a person's."""


def note_stop(
    connection: Connection, release: Release, judgement: Judgement, known: Known, now: datetime, relapse: timedelta
) -> None:
    """Observe the finding of a stop, where it is one for what became of devices; ``known`` is what the stop rests on."""
    if judgement.decision != "stop":
        return
    subject = f"release:{release.id}"
    if judgement.code in CODES:
        silent = judgement.code == "silence" or known.tally.silent > known.tally.unhealthy
        metric = WENT_SILENT if silent else REBOOTS
        about = {"model": release.model, "version": release.version, "replaces": release.replaces}
        evidence = {**about, **_figures(judgement, known), "metrics": [metric.name]}
        seen = Observation("cohort", "release", subject, metric.mode, "critical", now, evidence)
        findings.observe(connection, seen, relapse=relapse)
        _open_again(connection, subject, metric.name, now)
    elif judgement.code == "worse":
        _open_again(connection, subject, judgement.about, now)


def _figures(judgement: Judgement, known: Known) -> Mapping[str, Any]:
    """What was seen of the open wave: devices that took the release, those of them that failed and how, for how many hours."""
    tally, wave = known.tally, known.open_wave
    allowed = known.rollout.silence_share if wave is None or judgement.code == "silence" else 1.0 - wave.success_share
    failed = known.silence.treated_events if judgement.code == "silence" else tally.failures
    took = known.took if judgement.code == "silence" else tally.updated
    return {
        "rollout": known.rollout.id,
        "wave": wave.number if wave is not None else None,
        "devices": took,
        "events": failed,
        "silent": tally.silent,
        "unhealthy": tally.unhealthy,
        "share": round(failed / took, 4) if took else None,
        "allowed": round(allowed, 4),
        "hours": round(known.hours, 1),
        "reasons": [judgement.why],
        "said": all_told(judgement.said),
    }


def _open_again(connection: Connection, subject: str, metric: str, now: datetime) -> None:
    for finding in findings.list_findings(connection, subject=subject, kind="cohort", state="expected"):
        if metric in finding.evidence.get("metrics", ()):
            findings.expect_no_more(connection, finding.id, now, "it stopped a roll-out once more")
