"""Trained models: their cards, what was seen of them and decided, and who is champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from analytics.model_life.promotion import promote_by_hand
from analytics.model_life.report import ModelReport, as_markdown, read_report
from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page
from api.security import Engineer, Reader
from hearthwatch.records import model_decisions, model_versions
from hearthwatch.records.model_decisions import ModelDecision
from hearthwatch.records.model_versions import Because, ModelVersion

router = APIRouter(tags=["system"])

Id = Annotated[int, Path(ge=1, le=2**53)]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model: its role, its card with the evaluation, and the digest of what was saved."""

    id: int
    name: str
    trained_at: datetime
    role: str
    card: Mapping[str, Any]
    sha256: str
    revision: int


class Promotion(BaseModel):
    """Why a person makes a model the champion."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field("promoted by hand", min_length=1, max_length=400)


@router.get("/models")
def list_models(context: Context, _caller: Reader) -> Page[TrainedModel]:
    """Trained models, newest first, with their cards."""
    with context.database.reading() as connection:
        return Page(items=[_trained(version) for version in model_versions.list_versions(connection)])


@router.get("/models/decisions")
def list_model_decisions(context: Context, _caller: Reader, name: str | None = None) -> Page[ModelDecision]:
    """What was decided of models, by tests and by people, newest first; each with its numbers."""
    with context.database.reading() as connection:
        return Page(items=model_decisions.list_decisions(connection, name=name, limit=1000))


@router.get("/models/{version_id}", response_model=ModelReport)
def get_model(context: Context, _caller: Reader, version_id: Id) -> Response:
    """One trained model: its card, what was decided of its name, and what was seen of it day by day."""
    with context.database.reading() as connection:
        return tagged(read_report(connection, version_id, context.clock.now()))


@router.get("/models/{version_id}/card.md", response_class=Response)
def export_card(context: Context, _caller: Reader, version_id: Id) -> Response:
    """The model's card as a file of Markdown."""
    with context.database.reading() as connection:
        text = as_markdown(read_report(connection, version_id, context.clock.now()))
    headers = {"Content-Disposition": f'attachment; filename="model-{version_id}.md"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/markdown; charset=utf-8", headers=headers)


@router.post("/models/{version_id}/promote", response_model=TrainedModel)
def promote_model(caller: Engineer, act: Acting, version_id: Id, body: Promotion | None = None) -> Response:
    """Make a model that can be used the champion of its name; the one before retires. By whom and why is written down."""
    why = (body or Promotion(why="promoted by hand")).why
    because = Because(act.context.clock.now(), caller.name, why)
    return act.do(
        caller,
        "model.promote",
        f"model:{version_id}",
        lambda connection: _trained(promote_by_hand(connection, version_id, because)),
    )


def _trained(version: ModelVersion) -> TrainedModel:
    return TrainedModel(**{name: getattr(version, name) for name in TrainedModel.__dataclass_fields__})
