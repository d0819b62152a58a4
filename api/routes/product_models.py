"""Registered product models, and the warranties of devices: what the policy and the desk need to know of what was sold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page
from api.revisions import IfMatch, check_revision
from api.routes.devices import DeviceId
from api.security import Agent, Engineer, Reader
from hearthwatch.errors import Missing
from hearthwatch.records import devices, models, warranties
from hearthwatch.records.models import Model, SafetyClass
from hearthwatch.records.warranties import Basis, Told

router = APIRouter(tags=["product models and warranties"])

ModelId = Annotated[str, Path(min_length=1, max_length=120, description="The model's id, as devices name it.")]


class ModelData(BaseModel):
    """What a model is; what is left out of a known model stays as it is, null takes a value back."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    device_class: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    maker: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    safety_class: SafetyClass | None = None
    warranty_months: Annotated[int, Field(ge=0, le=1200)] | None = None

    def changes(self, model_id: str) -> dict[str, object]:
        """The columns to write: a model is always called something, and its safety class is never unknown."""
        given = self.model_dump(exclude_unset=True)
        kept = {"name": given.get("name") or model_id, "safety_class": given.get("safety_class") or "none"}
        return {column: kept.get(column, value) for column, value in given.items()}


class WarrantyData(BaseModel):
    """Until when a device's warranty lasts, or when it was bought; neither: its model's default counts."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None = None
    purchased_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class WarrantyView:
    """A device's warranty. ``covers``: whether it lasts today; null where nobody knows. ``basis`` says what ``until`` was taken from."""

    device_id: str
    until: datetime | None
    basis: Basis
    purchased_at: datetime | None
    covers: bool | None


@router.get("/device-models")
def list_device_models(context: Context, _caller: Reader) -> Page[Model]:
    """The models of devices."""
    with context.database.reading() as connection:
        return Page(items=models.list_models(connection))


@router.get("/device-models/{model_id:path}", response_model=Model)
def get_model(context: Context, _caller: Reader, model_id: ModelId) -> Response:
    """One model."""
    with context.database.reading() as connection:
        return tagged(models.get(connection, model_id))


@router.put("/device-models/{model_id:path}", response_model=Model)
def put_model(caller: Engineer, act: Acting, if_match: IfMatch, model_id: ModelId, body: ModelData) -> Response:
    """Register a model, or say what one is: its name, class, safety class and months of warranty."""
    changes = body.changes(model_id)

    def put(connection: Connection) -> Model:
        if models.add_missing(connection, [model_id]):
            check_revision(0, if_match, f"model {model_id}")
        return models.change(connection, model_id, if_match, changes)

    return act.do(caller, "model.put", f"model:{model_id}", put, detail={"fields": sorted(changes)})


@router.get("/devices/{device_id}/warranty", response_model=WarrantyView)
def get_warranty(context: Context, _caller: Reader, device_id: DeviceId) -> WarrantyView:
    """Until when a device's warranty lasts, and how that is known."""
    with context.database.reading() as connection:
        return _view(connection, device_id, context.clock.now())


@router.put("/devices/{device_id}/warranty", response_model=WarrantyView)
def put_warranty(context: Context, caller: Agent, act: Acting, device_id: DeviceId, body: WarrantyData) -> Response:
    """Say until when a device's warranty lasts, or when it was bought; it replaces what was said before."""
    now = context.clock.now()

    def put(connection: Connection) -> WarrantyView:
        _known(connection, device_id)
        warranties.forget(connection, device_id)
        if body.until or body.purchased_at:
            warranties.tell(connection, [Told(device_id, body.until, body.purchased_at)], caller.name, now)
        return _view(connection, device_id, now)

    detail = {"until": body.until and body.until.isoformat(), "purchased_at": str(body.purchased_at or "")}
    return act.do(caller, "device.warranty", f"device:{device_id}", put, detail=detail)


def _known(connection: Connection, device_id: str) -> None:
    if device_id not in devices.find(connection, [device_id]):
        raise Missing("no such device", where=device_id)


def _view(connection: Connection, device_id: str, now: datetime) -> WarrantyView:
    _known(connection, device_id)
    one = warranties.of_device(connection, device_id)
    return WarrantyView(device_id, one.until, one.basis, one.purchased_at, one.covers(now))
