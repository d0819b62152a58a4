"""Technicians and spare parts: who goes, and with what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.security import Agent, Reader
from hearthwatch.records import spare_parts, technicians
from hearthwatch.records.spare_parts import SparePart
from hearthwatch.records.technicians import Technician

router = APIRouter(tags=["field service"])

Key = Annotated[str, Path(min_length=1, max_length=64)]
Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=120)]], Field(max_length=200)]


class TechnicianData(BaseModel):
    """``skills`` are parts or device classes, ``regions`` places; empty means all. ``capacity`` is open tickets at a time."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    skills: Words = []
    regions: Words = []
    capacity: Annotated[int, Field(ge=0, le=1000)] = 8
    active: bool = True


class SparePartData(BaseModel):
    """A part number; ``models`` empty means it fits all."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    models: Words = []
    stock: Annotated[int, Field(ge=0, le=10_000_000)] = 0


@router.get("/technicians")
def list_technicians(context: Context, _caller: Reader, paging: Paging, active: bool | None = None) -> Page[Technician]:
    """Technicians by id."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: technicians.list_technicians(connection, active=active, after=paging.after, limit=limit),
            key=lambda technician: technician.id,
        )


@router.get("/technicians/{technician_id}", response_model=Technician)
def get_technician(context: Context, _caller: Reader, technician_id: Key) -> Response:
    """One technician."""
    with context.database.reading() as connection:
        return tagged(technicians.get(connection, technician_id))


@router.put("/technicians/{technician_id}", response_model=Technician)
def put_technician(caller: Agent, act: Acting, if_match: IfMatch, technician_id: Key, body: TechnicianData) -> Response:
    """Make a technician, or change one."""
    return act.do(
        caller,
        "technician.put",
        f"technician:{technician_id}",
        lambda connection: technicians.put(connection, technician_id, **body.model_dump(), revision=if_match),
    )


@router.get("/spare-parts")
def list_spare_parts(context: Context, _caller: Reader, paging: Paging) -> Page[SparePart]:
    """Part numbers by id."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: spare_parts.list_parts(connection, after=paging.after, limit=limit),
            key=lambda part: part.id,
        )


@router.get("/spare-parts/{part_id}", response_model=SparePart)
def get_spare_part(context: Context, _caller: Reader, part_id: Key) -> Response:
    """One part number."""
    with context.database.reading() as connection:
        return tagged(spare_parts.get(connection, part_id))


@router.put("/spare-parts/{part_id}", response_model=SparePart)
def put_spare_part(caller: Agent, act: Acting, if_match: IfMatch, part_id: Key, body: SparePartData) -> Response:
    """Make a part number, or change one and its stock."""
    return act.do(
        caller,
        "spare_part.put",
        f"spare_part:{part_id}",
        lambda connection: spare_parts.put(connection, part_id, **body.model_dump(), revision=if_match),
    )
