"""Planned outages: our own works, announced so that no device is blamed for them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.acts import Acting
from api.context import Context
from api.paging import LARGEST_PAGE, Page
from api.security import Engineer, Reader
from hearthwatch.records import outages
from hearthwatch.records.outages import PlannedOutage

router = APIRouter(tags=["fleet"])


class NewOutage(BaseModel):
    """Works that are planned; no model or no region means all of them."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str | None, Field(max_length=120)] = None
    region: Annotated[str | None, Field(max_length=64)] = None
    from_at: AwareDatetime
    to_at: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=400)]


@router.get("/outages")
def list_outages(context: Context, _caller: Reader) -> Page[PlannedOutage]:
    """Planned outages, the latest first."""
    with context.database.reading() as connection:
        return Page(items=outages.list_outages(connection, limit=LARGEST_PAGE))


@router.post("/outages", status_code=201, response_model=PlannedOutage)
def plan_outage(caller: Engineer, act: Acting, body: NewOutage) -> Response:
    """Announce an outage."""
    return act.do(
        caller,
        "outage.plan",
        lambda outage: f"outage:{outage.id}",
        lambda connection: outages.plan(connection, **dict(body)),
        status=201,
        detail={"reason": body.reason},
    )
