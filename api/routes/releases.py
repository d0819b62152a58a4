"""Firmware releases: announced by the maker's build pipeline, watched, paused or withdrawn."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import Context
from api.csv_tables import csv_response
from api.look_view import LookView
from api.paging import Page, Paging, look_key
from api.release_verdict import ReleaseVerdict, judged
from api.revisions import IfMatch
from api.security import Engineer, Reader
from hearthwatch.records import cohort_looks, releases
from hearthwatch.records.look_ledger import FIGURES
from hearthwatch.records.releases import Image
from hearthwatch.values import Release

router = APIRouter(tags=["releases"])

ReleaseId = Annotated[int, Path(ge=1, le=2**53)]


class NewRelease(BaseModel):
    """A release as it is announced. ``fixes`` names failure modes or versions; the control group runs ``replaces``."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=120)]
    version: Annotated[str, Field(min_length=1, max_length=128)]
    replaces: Annotated[str | None, Field(max_length=128)] = None
    assignment: Literal["randomised", "staged", "unknown"] = "unknown"
    fixes: Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=100)] = []
    released_at: AwareDatetime | None = None
    notes: Annotated[str | None, Field(max_length=20_000)] = None
    image_url: Annotated[str | None, Field(max_length=1024)] = None
    image_sha256: Annotated[str | None, Field(max_length=64)] = None


class ReleaseChange(BaseModel):
    """What may be changed of a release."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["rolling", "paused", "complete", "withdrawn"]


class ReleaseImage(BaseModel):
    """Where devices fetch a release, and what they check it by. Tasmota is told nothing without it."""

    model_config = ConfigDict(extra="forbid")

    image_url: Annotated[str, Field(min_length=1, max_length=1024)]
    image_sha256: Annotated[str | None, Field(max_length=64)] = None


@router.get("/releases")
def list_releases(context: Context, _caller: Reader, model: str | None = None) -> Page[Release]:
    """Releases by model, the newest version first."""
    with context.database.reading() as connection:
        return Page(items=releases.list_releases(connection, model=model))


@router.post("/releases", status_code=201, response_model=Release)
def announce_release(context: Context, caller: Engineer, act: Acting, body: NewRelease) -> Response:
    """Announce a release: from now on it is compared with what it replaces, and offered where it fixes a finding."""
    return act.do(
        caller,
        "release.announce",
        lambda release: f"release:{release.id}",
        lambda connection: releases.create(
            connection,
            model=body.model,
            version=body.version,
            replaces=body.replaces,
            assignment=body.assignment,
            fixes=body.fixes,
            released_at=body.released_at or context.clock.now(),
            notes=body.notes,
            image=Image(body.image_url, body.image_sha256) if body.image_url else None,
        ),
        status=201,
        detail={"model": body.model, "version": body.version},
    )


@router.get("/releases/{release_id}", response_model=Release)
def get_release(context: Context, _caller: Reader, release_id: ReleaseId) -> Response:
    """One release."""
    with context.database.reading() as connection:
        return tagged(releases.get(connection, release_id))


@router.patch("/releases/{release_id}", response_model=Release)
def change_release(
    caller: Engineer, act: Acting, if_match: IfMatch, release_id: ReleaseId, body: ReleaseChange
) -> Response:
    """Pause, resume, complete or withdraw a release; a withdrawn one is offered to nobody."""
    return act.do(
        caller,
        f"release.{body.status}",
        f"release:{release_id}",
        lambda connection: releases.set_status(connection, release_id, if_match, body.status),
    )


@router.put("/releases/{release_id}/image", response_model=Release)
def put_image(caller: Engineer, act: Acting, if_match: IfMatch, release_id: ReleaseId, body: ReleaseImage) -> Response:
    """Say where devices fetch a release: what an accepted update tells them."""
    image = Image(body.image_url, body.image_sha256)
    return act.do(
        caller,
        "release.image",
        f"release:{release_id}",
        lambda connection: releases.set_image(connection, release_id, if_match, image),
    )


@router.get("/releases/{release_id}/verdict")
def get_verdict(context: Context, _caller: Reader, release_id: ReleaseId) -> ReleaseVerdict:
    """What is to be said about a release now: one sentence, and the newest look at each metric, the gravest first."""
    with context.database.reading() as connection:
        release = releases.get(connection, release_id)
        newest = cohort_looks.latest(connection, [release_id])
    return judged(release, newest, context.settings)


@router.get("/releases/{release_id}/looks")
def list_looks(
    context: Context,
    _caller: Reader,
    paging: Paging,
    release_id: ReleaseId,
    metric: str | None = None,
    since: Annotated[AwareDatetime | None, Query(description="Only looks after this time.")] = None,
) -> Page[LookView]:
    """What the cohort watch saw at every look, oldest first, by metric where they are of the same time."""
    after = paging.after_look
    with context.database.reading() as connection:
        releases.get(connection, release_id)
        found = paging.page(
            lambda limit: cohort_looks.list_looks(
                connection, release_id, metric=metric, since=since, after=after, limit=limit
            ),
            key=lambda look: look_key(look.at, look.metric),
        )
    return Page(items=[LookView.of(look) for look in found.items], next=found.next)


@router.get("/releases/{release_id}/looks.csv", response_class=Response)
def export_looks(context: Context, _caller: Reader, release_id: ReleaseId, metric: str | None = None) -> Response:
    """The looks at a release as a CSV file for a spreadsheet, without their detail."""
    with context.database.reading() as connection:
        releases.get(connection, release_id)
        found = cohort_looks.list_looks(connection, release_id, metric=metric)
    columns = ["release_id", *(name for name in FIGURES if name != "detail")]
    return csv_response(f"release-{release_id}-looks", columns, found)


@router.get("/looks")
def list_latest_looks(context: Context, _caller: Reader) -> Page[LookView]:
    """The newest look of every release and metric."""
    with context.database.reading() as connection:
        return Page(items=[LookView.of(look) for look in cohort_looks.latest(connection)])
