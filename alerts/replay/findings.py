"""Findings as they were known at every time: when they began, what was said of them, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from alerts.replay.stage import ACT, FACT, Said, Stage
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import hold_outs
from hearthwatch.records.findings import DETECTOR
from hearthwatch.records.hold_outs import ENDED, POLICY
from hearthwatch.records.statements import insert_into, updated
from hearthwatch.records.tables import finding_events, finding_sights, ticket_findings, tickets
from hearthwatch.records.tables import findings as findings_table
from hearthwatch.values import Span

LOOKED_BACK = timedelta(days=60)
"""Findings that were over for longer than this when the replay begins concern nobody any more, unless a ticket of theirs is open."""
DECIDED = ("acknowledged", "expected")
_KEPT = ("verdict", "name", "model", "version")
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Opened:
    """A finding began."""

    at: datetime
    row: Mapping[str, Any]
    rank: int = FACT

    def happen(self, stage: Stage) -> None:
        """Write it."""
        stage.connection.execute(insert_into(findings_table), dict(self.row))
        stage.said[self.row["id"]] = _words(self.row)
        due_from(stage, self.row)
        stage.wake(self.row["subject"], follow=False)


@dataclass(frozen=True, slots=True)
class SaidAgain:
    """A detector said something of a finding that stood."""

    at: datetime
    finding_id: int
    subject: str
    words: Said
    rank: int = FACT

    def happen(self, stage: Stage) -> None:
        """Write it; who hears nothing new is not looked at again, unless a ticket about the device was closed."""
        severity, probability, part, verdict = self.words
        stage.unwritten.append(
            {"of": self.finding_id, "new_severity": severity, "new_probability": probability, "new_part": part,
             "new_last_seen": self.at}
        )  # fmt: skip
        before = stage.said.get(self.finding_id)
        stage.said[self.finding_id] = self.words
        if verdict is not None and before is not None and verdict != before[3]:
            _say_verdict(stage.connection, self.finding_id, verdict)
        if before != self.words or self.subject in stage.settled:
            stage.wake(self.subject, follow=False)


@dataclass(frozen=True, slots=True)
class Turned:
    """A finding recovered, came back, or was decided about."""

    at: datetime
    finding_id: int
    subject: str
    what: str
    actor: str
    detail: Mapping[str, Any]

    @property
    def rank(self) -> int:
        """What a person did comes after the round of that instant; so does a recovery by the closing of a ticket."""
        by_ticket = str(self.detail.get("reason", "")).startswith("ticket ")
        return FACT if self.actor in {DETECTOR, POLICY} and not by_ticket else ACT

    def happen(self, stage: Stage) -> None:
        """Bring the finding into its state."""
        stage.write_down()
        if self.what == ENDED:
            _end_hold_out(stage, self)
        changes = changes_of(self.what, self.at, self.detail)
        if changes:
            updated(stage.connection, findings_table, {"id": self.finding_id}, None, changes, (findings_table.c.id,))
        if until := changes.get("muted_until"):
            stage.later(until, self.subject)
        if gone := changes.get("recovered_at"):
            stage.note_recovery(gone)
        stage.wake(self.subject)


def read(source: Connection, span: Span) -> tuple[list[dict[str, Any]], Iterator[Opened | SaidAgain | Turned], int]:
    """Findings as they stood at the beginning, what happened to them afterwards, in order, and of how many the days in between are lost."""
    rows = _rows(source, span)
    first_words = _first_words(source)
    untold = [number for number in rows if number not in first_words]
    severities = _first_severities(source) if untold else {}
    for number, row in rows.items():
        _as_it_began(row, first_words.get(number), severities.get(number))
    before = {number: row for number, row in rows.items() if row["first_seen"] <= span.since}
    for event in _events(source, rows, until=span.since):
        if event.finding_id in before:
            before[event.finding_id] |= changes_of(event.what, event.at, event.detail)
    for said in _sights(source, rows, until=span.since):
        if said.finding_id in before:
            _take_words(before[said.finding_id], said)
    begun = sorted((Opened(row["first_seen"], row) for row in rows.values() if row["first_seen"] > span.since), key=_at)
    events = _events(source, rows, after=span.since, until=span.until)
    later: Iterator[Any] = merge(begun, events, _told(source, rows, untold, span), key=_at_rank)
    return [_plain(row) for row in before.values()], _plainly(later), len(untold)


def begin(stage: Stage, row: Mapping[str, Any]) -> None:
    """Remember what is known of a finding that stands at the beginning."""
    stage.said[row["id"]] = _words(row)
    if row["state"] != "recovered":
        due_from(stage, row)
    elif row["recovered_at"] is not None:
        stage.note_recovery(row["recovered_at"])


def due_from(stage: Stage, row: Mapping[str, Any]) -> None:
    """Note when a finding has stood long enough for any of the rules, and when it is muted no more."""
    for delay in stage.delays:
        stage.later(row["first_seen"] + delay, row["subject"])
    if row.get("muted_until") is not None:
        stage.later(row["muted_until"], row["subject"])


def changes_of(what: str, at: datetime, detail: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry of a finding's history changes in its row."""
    if what == "recovered":
        return {"state": "recovered", "recovered_at": at}
    if what == "reopened":
        severity = {"severity": detail["severity"]} if "severity" in detail else {}
        return {"state": "open", "recovered_at": None, "last_seen": at, **severity}
    if what in DECIDED:
        return {"state": what}
    if what == "muted" and "until" in detail:
        return {"muted_until": datetime.fromisoformat(str(detail["until"]))}
    if what == "worsened" and "to" in detail:
        return {"severity": detail["to"]}
    return {}


