"""Liveness: the state of devices and why, their timelines, when nobody listened, and what a person says of how they report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import Context
from api.liveness_words import sentence
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.security import Engineer, Reader
from hearthwatch.records import blindness, devices, liveness
from hearthwatch.records.blindness import BlindSpan
from hearthwatch.records.liveness import Liveness, ReportingPlan
from hearthwatch.values import Device

router = APIRouter(tags=["liveness"])

DeviceId = Annotated[str, Path(max_length=64, description="The device's id.")]
Language = Annotated[str, Query(pattern="^[A-Za-z-]{2,16}$", description="Language of `why`: en or zh.")]
Scope = Annotated[Literal["device", "model"], Path(description="Whom the plan is for.")]
Subject = Annotated[str, Path(max_length=120, description="The device's or the model's id.")]


@dataclass(frozen=True, slots=True)
class LivenessView:
    """Whether a device is there. ``why`` is a sentence; ``reason`` is what it is made of (text_key and values), for other languages."""

    state: str
    since: datetime
    until: datetime | None
    why: str
    reason: dict[str, Any]
    power: str
    power_from: str
    interval_s: float
    gaps: int
    heard_at: datetime | None
    bridge: str | None
    flapping: bool
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class DeviceView(Device):
    """A device of the registry with its liveness, null before the first look at it."""

    liveness: LivenessView | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """An entry of a device's timeline."""

    id: int
    at: datetime
    state: str
    before: str | None
    why: str
    reason: dict[str, Any]
    incident_id: int | None


class Overview(BaseModel):
    """Devices by state, and the blindness that lasts, if one does."""

    states: dict[str, int]
    blind: BlindSpan | None


class PlanData(BaseModel):
    """What is said of how a device or a model reports; null where it is to be found out."""

    model_config = ConfigDict(extra="forbid")

    power: Literal["mains", "battery", "sleepy"] | None = None
    interval_s: float | None = Field(None, ge=liveness.SHORTEST_S, le=liveness.LONGEST_S)


def view(known: Liveness, language: str = "en") -> LivenessView:
    """A state as it is shown."""
    return LivenessView(
        state=known.state,
        since=known.since,
        until=known.until,
        why=sentence(known.why, language),
        reason={"text_key": known.why.get("text_key"), "values": dict(known.why.get("values") or {})},
        power=known.power,
        power_from=known.power_from,
        interval_s=known.interval_s,
        gaps=known.gaps,
        heard_at=known.heard_at,
        bridge=known.bridge_id,
        flapping=known.flapping,
        incident_id=known.incident_id,
    )


def with_liveness(device: Device, known: Liveness | None, language: str = "en") -> DeviceView:
    """A device with its liveness."""
    told = {name: getattr(device, name) for name in Device.__dataclass_fields__}
    return DeviceView(**told, liveness=None if known is None else view(known, language))


@router.get("/liveness")
def get_overview(context: Context, _caller: Reader) -> Overview:
    """How many devices are in which state, and whether we hear them at all."""
    with context.database.reading() as connection:
        return Overview(states=liveness.counts(connection), blind=blindness.current(connection, context.clock.now()))


@router.get("/blind-spans")
def list_blind_spans(
    context: Context, _caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Page[BlindSpan]:
    """When nobody could hear the fleet, newest first; `until` is null while it lasts."""
    with context.database.reading() as connection:
        return Page(items=blindness.list_spans(connection, context.clock.now(), limit=limit))


@router.get("/devices/{device_id}/liveness")
def get_liveness(context: Context, _caller: Reader, device_id: DeviceId, lang: Language = "en") -> LivenessView | None:
    """Whether a device is there, and why; null before the first look at it."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        known = liveness.find(connection, [device_id]).get(device_id)
    return None if known is None else view(known, lang)


@router.get("/devices/{device_id}/liveness/changes")
def list_changes(
    context: Context, _caller: Reader, paging: Paging, device_id: DeviceId, lang: Language = "en"
) -> Page[Step]:
    """A device's timeline of states, newest first."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        page = paging.page(
            lambda limit: liveness.changes(connection, device_id, after=paging.after_id, limit=limit),
            key=lambda one: one.id,
        )
    steps = [
        Step(
            one.id,
            one.at,
            one.state,
            one.before,
            sentence(one.why, lang),
            {"text_key": one.why.get("text_key"), "values": dict(one.why.get("values") or {})},
            one.incident_id,
        )
        for one in page.items
    ]
    return Page(items=steps, next=page.next)


@router.get("/reporting-plans")
def list_plans(context: Context, _caller: Reader) -> Page[ReportingPlan]:
    """What people said of how devices and models report."""
    with context.database.reading() as connection:
        return Page(items=[one for _, one in sorted(liveness.plans(connection).items())])


@router.get("/reporting-plans/{scope}/{subject:path}", response_model=ReportingPlan)
def get_plan(context: Context, _caller: Reader, scope: Scope, subject: Subject) -> Response:
    """What is said of one device or model."""
    with context.database.reading() as connection:
        return tagged(liveness.plan(connection, scope, subject))


@router.put("/reporting-plans/{scope}/{subject:path}", response_model=ReportingPlan)
def put_plan(
    caller: Engineer, act: Acting, if_match: IfMatch, scope: Scope, subject: Subject, body: PlanData
) -> Response:
    """Say how a device, or all of a model, is powered and how often it reports; it goes before what was found out."""
    return act.do(
        caller,
        "reporting.plan",
        f"{scope}:{subject}",
        lambda connection: liveness.set_plan(connection, scope, subject, if_match, body.power, body.interval_s),
        detail=body.model_dump(),
    )
