"""The demo's final comparison of what was found with what was planted: the only reader of the truth file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scipy.stats import poisson

from hearthwatch.failure_modes import LIVENESS_MODES
from hearthwatch.records import cohort_looks, devices, findings, notices, releases, tickets
from hearthwatch.records.database import Database
from hearthwatch.values import Finding, Notice, Release, Ticket

QUANTILE = 0.99
DAY = timedelta(days=1)
DEVICE_KINDS = frozenset({"anomaly", "prognosis"})
OPEN_VERDICTS = frozenset({"worse"})


@dataclass(frozen=True, slots=True)
class Story:
    """All that the platform holds at the end."""

    findings: Sequence[Finding]
    notices: Sequence[Notice]
    tickets: Sequence[Ticket]
    releases: Sequence[Release]
    verdicts: Mapping[int, Sequence[tuple[datetime, str, str]]]  # release: (at, metric, verdict), oldest first
    firmware: Mapping[str, str | None]  # device: version now


def read_story(database: Database) -> Story:
    """Read it in one consistent view."""
    with database.reading() as connection:
        known = releases.list_releases(connection)
        return Story(
            findings=findings.list_findings(connection, limit=100_000),
            notices=notices.list_notices(connection, limit=100_000),
            tickets=tickets.list_tickets(connection, limit=100_000),
            releases=known,
            verdicts={
                release.id: [
                    (look.at, look.metric, look.verdict) for look in cohort_looks.list_looks(connection, release.id)
                ]
                for release in known
            },
            firmware={device.id: device.version for device in devices.list_devices(connection, limit=100_000)},
        )


def compare(story: Story, truth_file: Path, *, rate: float, device_days: float) -> dict[str, Any]:
    """The parts ``planted``, ``firmware``, ``false``, ``notices`` and ``tickets`` of the demo's answer, and why it failed if it did."""
    truth = json.loads(truth_file.read_text())
    planted = [_planted(story, fault) for fault in truth["planted"]]
    firmware = _firmware(story, truth)
    false = _false(story, truth, rate, device_days)
    missing = [*_planted_wrong(planted), *_firmware_wrong(story, firmware)]
    if false["devices"] > false["allowed"]:
        missing.append(f"{false['devices']} devices were flagged without cause, {false['allowed']} are allowed")
    return {
        "planted": planted,
        "firmware": firmware,
        "false": false,
        "notices": _count(notice.kind for notice in story.notices if notice.state == "sent"),
        "tickets": {
            "opened": len(story.tickets),
            "closed": sum(ticket.state == "closed" for ticket in story.tickets),
            "labels": sum(ticket.closing_code in {"confirmed", "different_fault"} for ticket in story.tickets),
        },
        "failures": missing,
    }


def _planted(story: Story, fault: Mapping[str, Any]) -> dict[str, Any]:
    since = datetime.fromisoformat(fault["at"])
    mine = [
        finding
        for finding in story.findings
        if finding.subject == fault["device"]
        and finding.kind in DEVICE_KINDS
        and finding.mode not in LIVENESS_MODES  # that it is dead by now is not what was to be found
        and finding.last_seen >= since
    ]
    found = min(mine, key=lambda finding: max(finding.first_seen, since), default=None)
    found_at = max(found.first_seen, since) if found else None
    lead = datetime.fromisoformat(fault["fails_at"]) - found_at if found_at else None
    ids = {finding.id for finding in mine}
    ticket = next((ticket for ticket in story.tickets if ticket.device_id == fault["device"]), None)
    notice = next((notice for notice in story.notices if notice.finding_id in ids and notice.state == "sent"), None)
    return {
        "device": fault["device"],
        "fault": fault["fault"],
        "at": fault["at"],
        "found_at": found_at.isoformat() if found_at else None,
        "lead_days": round(lead / DAY, 1) if lead is not None else None,
        "finding": f"{found.kind}:{found.mode}" if found else None,
        "ticket": ticket.id if ticket else None,
        "notice": notice.id if notice else None,
    }


def _planted_wrong(planted: Sequence[Mapping[str, Any]]) -> list[str]:
    wrong = []
    for fault in planted:
        name = f"{fault['fault']} of {fault['device']}"
        if fault["found_at"] is None:
            wrong.append(f"{name} was not found")
            continue
        wrong.extend(f"{name} has no {thing}" for thing in ("ticket", "notice") if fault[thing] is None)
    return wrong


def _firmware(story: Story, truth: Mapping[str, Any]) -> dict[str, Any]:
    bad, good = truth["bad_release"], truth["good_release"]
    verdicts = _verdicts(story, bad["model"], bad["version"])
    worse = next((at for at, _, verdict in verdicts if verdict in OPEN_VERDICTS), None)
    return {
        "bad": f"{bad['model']} {bad['version']}",
        "verdict": "worse" if worse else (verdicts[-1][2] if verdicts else None),
        "found_at": worse.isoformat() if worse else None,
        "good_flagged": any(
            verdict in OPEN_VERDICTS for _, _, verdict in _verdicts(story, good["model"], good["version"])
        ),
    }


def _verdicts(story: Story, model: str, version: str) -> Sequence[tuple[datetime, str, str]]:
    release = next((one for one in story.releases if (one.model, one.version) == (model, version)), None)
    return story.verdicts.get(release.id, ()) if release else ()


def _firmware_wrong(story: Story, firmware: Mapping[str, Any]) -> list[str]:
    wrong = []
    if firmware["verdict"] != "worse":
        wrong.append(f"the bad release was called {firmware['verdict']}")
    if firmware["good_flagged"]:
        wrong.append("the harmless release was called worse")
    if not any(notice.kind == "update" and notice.state == "sent" for notice in story.notices):
        wrong.append("no update was offered to a customer")
    if not any(ticket.kind == "cohort" for ticket in story.tickets):
        wrong.append("the bad release has no ticket")
    return wrong


def _false(story: Story, truth: Mapping[str, Any], rate: float, device_days: float) -> dict[str, Any]:
    begun = {fault["device"]: datetime.fromisoformat(fault["at"]) for fault in truth["planted"]}
    affected = set(truth["bad_release"].get("devices", ()))
    false = {
        finding.subject
        for finding in story.findings
        if finding.subject_type == "device"
        and finding.kind in DEVICE_KINDS
        and finding.subject not in affected
        and (finding.subject not in begun or finding.last_seen < begun[finding.subject])
    }
    expected = rate * device_days / 1000
    return {
        "devices": len(false),
        "per_1000_device_days": round(1000 * len(false) / device_days, 3),
        "allowed": int(poisson.ppf(QUANTILE, expected)),
    }


def _count(names: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