def _rows(source: Connection, span: Span) -> dict[int, dict[str, Any]]:
    columns = findings_table.c
    of_open_tickets = (
        sa.select(ticket_findings.c.finding_id)
        .join(tickets, tickets.c.id == ticket_findings.c.ticket_id)
        .where(sa.or_(tickets.c.closed_at.is_(None), tickets.c.closed_at > span.since - LOOKED_BACK))
    )
    query = sa.select(findings_table).where(
        columns.first_seen <= span.until,
        sa.or_(
            columns.recovered_at.is_(None),
            columns.recovered_at > span.since - LOOKED_BACK,
            columns.id.in_(of_open_tickets),
        ),
    )
    found = {}
    for row in source.execute(_streamed(query.order_by(columns.id))).mappings():
        kept = {name: row["evidence"][name] for name in _KEPT if row["evidence"].get(name) is not None}
        found[row["id"]] = {**row, "evidence": kept, "ended_as": (row["severity"], row["last_seen"])}
    return found


def _streamed(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.execution_options(yield_per=_CHUNK)


def _first_words(source: Connection) -> dict[int, Said]:
    """The first that was written down of each finding."""
    first = (
        sa.select(finding_sights.c.finding_id, sa.func.min(finding_sights.c.at).label("at"))
        .group_by(finding_sights.c.finding_id)
        .subquery()
    )
    query = sa.select(finding_sights).join(
        first, sa.and_(first.c.finding_id == finding_sights.c.finding_id, first.c.at == finding_sights.c.at)
    )
    return {row["finding_id"]: _words(dict(row)) for row in source.execute(query).mappings()}


def _first_severities(source: Connection) -> dict[int, str]:
    query = sa.select(finding_events.c.finding_id, finding_events.c.detail).where(finding_events.c.what == "opened")
    return {number: detail["severity"] for number, detail in source.execute(query) if "severity" in detail}


def _as_it_began(row: dict[str, Any], words: Said | None, severity: str | None) -> None:
    row |= {"state": "open", "recovered_at": None, "muted_until": None, "last_seen": row["first_seen"]}
    row["severity"] = severity or row["severity"]
    if words is not None:
        row["severity"], row["probability"], row["part"], verdict = words
        if verdict is not None:
            row["evidence"] = {**row["evidence"], "verdict": verdict}


def _events(
    source: Connection, rows: Mapping[int, Mapping[str, Any]], *, after: datetime | None = None, until: datetime
) -> Iterator[Turned]:
    columns = finding_events.c
    query = sa.select(finding_events).where(columns.at <= until)
    if after is not None:
        query = query.where(columns.at > after)
    query = query.order_by(columns.at, columns.id)
    for row in source.execute(_streamed(query)).mappings():
        of = rows.get(row["finding_id"])
        if of is not None and row["what"] != "opened":
            yield Turned(row["at"], row["finding_id"], of["subject"], row["what"], row["actor"], row["detail"])


def _sights(
    source: Connection, rows: Mapping[int, Mapping[str, Any]], *, after: datetime | None = None, until: datetime
) -> Iterator[SaidAgain]:
    columns = finding_sights.c
    query = sa.select(finding_sights).where(columns.at <= until)
    if after is not None:
        query = query.where(columns.at > after)
    query = query.order_by(columns.at, columns.finding_id)
    for row in source.execute(_streamed(query)).mappings():
        of = rows.get(row["finding_id"])
        if of is not None and row["at"] != of["first_seen"]:
            yield SaidAgain(row["at"], row["finding_id"], of["subject"], _words(dict(row)))


def _told(
    source: Connection, rows: Mapping[int, Mapping[str, Any]], untold: list[int], span: Span
) -> Iterator[SaidAgain]:
    """What detectors said; of findings of which nothing was written down, the last that is kept."""
    last = []
    for number in untold:
        row = rows[number]
        severity, at = row["ended_as"]
        if span.since < at <= span.until and at > row["first_seen"]:
            words = (severity, row["probability"], row["part"], row["evidence"].get("verdict"))
            last.append(SaidAgain(at, number, row["subject"], words))
    return merge(_sights(source, rows, after=span.since, until=span.until), sorted(last, key=_at), key=_at)


def _take_words(row: dict[str, Any], said: SaidAgain) -> None:
    row["severity"], row["probability"], row["part"], verdict = said.words
    row["last_seen"] = max(row["last_seen"], said.at)
    if verdict is not None:
        row["evidence"] = {**row["evidence"], "verdict": verdict}


def _words(row: Mapping[str, Any]) -> Said:
    verdict = row["verdict"] if "verdict" in row else row["evidence"].get("verdict")
    return row["severity"], row["probability"], row["part"], verdict


def _say_verdict(connection: Connection, finding_id: int, verdict: str) -> None:
    where = findings_table.c.id == finding_id
    evidence = connection.execute(sa.select(findings_table.c.evidence).where(where)).scalar_one()
    connection.execute(sa.update(findings_table).where(where).values(evidence={**evidence, "verdict": verdict}))


def _end_hold_out(stage: Stage, event: Turned) -> None:
    if event.actor == POLICY:
        return  # the policy that is tried ends its own
    try:
        hold_outs.end(stage.connection, event.finding_id, "sent_now", event.actor, event.at)
    except HearthwatchError:
        stage.count_lost("hold-out ended")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "ended_as"}


def _plainly(later: Iterator[Opened | SaidAgain | Turned]) -> Iterator[Opened | SaidAgain | Turned]:
    for one in later:
        yield Opened(one.at, _plain(one.row)) if isinstance(one, Opened) else one


def _at(one: Any) -> datetime:
    at: datetime = one.at
    return at


def _at_rank(one: Any) -> tuple[datetime, int]:
    return one.at, one.rank
