"""Findings: what detectors see again and again, joined to one lasting result per (kind, subject, mode, episode)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid, Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.json_text import JsonText
from hearthwatch.records.statements import insert_into
from hearthwatch.records.tables import finding_events, finding_sights, findings
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Finding, Observation

DETECTOR = "detector"
UNRECOVERED = ("open", "acknowledged", "expected")
RECOVERING_KINDS = ("anomaly", "prognosis", "incident", "mismatch")
"""Kinds that recover by silence; a cohort's finding recovers when its verdict says so."""

_COLUMNS = tuple(findings.c[name] for name in Finding.__dataclass_fields__)
_EVIDENCE = [column.name for column in _COLUMNS].index("evidence")
_LAZILY = tuple(sa.cast(column, sa.Text) if column is findings.c.evidence else column for column in _COLUMNS)
_RANK = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """An entry in a finding's history: opened, worsened, acknowledged, muted, expected, recovered, reopened, held_out, hold_out_ended."""

    id: int
    finding_id: int
    at: datetime
    what: str
    actor: str
    detail: Mapping[str, Any]


def observe(connection: Connection, observation: Observation, *, relapse: timedelta) -> Finding:
    """Join what a detector saw to its finding; saying the same again changes nothing.

    While the finding has not recovered, it is updated. Recovered less than ``relapse`` before, the same episode is open again; else a
    new episode begins. An observation older than what the finding already knows is no news.
    """
    latest = _latest(connection, observation)
    if latest is None:
        return _open(connection, observation, 1, relapse)
    if observation.at <= latest.last_seen:
        return latest
    if latest.state in UNRECOVERED:
        return _update(connection, latest, observation)
    if latest.recovered_at is not None and observation.at - latest.recovered_at >= relapse:
        return _open(connection, observation, latest.episode + 1, relapse)
    return _reopen(connection, latest, observation)


