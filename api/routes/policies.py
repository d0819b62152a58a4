"""Policies, and rounds of notices that wait for a second person."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts.policy import brakes as use_brakes
from alerts.policy import versions as use_policy
from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page
from api.security import Admin, Engineer, Reader
from hearthwatch.records import brakes, policies
from hearthwatch.records.brakes import Brake
from hearthwatch.records.policies import PolicyVersion

router = APIRouter(tags=["policies and sending"])

Version = Annotated[int, Path(ge=1, le=2**31)]


class PolicyText(BaseModel):
    """A policy as TOML."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=200_000)]


class Mode(BaseModel):
    """What a policy is for: observe shows what it would do, live does it, retired does nothing."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["observe", "live", "retired"]


class Rounds(BaseModel):
    """Rounds of notices that wait for a second person."""

    items: list[Brake]


class Released(BaseModel):
    """A round that was let go."""

    round: str
    released: bool


@router.get("/policies")
def list_policies(context: Context, _caller: Reader) -> Page[PolicyVersion]:
    """Every version of the policy, newest first."""
    with context.database.reading() as connection:
        return Page(items=policies.list_versions(connection))


@router.get("/policies/{version}", response_model=PolicyVersion)
def get_policy(context: Context, _caller: Reader, version: Version) -> Response:
    """One version."""
    with context.database.reading() as connection:
        return tagged(policies.get(connection, version))


@router.post("/policies", status_code=201, response_model=PolicyVersion)
def add_policy(context: Context, caller: Engineer, act: Acting, body: PolicyText) -> Response:
    """Keep a policy as a new version that observes; nothing is sent by it until somebody sets it live."""
    return act.do(
        caller,
        "policy.add",
        lambda added: f"policy:{added.version}",
        lambda connection: use_policy.add_policy(connection, body.text, caller.name, context.clock.now()),
        status=201,
        audited=False,
    )


@router.post("/policies/{version}/mode", response_model=PolicyVersion)
def set_mode(context: Context, caller: Admin, act: Acting, version: Version, body: Mode) -> Response:
    """Set a version live, let it observe, or retire it."""
    return act.do(
        caller,
        f"policy.{body.mode}",
        f"policy:{version}",
        lambda connection: use_policy.set_mode(connection, version, body.mode, caller.name, context.clock.now()),
        audited=False,
    )


# -- sending


@router.get("/rounds")
def list_rounds(context: Context, _caller: Reader) -> Rounds:
    """Rounds of notices so large that they wait for a second person."""
    with context.database.reading() as connection:
        return Rounds(items=brakes.rounds(connection, on=True))


@router.post("/rounds/{round_id}/release", response_model=Released)
def release_round(
    context: Context, caller: Admin, act: Acting, round_id: Annotated[str, Path(max_length=64)]
) -> Response:
    """Let a held round go; whoever set its policy live cannot."""

    def release(connection: Connection) -> Released:
        use_brakes.release_round(connection, round_id, caller.name, context.clock.now())
        return Released(round=round_id, released=True)

    return act.do(caller, "round.release", f"round:{round_id}", release, audited=False)
