"""Replays: what a policy would have sent and opened on stored history. See docs/replay.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.policy.file import parse
from alerts.replay.trial import span_of
from api.acts import Acting, tagged
from api.context import Context
from api.csv_tables import csv_response
from api.paging import Page, Paging
from api.security import Engineer, Reader
from hearthwatch.errors import Invalid
from hearthwatch.records import policies, policy_replays
from hearthwatch.records.policy_replays import PolicyReplay, Question

router = APIRouter(tags=["policies and sending"])

ReplayId = Annotated[int, Path(ge=1, le=2**53)]


class NewReplay(BaseModel):
    """A policy to try, by its ``text`` or as the ``version`` it is, from ``since`` on; ``until`` absent: up to now."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str | None, Field(min_length=1, max_length=200_000)] = None
    version: Annotated[int | None, Field(ge=1, le=2**31)] = None
    since: AwareDatetime
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_policy(self) -> NewReplay:
        if (self.text is None) == (self.version is None):
            raise ValueError("give the text of a policy, or its version")
        return self


class ReplayRow(BaseModel):
    """A replay in a list: without its text, and of its report only the answer."""

    id: int
    policy_version: int | None
    policy: str | None
    since: datetime
    until: datetime
    state: str
    progress: str
    why: str | None
    answer: Mapping[str, Any] | None
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    revision: int

    @classmethod
    def of(cls, one: PolicyReplay) -> ReplayRow:
        """The row of one."""
        report = one.report or {}
        named = {"answer": report.get("answer"), "policy": (report.get("policy") or {}).get("name")}
        return cls(**named, **{name: getattr(one, name) for name in cls.model_fields if name not in named})


def question_of(connection: Connection, asked: NewReplay, now: datetime) -> Question:
    """What is asked, checked: the text is a policy, or the version exists. Raises `InvalidPolicy`, `Invalid` or `Missing`."""
    text = asked.text if asked.version is None else policies.get(connection, asked.version).text
    if text is None:
        raise Invalid("give the text of a policy, or its version", where="text")
    parse(text)
    span = span_of(asked.since, asked.until, now)
    return Question(text, asked.version, span.since, span.until, open_end=asked.until is None)


@router.get("/policies/replays")
def list_replays(context: Context, _caller: Reader, paging: Paging) -> Page[ReplayRow]:
    """Replays, newest first."""
    with context.database.reading() as connection:
        found = paging.page(
            lambda limit: policy_replays.list_replays(connection, after=paging.after_id, limit=limit),
            key=lambda one: one.id,
        )
    return Page(items=[ReplayRow.of(one) for one in found.items], next=found.next)


@router.post("/policies/replays", status_code=201, response_model=PolicyReplay)
def ask(context: Context, caller: Engineer, act: Acting, body: NewReplay) -> Response:
    """Try a policy on stored history; it is worked in the background, one at a time. Nothing is sent or opened by it.

    Read it again to see how far it is. The same question that waits or runs already is answered with that one.
    """
    now = context.clock.now()
    return act.do(
        caller,
        "policy.replay",
        lambda made: f"policy_replay:{made.id}",
        lambda connection: policy_replays.ask(connection, question_of(connection, body, now), now, caller.name),
        status=201,
        detail={"version": body.version, "since": body.since.isoformat()},
    )


@router.get("/policies/replays/{replay_id}", response_model=PolicyReplay)
def get_replay(context: Context, _caller: Reader, replay_id: ReplayId) -> Response:
    """One replay with its whole report, as `hearthwatch replay --json` prints it."""
    with context.database.reading() as connection:
        return tagged(policy_replays.get(connection, replay_id))


class NoticeRow(BaseModel):
    """A notice of a replay."""

    at: str
    customer: str
    device: str
    finding: int | None
    kind: str
    state: str
    reason: str | None
    rule: str | None
    where: str
    verdict: str | None
    confirmed_at: str | None
    lead_days: float | None


class TicketRow(BaseModel):
    """A ticket of a replay."""

    at: str
    cause: str
    device: str | None
    customer: str | None
    model: str | None
    part: str | None
    finding: int | None
    priority: int
    closed_at: str | None
    closing_code: str | None
    where: str
    verdict: str
    lead_days: float | None


@router.get("/policies/replays/{replay_id}/notices.csv", response_class=Response)
def export_notices(context: Context, _caller: Reader, replay_id: ReplayId) -> Response:
    """The notices of a replay as a CSV file for a spreadsheet."""
    return _csv(context, replay_id, "notices", NoticeRow)


@router.get("/policies/replays/{replay_id}/tickets.csv", response_class=Response)
def export_tickets(context: Context, _caller: Reader, replay_id: ReplayId) -> Response:
    """The tickets of a replay as a CSV file for a spreadsheet."""
    return _csv(context, replay_id, "tickets", TicketRow)


def _csv(context: Context, replay_id: int, what: str, row: type[BaseModel]) -> Response:
    with context.database.reading() as connection:
        report = policy_replays.get(connection, replay_id).report or {}
    columns = list(row.model_fields)
    rows = [row(**{name: one.get(name) for name in columns}) for one in report.get(what) or ()]
    return csv_response(f"replay-{replay_id}-{what}", columns, rows)