def _latest(connection: Connection, observation: Observation) -> Finding | None:
    query = (
        sa.select(findings)
        .where(
            findings.c.kind == observation.kind,
            findings.c.subject == observation.subject,
            findings.c.mode == fitted(findings.c.mode, observation.mode),
        )
        .order_by(findings.c.episode.desc())
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(query).mappings().one_or_none()
    return Finding(**row) if row else None


def _open(connection: Connection, observation: Observation, episode: int, relapse: timedelta) -> Finding:
    row = {
        "kind": observation.kind,
        "subject_type": observation.subject_type,
        "subject": observation.subject,
        "mode": fitted(findings.c.mode, observation.mode),
        "episode": episode,
        "state": "open",
        "first_seen": observation.at,
        **_seen(observation),
    }
    if not insert_missing(connection, findings, [row]):  # another has just opened it, having seen the same
        return observe(connection, observation, relapse=relapse)
    finding = _latest(connection, observation)
    assert finding is not None
    _note_sight(connection, finding.id, observation)
    add_event(connection, finding.id, observation.at, "opened", DETECTOR, {"severity": observation.severity})
    return finding


def _seen(observation: Observation) -> dict[str, Any]:
    return {
        "severity": observation.severity,
        "probability": observation.probability,
        "part": fitted(findings.c.part, observation.part),
        "evidence": dict(observation.evidence),
        "last_seen": observation.at,
    }


def _update(connection: Connection, finding: Finding, observation: Observation) -> Finding:
    update_at_revision(connection, findings, {"id": finding.id}, None, _seen(observation))
    if not _is_said_again(finding, observation):
        _note_sight(connection, finding.id, observation)
    if _RANK[observation.severity] > _RANK[finding.severity]:
        detail = {"from": finding.severity, "to": observation.severity}
        add_event(connection, finding.id, observation.at, "worsened", DETECTOR, detail)
    return get(connection, finding.id)


def _is_said_again(before: Finding, observation: Observation) -> bool:
    """Whether an observation says what is known already, within the same hour: nobody will ever ask for that one."""
    told = (before.severity, before.probability, before.part, _verdict(before.evidence))
    return _told(observation) == told and observation.at < _next_hour(before.last_seen)


def _next_hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _told(observation: Observation) -> tuple[str, float | None, str | None, str | None]:
    part = fitted(findings.c.part, observation.part)
    return observation.severity, observation.probability, part, _verdict(observation.evidence)


def _note_sight(connection: Connection, finding_id: int, observation: Observation) -> None:
    """Keep what was said at a time: the finding holds only the last word, and a replay of a policy asks what was known then."""
    said = dict(zip(("severity", "probability", "part", "verdict"), _told(observation), strict=True))
    insert_missing(connection, finding_sights, [{"finding_id": finding_id, "at": observation.at, **said}])


def _verdict(evidence: Mapping[str, Any]) -> str | None:
    verdict = evidence.get("verdict")
    return verdict[:16] if isinstance(verdict, str) else None


def _reopen(connection: Connection, finding: Finding, observation: Observation) -> Finding:
    changes = {**_seen(observation), "state": "open", "recovered_at": None}
    update_at_revision(connection, findings, {"id": finding.id}, None, changes)
    _note_sight(connection, finding.id, observation)
    add_event(connection, finding.id, observation.at, "reopened", DETECTOR, {"severity": observation.severity})
    return get(connection, finding.id)


def recover(connection: Connection, now: datetime, *, quiet: timedelta) -> list[Finding]:
    """Recover the findings that were not seen for ``quiet``, of the kinds that recover by silence. Returns them."""
    query = sa.select(findings.c.id).where(
        findings.c.state.in_(UNRECOVERED), findings.c.kind.in_(RECOVERING_KINDS), findings.c.last_seen <= now - quiet
    )
    ids = connection.execute(query.order_by(findings.c.id)).scalars().all()
    return [recover_one(connection, finding_id, now, "not seen any more") for finding_id in ids]


def recover_one(connection: Connection, finding_id: int, now: datetime, reason: str) -> Finding:
    """Recover one finding; one that has recovered already stays as it is. Raises `Missing`."""
    finding = _locked(connection, finding_id)
    if finding.state == "recovered":
        return finding
    update_at_revision(connection, findings, {"id": finding_id}, None, {"state": "recovered", "recovered_at": now})
    add_event(connection, finding_id, now, "recovered", DETECTOR, {"reason": reason})
    return get(connection, finding_id)


def acknowledge(
    connection: Connection, finding_id: int, revision: int | None, actor: str, now: datetime, note: str = ""
) -> Finding:
    """A person has seen it. Raises `Missing`, `Stale`, or `Conflict` when it has recovered."""
    return _decide(connection, finding_id, revision, "acknowledged", actor, now, note)


def expect(
    connection: Connection, finding_id: int, revision: int | None, actor: str, now: datetime, note: str = ""
) -> Finding:
    """A person says it is meant to be so, which raises no alerts. Errors as of `acknowledge`."""
    return _decide(connection, finding_id, revision, "expected", actor, now, note)


def expect_no_more(connection: Connection, finding_id: int, now: datetime, reason: str) -> Finding:
    """Open an expected finding again: what a person expected has gone further. Others stay as they are. Raises `Missing`."""
    finding = _locked(connection, finding_id)
    if finding.state != "expected":
        return finding
    update_at_revision(connection, findings, {"id": finding_id}, None, {"state": "open"})
    add_event(connection, finding_id, now, "reopened", DETECTOR, {"reason": reason})
    return get(connection, finding_id)


def mute(
    connection: Connection, finding_id: int, revision: int | None, until: datetime, actor: str, now: datetime
) -> Finding:
    """No alerts for it until a time. Raises `Missing`, `Stale`, or `Invalid` when that time has passed."""
    if until <= now:
        raise Invalid("a finding is muted until a time to come", where=until.isoformat())
    update_at_revision(connection, findings, {"id": finding_id}, revision, {"muted_until": until})
    add_event(connection, finding_id, now, "muted", actor, {"until": until.isoformat()})
    return get(connection, finding_id)


def _decide(
    connection: Connection, finding_id: int, revision: int | None, state: str, actor: str, now: datetime, note: str
) -> Finding:
    if _locked(connection, finding_id).state == "recovered":
        raise Conflict("the finding has recovered", where=str(finding_id))
    update_at_revision(connection, findings, {"id": finding_id}, revision, {"state": state})
    add_event(connection, finding_id, now, state, actor, {"note": note} if note else {})
    return get(connection, finding_id)


def get(connection: Connection, finding_id: int) -> Finding:
    """One finding. Raises `Missing`."""
    return _one(connection, finding_id, sa.select(findings))


def _locked(connection: Connection, finding_id: int) -> Finding:
    """One finding that stays as it is until the transaction ends: a detector may see it at the same moment."""
    return _one(connection, finding_id, sa.select(findings).with_for_update())


def _one(connection: Connection, finding_id: int, query: sa.Select[Any]) -> Finding:
    row = connection.execute(query.where(findings.c.id == finding_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such finding", where=str(finding_id))
    return Finding(**row)


def list_findings(
    connection: Connection,
    *,
    state: str | None = None,
    states: Sequence[str] | None = None,
    kind: str | None = None,
    subject: str | None = None,
    subject_type: str | None = None,
    mode: str | None = None,
    severity: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Finding]:
    """Findings, newest first; ``after`` is the last id of the page before."""
    equal = {
        "state": state, "kind": kind, "subject": subject, "subject_type": subject_type, "mode": mode, "severity": severity,
    }  # fmt: skip
    query = sa.select(*_COLUMNS).order_by(findings.c.id.desc()).limit(limit)
    query = query.where(*(findings.c[name] == value for name, value in equal.items() if value is not None))
    if states is not None:
        query = query.where(findings.c.state.in_(states))
    if after is not None:
        query = query.where(findings.c.id < after)
    return [Finding(*row) for row in connection.execute(query).all()]


def in_states(connection: Connection, states: Sequence[str]) -> list[Finding]:
    """All findings in some states, oldest first. Their evidence is read as it is looked at: most of it never is."""
    query = sa.select(*_LAZILY).where(findings.c.state.in_(states)).order_by(findings.c.id)
    return _lazily(connection.execute(query).all())


def _lazily(rows: Sequence[sa.Row[Any]]) -> list[Finding]:
    found = []
    for row in rows:
        values = list(row)
        values[_EVIDENCE] = JsonText(values[_EVIDENCE])
        found.append(Finding(*values))
    return found


def of_subjects(connection: Connection, subjects: Sequence[str], states: Sequence[str]) -> list[Finding]:
    """The findings about some subjects that are in some states, oldest first."""
    found: list[Finding] = []
    for some in batched(subjects):
        query = sa.select(*_LAZILY).where(findings.c.subject.in_(some), findings.c.state.in_(states))
        found.extend(_lazily(connection.execute(query).all()))
    return sorted(found, key=lambda one: one.id)


def forget_sights(connection: Connection, before: datetime) -> int:
    """Delete what was said of findings before a time. Returns how many words that were."""
    return connection.execute(sa.delete(finding_sights).where(finding_sights.c.at < before)).rowcount


def openings(connection: Connection, *, kind: str, since: datetime) -> list[tuple[str, str, datetime]]:
    """When findings of a kind opened or opened again, oldest first: subject, mode, and the time. A finding may be there several times."""
    query = (
        sa.select(findings.c.subject, findings.c.mode, finding_events.c.at)
        .join(finding_events, finding_events.c.finding_id == findings.c.id)
        .where(findings.c.kind == kind, finding_events.c.at >= since, finding_events.c.what.in_(("opened", "reopened")))
        .order_by(finding_events.c.at, finding_events.c.id)
    )
    return [(subject, mode, at) for subject, mode, at in connection.execute(query)]


def events(connection: Connection, finding_id: int) -> list[FindingEvent]:
    """A finding's history, oldest first."""
    query = sa.select(finding_events).where(finding_events.c.finding_id == finding_id).order_by(finding_events.c.id)
    return [FindingEvent(**row) for row in connection.execute(query).mappings()]


def add_event(
    connection: Connection, finding_id: int, at: datetime, what: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Write an entry into a finding's history."""
    row = {"finding_id": finding_id, "at": at, "what": what, "actor": actor[:120], "detail": dict(detail)}
    connection.execute(insert_into(finding_events), row)
