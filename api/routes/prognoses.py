"""Prognoses: what will probably fail, when, and by which method that is known."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from analytics.survival.whole_device import WholeDevice, whole_device
from api.context import Context
from api.paging import Page
from api.routes.devices import DeviceId
from api.security import Reader
from hearthwatch.records import devices, prognoses
from hearthwatch.records.prognoses import Prognosis

router = APIRouter(tags=["prognoses"])

Probability = Annotated[float | None, Field(ge=0, le=1)]
Days = Annotated[float | None, Field(ge=0)]


class PartPrognosis(BaseModel):
    """What is said of one part of one device; docs/prognosis.md says what it means and what not."""

    device_id: str
    part: str = Field(description="What fails; `device` where nothing is known of its parts.")
    at: datetime = Field(description="When it was said; prognoses are made once a day.")
    model_version_id: int | None = Field(description="The trained model that said it; null for age or use alone.")
    p7: Probability = Field(description="Probability that the part fails within 7 days.")
    p30: Probability = Field(description="... within 30 days.")
    p90: Probability = Field(description="... within 90 days; null where nothing is known so far ahead.")
    abstained: str | None = Field(description="Why there are no probabilities; null where there are.")
    reasons: list[dict[str, Any]] = Field(description="What speaks for a high probability, strongest first.")
    against: dict[str, Any] | None = Field(description="What speaks against it.")
    decision: dict[str, Any] | None = Field(description="What was made of it: a finding, or why none.")
    method: Literal["hazard", "survival"] | None = Field(
        description="`hazard`: from the device's own signs; `survival`: from the age or use of its part alone."
    )
    clock: str | None = Field(description="Of a survival: `age`, or the counter by whose use it was reckoned.")
    rul_method: Literal["wear", "hazard", "survival"] | None = Field(
        description="Where the remaining life comes from: `wear`, learned from worn parts, or the probabilities above."
    )
    rul_abstained: str | None = Field(description="Why nothing is said of a wearing part's remaining life.")
    rul_p10: Days = Field(
        description="Days within which one in ten parts like this fails; at `rul_cap`: that or longer."
    )
    rul_p50: Days = Field(description="Days within which half of them fail; at `rul_cap`: that or longer.")
    rul_p90: Days = Field(description="Days within which nine in ten fail; at `rul_cap`: that or longer.")
    rul_cap: Days = Field(description="How far ahead in days anything is known.")


class DevicePrognoses(Page[PartPrognosis]):
    """The parts of a device, and the device as a whole."""

    device: WholeDevice | None = Field(
        description="Whether any part fails, and the `probable_part`; null where nothing is said of any part."
    )


@router.get("/devices/{device_id}/prognoses")
def get_prognoses(context: Context, _caller: Reader, device_id: DeviceId) -> DevicePrognoses:
    """The newest prognosis of each part of a device, and of the device as a whole."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        known = prognoses.of_device(connection, device_id)
    return DevicePrognoses(items=[_part(row) for row in known], next=None, device=whole_device(known))


@router.get("/prognoses")
def list_riskiest(
    context: Context,
    _caller: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    state: Literal["flagged", "waiting", "unconfirmed"] | None = None,
) -> Page[PartPrognosis]:
    """The parts most likely to fail within 30 days, the likeliest first, of devices that were told of within a week.

    ``state`` asks for those with a finding, those that wait for the week's budget, or those on their first day above their line.
    """
    since = context.clock.now() - prognoses.RECENT
    with context.database.reading() as connection:
        return Page(items=[_part(row) for row in prognoses.riskiest(connection, since=since, state=state, limit=limit)])


def _part(row: Prognosis) -> PartPrognosis:
    return PartPrognosis.model_validate({field.name: getattr(row, field.name) for field in fields(Prognosis)})
