"""Staged roll-outs: planned for a release, followed wave by wave, decided by the gate, and steered by engineers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.rollouts.announce import Announcing
from alerts.rollouts.services import NONE, open_service
from alerts.rollouts.steering import LONGEST_REASON, steer
from api.acts import Acting, tagged
from api.context import ApiContext, Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.rollout_view import RolloutView, view
from api.security import Engineer, Reader
from hearthwatch.errors import Invalid
from hearthwatch.records import releases, rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_devices import Member
from hearthwatch.records.rollouts import STRATA, Plan, Rollout, Wave
from hearthwatch.values import DEVICE_ID

router = APIRouter(tags=["releases"])

RolloutId = Annotated[int, Path(ge=1, le=2**53)]
Status = Literal["planned", "running", "held", "paused", "stopped", "complete"]
Outcome = Literal["waiting", "offered", "deferred", "updated", "success", "silent", "unhealthy", "left"]
Share = Annotated[float, Field(gt=0, le=1)]
Hours = Annotated[float, Field(gt=0, le=24 * 90)]

DAYS_2 = 48.0


class NewWave(BaseModel):
    """A wave. ``share`` is cumulative: the part of every stratum that has the release once this wave is open."""

    model_config = ConfigDict(extra="forbid")

    share: Share
    min_hours: Annotated[float, Field(ge=0, le=24 * 90)] = DAYS_2
    min_successes: Annotated[int, Field(ge=1, le=10_000_000)] = 20
    success_share: Annotated[float, Field(gt=0, lt=1)] = 0.9


class NewRollout(BaseModel):
    """A roll-out as it is planned; see docs/rollouts.md. ``start`` false: it waits until a person resumes it."""

    model_config = ConfigDict(extra="forbid")

    release_id: Annotated[int, Field(ge=1, le=2**53)]
    waves: Annotated[list[NewWave], Field(min_length=1, max_length=50)] = [
        NewWave(share=share) for share in (0.01, 0.05, 0.2, 0.5, 1.0)
    ]
    strata: Annotated[list[Literal["hardware", "region"]], Field(max_length=2)] = ["hardware", "region"]
    healthy_hours: Hours = 24.0
    silent_hours: Hours = 24.0
    silence_share: Annotated[float, Field(ge=0, lt=1)] = 0.02
    deviation_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    alpha: Annotated[float, Field(ge=0.0001, le=0.2)] = 0.05
    salt: Annotated[str | None, Field(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$")] = None
    service_id: Annotated[str | None, Field(min_length=1, max_length=120, pattern=r"^[\x21-\x7e]+$")] = None
    start: bool = True


class Steering(BaseModel):
    """What an engineer does to a roll-out, and why."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["pause", "resume", "stop", "continue"]
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class Deferrals(BaseModel):
    """Devices whose owners put the update off, as the maker's own app or update system knows it."""

    model_config = ConfigDict(extra="forbid")

    devices: Annotated[
        list[Annotated[str, Field(pattern=f"^(?:{DEVICE_ID.pattern})$")]], Field(min_length=1, max_length=10_000)
    ]
    at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Assigned:
    """The wave of a device. ``open`` says whether it may have the release now; ``wave`` beyond the last: it is held out."""

    device: str
    stratum: str
    wave: int
    open: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """How many deferrals were noted: those of devices that were offered the release."""

    noted: int


def announcing(context: ApiContext) -> Announcing:
    """Who hears of decisions."""
    return Announcing(webhook=bool(context.settings.rollout_webhook.get_secret_value()))


