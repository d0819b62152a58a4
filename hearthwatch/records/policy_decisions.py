"""What the policy decided about each finding at its last look, and why: also where nothing came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, replace_rows
from hearthwatch.records.tables import findings, policy_decisions
from hearthwatch.records.tables.columns import fitted


@dataclass(frozen=True, slots=True)
class Prior:
    """What the last look said, as far as the next one needs it. ``digest`` tells whether the reasons changed."""

    rule: str | None
    pays: bool
    digest: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided about a finding. ``rule`` stands for it since ``since``; ``at`` is when the reasons changed last.

    ``outcome``: acts, silent, no_rule, held, costs, waits_for_fix, covered, held_out.
    """

    finding_id: int
    rule: str | None
    outcome: str
    pays: bool
    digest: str
    why: Mapping[str, Any]
    since: datetime
    at: datetime
    policy_version: int


def standing(connection: Connection, states: Sequence[str]) -> dict[int, Prior]:
    """The last look's words about the findings in some states, by finding."""
    query = _priors().join(findings, findings.c.id == policy_decisions.c.finding_id)
    return dict(_as_prior(row) for row in connection.execute(query.where(findings.c.state.in_(states))).all())


def of_findings(connection: Connection, finding_ids: Iterable[int]) -> dict[int, Prior]:
    """The last look's words about some findings."""
    found: dict[int, Prior] = {}
    for some in batched(finding_ids):
        rows = connection.execute(_priors().where(policy_decisions.c.finding_id.in_(some)))
        found.update(_as_prior(row) for row in rows.all())
    return found


def none_yet(connection: Connection, policy_version: int, states: Sequence[str]) -> bool:
    """Whether there are findings in some states, and nothing was decided under a policy version yet."""
    decided = sa.exists().where(policy_decisions.c.policy_version == policy_version)
    standing_now = sa.exists().where(findings.c.state.in_(states))
    return bool(connection.execute(sa.select(sa.and_(standing_now, sa.not_(decided)))).scalar_one())


def _as_prior(row: sa.Row[tuple[int, str | None, bool, str, datetime]]) -> tuple[int, Prior]:
    return row.finding_id, Prior(row.rule, row.pays, row.digest, row.since)


def _priors() -> sa.Select[tuple[int, str | None, bool, str, datetime]]:
    columns = policy_decisions.c
    return sa.select(columns.finding_id, columns.rule, columns.pays, columns.digest, columns.since)


def keep(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Write decisions down; one about the same finding replaces the one before."""
    rule = policy_decisions.c.rule
    names = Decision.__dataclass_fields__
    for some in batched(decisions):
        replace_rows(
            connection,
            policy_decisions,
            [{name: getattr(one, name) for name in names} | {"rule": fitted(rule, one.rule)} for one in some],
        )


def find(connection: Connection, finding_id: int) -> Decision | None:
    """What was decided about a finding; None where no round has looked at it yet."""
    query = sa.select(policy_decisions).where(policy_decisions.c.finding_id == finding_id)
    row = connection.execute(query).mappings().one_or_none()
    return Decision(**row) if row else None


def by_outcome(connection: Connection, states: Sequence[str]) -> dict[tuple[str | None, str], int]:
    """How many findings in some states have come to what, by rule and outcome."""
    columns = policy_decisions.c
    query = (
        sa.select(columns.rule, columns.outcome, sa.func.count())
        .join(findings, findings.c.id == columns.finding_id)
        .where(findings.c.state.in_(states))
        .group_by(columns.rule, columns.outcome)
    )
    return {(rule, outcome): count for rule, outcome, count in connection.execute(query)}
