"""What closed cases teach: failures in the field, figures of the service, answers of customers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from alerts.learning.feedback import Feedback, What, feedback
from alerts.learning.figures import By, Figures, service_figures
from alerts.learning.rates import Share
from api.context import ApiContext, Context
from api.csv_tables import csv_lines
from api.paging import Page, Paging
from api.security import Agent, Reader
from hearthwatch.records import surveys
from hearthwatch.records.surveys import Survey

router = APIRouter(tags=["learning"])

Since = Annotated[AwareDatetime | None, Query(description="Beginning of the time; a year ago by default.")]
Until = Annotated[AwareDatetime | None, Query(description="End of the time; now by default.")]
Dimension = Annotated[
    str,
    Query(
        max_length=80,
        description="`model`, `hardware`, `region`, `firmware`, `part:NAME`, or an attribute, such as `batch`.",
    ),
]
A_YEAR = timedelta(days=365)


def span(context: ApiContext, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """The time that is asked about."""
    end = until or context.clock.now()
    return since or end - A_YEAR, end


def _feedback(
    context: Context,
    by: Dimension = "model",
    what: What = "failures",
    model: Annotated[str | None, Query(max_length=120)] = None,
    since: Since = None,
    until: Until = None,
) -> Feedback:
    begin, end = span(context, since, until)
    with context.database.reading() as connection:
        return feedback(connection, by=by, what=what, since=begin, until=end, model=model)


@router.get("/feedback")
def get_feedback(_caller: Reader, found: Annotated[Feedback, Depends(_feedback)]) -> Feedback:
    """What fails or is complained about, per 1,000 device-months with 95 % intervals, what it cost, and how it changes."""
    return found


@router.get("/feedback.csv")
def get_feedback_csv(_caller: Reader, found: Annotated[Feedback, Depends(_feedback)]) -> Response:
    """The same as a table: a row for each value and failure mode, with one column for each month."""
    months = [f"{one.begin:%Y-%m}" for one in found.rows[0].months] if found.rows else []
    head = ["model", found.by, "failure_mode", "count", "devices", "device_months", "per_1000_device_months", "low", "high",
            "change", "change_low", "change_high", "cost_minor_units", "currency", *months]  # fmt: skip
    return csv_lines(f"feedback-{found.what}", head, _lines(found))


def _lines(found: Feedback) -> Iterator[list[Any]]:
    for row in found.rows:
        of, ratio = row.rate, row.change
        yield [
            row.model, row.value, row.mode, of.count, row.devices, round(of.months, 2), of.per_1000, of.low, of.high,
            ratio.ratio, ratio.low, ratio.high, row.cost, row.currency, *(month.rate.per_1000 for month in row.months),
        ]  # fmt: skip


def _figures(
    context: Context, by: By = "policy_version", since: Since = None, until: Until = None
) -> tuple[By, list[Figures]]:
    begin, end = span(context, since, until)
    with context.database.reading() as connection:
        return by, service_figures(connection, since=begin, until=end, by=by)


@router.get("/service-figures")
def get_figures(_caller: Reader, asked: Annotated[tuple[By, list[Figures]], Depends(_figures)]) -> Page[Figures]:
    """Figures of all cases closed in a time, then by policy version or month."""
    return Page(items=asked[1])


@router.get("/service-figures.csv")
def get_figures_csv(_caller: Reader, asked: Annotated[tuple[By, list[Figures]], Depends(_figures)]) -> Response:
    """The same as a table; shares with their intervals in three columns."""
    by, found = asked
    shares = ("first_contact_resolution", "reopened", "no_fault_found", "notice_precision", "solved")
    spans = ("first_response", "first_response_business", "resolution", "resolution_business")
    plain = ("tickets_closed", "visits", "visits_avoided", "notices_judged", "lead_days", "surveys", "score")
    head = [by, *plain, *(f"{name}{end_}" for name in shares for end_ in ("", "_low", "_high"))]
    head += [f"{name}_{part}" for name in spans for part in ("count", "median_h", "p90_h")]
    return csv_lines("service-figures", head, (_figures_line(one, plain, shares, spans) for one in found))


def _figures_line(one: Figures, plain: tuple[str, ...], shares: tuple[str, ...], spans: tuple[str, ...]) -> list[Any]:
    nothing: tuple[None, None, None] = (None, None, None)
    found: list[Any] = [one.key, *(getattr(one, name) for name in plain)]
    for name in shares:
        value: Share | None = getattr(one, name)
        found.extend(value or nothing)
    for name in spans:
        times = getattr(one, name)
        found.extend((times.count, times.median_h, times.p90_h))
    return found


@router.get("/surveys")
def list_surveys(context: Context, _caller: Agent, paging: Paging) -> Page[Survey]:
    """What customers said about their cases, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: surveys.list_surveys(connection, after=paging.after_id, limit=limit), key=lambda one: one.id
        )