@router.get("/rollouts")
def list_rollouts(
    context: Context,
    _caller: Reader,
    paging: Paging,
    status: Status | None = None,
    release_id: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Page[Rollout]:
    """Roll-outs, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: rollouts.list_rollouts(
                connection,
                statuses=[status] if status else None,
                release_id=release_id,
                after=paging.after_id,
                limit=limit,
            ),
            lambda one: one.id,
        )


@router.post("/rollouts", status_code=201, response_model=RolloutView)
def plan_rollout(context: Context, caller: Engineer, act: Acting, body: NewRollout) -> Response:
    """Plan a roll-out of a release: every device draws its wave; the gate opens the first one at its next look."""
    return act.do(
        caller,
        "rollout.plan",
        lambda made: f"rollout:{made.id}",
        lambda connection: _plan(context, connection, body, caller.name),
        status=201,
        detail={"release_id": body.release_id, "shares": [one.share for one in body.waves]},
    )


def _plan(context: ApiContext, connection: Connection, body: NewRollout, by: str) -> RolloutView:
    now, release = context.clock.now(), releases.get(connection, body.release_id)
    service = open_service(context.settings.rollout_service.get_secret_value()).name
    if body.service_id is not None and service == NONE:
        raise Invalid("no service that deploys is configured (rollout_service)", where="service_id")
    made = rollouts.create(
        connection,
        release_id=release.id,
        salt=body.salt or secrets.token_hex(16),
        plan=Plan(
            waves=tuple(Wave(number=number, **dict(one)) for number, one in enumerate(body.waves, 1)),
            strata=tuple(name for name in STRATA if name in body.strata),
            healthy_hours=body.healthy_hours,
            silent_hours=body.silent_hours,
            silence_share=body.silence_share,
            deviation_share=body.deviation_share,
            alpha=body.alpha,
        ),
        status="planned" if body.start else "paused",
        reason=None if body.start else "It waits to be started by a person.",
        service=service if body.service_id is not None else NONE,
        service_id=body.service_id,
        by=by,
        now=now,
    )
    rollout_devices.draw(connection, made, release.model, now)
    return view(connection, made, now)


@router.get("/rollouts/{rollout_id}", response_model=RolloutView)
def get_rollout(context: Context, _caller: Reader, rollout_id: RolloutId) -> Response:
    """One roll-out with its waves, its counts and its newest decision."""
    with context.database.reading() as connection:
        return tagged(view(connection, rollouts.get(connection, rollout_id), context.clock.now()))


@router.patch("/rollouts/{rollout_id}", response_model=RolloutView)
def steer_rollout(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, rollout_id: RolloutId, body: Steering
) -> Response:
    """Pause, resume, stop, or continue with the next wave at once, whatever the gate says; the reason goes into the ledger.

    `resume` and `continue` overrule what the gate last held or stopped for, until a further wave opens.
    """
    now = context.clock.now()

    def work(connection: Connection) -> RolloutView:
        taken = steer(
            connection,
            rollout_id,
            if_match,
            body.action,
            reason=body.reason,
            actor=caller.name,
            now=now,
            announce=announcing(context),
        )
        return view(connection, taken.rollout, now)

    return act.do(caller, f"rollout.{body.action}", f"rollout:{rollout_id}", work, audited=False)


@router.get("/rollouts/{rollout_id}/decisions")
def list_decisions(context: Context, _caller: Reader, paging: Paging, rollout_id: RolloutId) -> Page[Decision]:
    """What was decided, newest first: by the gate, or by a person."""
    with context.database.reading() as connection:
        rollouts.get(connection, rollout_id)
        return paging.page(
            lambda limit: rollout_decisions.list_decisions(connection, rollout_id, after=paging.after_id, limit=limit),
            lambda one: one.number,
        )


@router.get("/rollouts/{rollout_id}/assignment")
def list_assignment(
    context: Context,
    _caller: Reader,
    paging: Paging,
    rollout_id: RolloutId,
    wave: Annotated[int | None, Query(ge=1, le=51)] = None,
) -> Page[Assigned]:
    """The wave of every device, by device: for an update system of the maker's own, which must deploy by it."""
    with context.database.reading() as connection:
        rollout = rollouts.get(connection, rollout_id)
        newest = rollouts.open_wave(rollouts.waves(connection, rollout_id))
        going = rollout.status in rollouts.OPEN
        page = paging.page(
            lambda limit: rollout_devices.page(connection, rollout_id, wave=wave, after=paging.after, limit=limit),
            lambda one: one.device_id,
        )
        items = [Assigned(one.device_id, one.stratum, one.wave, going and one.wave <= newest) for one in page.items]
        return Page(items=items, next=page.next)


@router.get("/rollouts/{rollout_id}/devices")
def list_devices(
    context: Context,
    _caller: Reader,
    paging: Paging,
    rollout_id: RolloutId,
    wave: Annotated[int | None, Query(ge=1, le=51)] = None,
    outcome: Outcome | None = None,
) -> Page[Member]:
    """What became of every device, by device."""
    outcomes = [outcome] if outcome else None
    with context.database.reading() as connection:
        rollouts.get(connection, rollout_id)
        return paging.page(
            lambda limit: rollout_devices.page(
                connection, rollout_id, wave=wave, outcomes=outcomes, after=paging.after, limit=limit
            ),
            lambda one: one.device_id,
        )


@router.post("/rollouts/{rollout_id}/deferrals", response_model=Noted)
def note_deferrals(context: Context, caller: Engineer, act: Acting, rollout_id: RolloutId, body: Deferrals) -> Response:
    """Tell that owners put the update off: neither a success nor a failure. Of devices that were not offered it nothing is noted."""
    at = body.at or context.clock.now()

    def work(connection: Connection) -> Noted:
        rollouts.get(connection, rollout_id)
        return Noted(rollout_devices.deferred(connection, rollout_id, dict.fromkeys(body.devices, at)))

    detail = {"devices": len(body.devices)}
    return act.do(caller, "rollout.deferrals", f"rollout:{rollout_id}", work, detail=detail)
