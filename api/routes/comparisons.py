"""Standing comparisons within a model by what splits it: batch, supplier, region, hardware revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from analytics.cohorts.dimension_values import values_known
from analytics.cohorts.spec import watched_metrics
from api.acts import Acting, tagged
from api.context import Context
from api.csv_tables import csv_response
from api.look_view import ComparisonLookView
from api.paging import Page, Paging, look_key
from api.revisions import IfMatch
from api.security import Engineer, Reader
from hearthwatch.errors import Invalid
from hearthwatch.records import comparison_looks, comparisons
from hearthwatch.records.comparisons import Comparison
from hearthwatch.records.look_ledger import FIGURES

router = APIRouter(tags=["comparisons"])

ComparisonId = Annotated[int, Path(ge=1, le=2**53)]
Value = Annotated[str, Field(min_length=1, max_length=128)]


class NewComparison(BaseModel):
    """A question: do devices whose ``by`` is ``treatment`` do worse than others of their model at the same time?

    ``by``: ``hardware``, ``region``, ``made`` (the month, 2026-05), ``part:battery`` (the part's detail: who supplied it) or the name of
    an attribute of devices. ``control`` lists values, absent for all others. Evidence counts from ``since`` on, absent for now.
    """

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=120)]
    by: Annotated[str, Field(min_length=1, max_length=80)]
    treatment: Value
    control: Annotated[list[Value], Field(max_length=200)] = []
    metric: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    since: AwareDatetime | None = None


def _check_metric(name: str | None, gauges: Sequence[str]) -> None:
    known = [metric.name for metric in watched_metrics(gauges)]
    if name is not None and name not in known:
        raise Invalid(f"no such metric is watched; there are {', '.join(known)}", where="metric")


@router.get("/comparisons")
def list_comparisons(
    context: Context, _caller: Reader, paging: Paging, model: str | None = None, ended: bool | None = None
) -> Page[Comparison]:
    """Standing comparisons, newest first; with ``ended`` only those that are over, or only those that are not."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: comparisons.list_comparisons(
                connection, model=model, ended=ended, after=paging.after_id, limit=limit
            ),
            key=lambda comparison: comparison.id,
        )


@router.post("/comparisons", status_code=201, response_model=Comparison)
def ask(context: Context, caller: Engineer, act: Acting, body: NewComparison) -> Response:
    """Ask a question: from the next full hour on it is looked at, together with the releases, until it is ended."""
    now = context.clock.now()
    _check_metric(body.metric, context.settings.cohort_gauges)
    return act.do(
        caller,
        "comparison.create",
        lambda made: f"comparison:{made.id}",
        lambda connection: comparisons.create(
            connection, **body.model_dump(exclude={"since"}), since=body.since or now, now=now, actor=caller.name
        ),
        status=201,
        detail={"model": body.model, "by": body.by, "treatment": body.treatment},
    )


class KnownValue(BaseModel):
    """A value of a dimension, and how many devices have it now."""

    value: str
    devices: int


@router.get("/comparisons/values")
def list_values(context: Context, _caller: Reader, model: str, by: str) -> Page[KnownValue]:
    """The values that a model's devices have now, the most frequent first: what can be compared."""
    with context.database.reading() as connection:
        known = values_known(connection, model, by)
    return Page(items=[KnownValue(value=value, devices=devices) for value, devices in known.items()])


@router.get("/comparisons/{comparison_id}", response_model=Comparison)
def get_comparison(context: Context, _caller: Reader, comparison_id: ComparisonId) -> Response:
    """One comparison."""
    with context.database.reading() as connection:
        return tagged(comparisons.get(connection, comparison_id))


@router.get("/comparisons/{comparison_id}/looks")
def list_looks(
    context: Context, _caller: Reader, paging: Paging, comparison_id: ComparisonId, metric: str | None = None
) -> Page[ComparisonLookView]:
    """What was seen at every look, oldest first, by metric where they are of the same time."""
    after = paging.after_look
    with context.database.reading() as connection:
        comparisons.get(connection, comparison_id)
        found = paging.page(
            lambda limit: comparison_looks.list_looks(
                connection, comparison_id, metric=metric, after=after, limit=limit
            ),
            key=lambda look: look_key(look.at, look.metric),
        )
    return Page(items=[ComparisonLookView.of(look) for look in found.items], next=found.next)


@router.get("/comparisons/{comparison_id}/looks.csv", response_class=Response)
def export_looks(context: Context, _caller: Reader, comparison_id: ComparisonId, metric: str | None = None) -> Response:
    """The looks as a CSV file for a spreadsheet, without their detail."""
    with context.database.reading() as connection:
        comparisons.get(connection, comparison_id)
        found = comparison_looks.list_looks(connection, comparison_id, metric=metric)
    columns = ["comparison_id", *(name for name in FIGURES if name != "detail")]
    return csv_response(f"comparison-{comparison_id}-looks", columns, found)


@router.post("/comparisons/{comparison_id}/end", response_model=Comparison)
def end_comparison(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, comparison_id: ComparisonId
) -> Response:
    """Ask no more; what was seen stays, and its finding ends with the next look of the others."""
    return act.do(
        caller,
        "comparison.end",
        f"comparison:{comparison_id}",
        lambda connection: comparisons.end(connection, comparison_id, if_match, context.clock.now()),
    )
