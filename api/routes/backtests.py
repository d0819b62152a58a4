"""Backtests of a maker's own history, and the files that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import ApiContext, Context
from api.csv_tables import csv_response
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.security import Engineer, Reader
from hearthwatch.history.mapping import read_mapping
from hearthwatch.history.shelf import Shelved, folder_below, list_shelf, mapping_below, shelve
from hearthwatch.records import audit, backtests
from hearthwatch.records.backtests import Backtest, Question

router = APIRouter(tags=["backtests"])

BacktestId = Annotated[int, Path(ge=1, le=2**53)]
Name = Annotated[str, Path(max_length=200)]


class NewBacktest(BaseModel):
    """How well would the failures of a history have been foretold?

    ``folder`` lies below the setting ``history_dir``; ``mapping`` is the mapping file in it, absent where there is only one. What comes
    before ``cut`` is learned from, what comes after is foretold; absent for three fifths of the span.
    """

    model_config = ConfigDict(extra="forbid")

    folder: Annotated[str, Field(min_length=1, max_length=400)]
    mapping: Annotated[str | None, Field(max_length=200)] = None
    cut: AwareDatetime | None = None
    horizon_days: Annotated[int, Field(ge=1, le=365)] = 7


class BacktestRow(BaseModel):
    """A backtest in a list: without its mapping, and of its report only the answer."""

    id: int
    folder: str
    mapping_file: str
    cut: datetime | None
    horizon_days: int
    state: str
    progress: str
    why: str | None
    answer: Mapping[str, Any] | None
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    revision: int

    @classmethod
    def of(cls, one: Backtest) -> BacktestRow:
        """The row of one."""
        answer = (one.report or {}).get("answer")
        return cls(answer=answer, **{name: getattr(one, name) for name in cls.model_fields if name != "answer"})


def question_of(context: ApiContext, asked: NewBacktest) -> Question:
    """What is asked, checked: the folder and the mapping are there, and the mapping is one. Raises `Invalid` or `Missing`."""
    folder = folder_below(context.settings.history_folder, asked.folder)
    mapping = mapping_below(folder, asked.mapping)
    read_mapping(mapping)
    return Question(asked.folder, mapping.name, mapping.read_text(encoding="utf-8"), asked.cut, asked.horizon_days)


@router.get("/backtests")
def list_backtests(context: Context, _caller: Reader, paging: Paging) -> Page[BacktestRow]:
    """Backtests, newest first."""
    with context.database.reading() as connection:
        found = paging.page(
            lambda limit: backtests.list_backtests(connection, after=paging.after_id, limit=limit),
            key=lambda one: one.id,
        )
    return Page(items=[BacktestRow.of(one) for one in found.items], next=found.next)


@router.post("/backtests", status_code=201, response_model=Backtest)
def ask(context: Context, caller: Engineer, act: Acting, body: NewBacktest) -> Response:
    """Ask for a backtest; it is worked in the background, one at a time. Read it again to see how far it is."""
    question = question_of(context, body)
    now = context.clock.now()
    return act.do(
        caller,
        "backtest.create",
        lambda made: f"backtest:{made.id}",
        lambda connection: backtests.ask(connection, question, now, caller.name),
        status=201,
        detail={"folder": question.folder, "mapping": question.mapping_file},
    )


@router.get("/backtests/{backtest_id}", response_model=Backtest)
def get_backtest(context: Context, _caller: Reader, backtest_id: BacktestId) -> Response:
    """One backtest with its whole report, as `hearthwatch backtest --json` prints it."""
    with context.database.reading() as connection:
        return tagged(backtests.get(connection, backtest_id))


@router.get("/backtests/{backtest_id}/remarks.csv", response_class=Response)
def export_remarks(context: Context, _caller: Reader, backtest_id: BacktestId) -> Response:
    """What was odd about the data, as a CSV file for a spreadsheet."""
    with context.database.reading() as connection:
        report = backtests.get(connection, backtest_id).report or {}
    remarks: Sequence[Mapping[str, Any]] = (report.get("quality") or {}).get("remarks") or []
    columns = ["kind", "count", "said", "done", "file", "row", "column", "example"]
    rows = [RemarkRow(**{name: one.get(name) for name in columns}) for one in remarks]
    return csv_response(f"backtest-{backtest_id}-data", columns, rows)


class RemarkRow(BaseModel):
    """One thing that was odd about the data."""

    kind: str
    count: int
    said: str
    done: str
    file: str | None
    row: int | None
    column: str | None
    example: str | None


@router.post("/backtests/{backtest_id}/again", response_model=Backtest)
def start_again(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, backtest_id: BacktestId
) -> Response:
    """Work one once more that has ended, in whatever way: its files may be others by now, its mapping is as it was."""
    return act.do(
        caller,
        "backtest.again",
        f"backtest:{backtest_id}",
        lambda connection: backtests.again(connection, backtest_id, if_match, context.clock.now()),
    )


class ShelvedFile(BaseModel):
    """A file that is being uploaded: how many bytes of it are there, and whether that is all."""

    folder: str
    name: str
    bytes: int
    whole: bool


@router.get("/history")
def list_histories(context: Context, _caller: Reader) -> Page[Shelved]:
    """The folders below `history_dir`: what can be backtested."""
    return Page(items=list_shelf(context.settings.history_folder))


@router.put("/history/{folder}/{name}")
def upload(
    context: Context,
    caller: Engineer,
    act: Acting,
    folder: Name,
    name: Name,
    offset: Annotated[int, Query(ge=0, description="How many bytes of the file came before this piece.")] = 0,
    last: Annotated[bool, Query(description="False where more pieces follow.")] = True,
) -> ShelvedFile:
    """Put a file (CSV, CSV.gz, Parquet, or a mapping) or a piece of it, of at most 32 MiB, into a folder below `history_dir`.

    With the last piece the file is there, in the place of an older one of its name.
    """
    settings = context.settings
    there = shelve(
        settings.history_folder, folder, name, act.body, offset=offset, last=last, most=settings.history_upload_bytes
    )
    if last:
        with context.database.transaction() as connection:
            audit.note(
                connection,
                at=context.clock.now(),
                actor=caller.name,
                action="history.upload",
                object=f"history:{folder}/{name}",
                detail={"bytes": there},
            )
    return ShelvedFile(folder=folder, name=name, bytes=there, whole=last)
