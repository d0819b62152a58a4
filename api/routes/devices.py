"""Devices: the registry, and what the stores know of one device."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from sqlalchemy import Connection
from starlette.responses import Response

from api.acts import Acting, tagged
from api.context import Context
from api.csv_tables import csv_response
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.routes.liveness import DeviceView, with_liveness
from api.security import Engineer, Reader
from api.times import LastDay, LastMonth
from hearthwatch.records import aliases, attributes, customers, devices, findings, liveness, parts
from hearthwatch.values import Device, Finding

router = APIRouter(tags=["devices"])

DeviceId = Annotated[str, Path(max_length=64, description="The device's id.")]
LARGEST_WINDOW = 50_000
LARGEST_EXPORT = 200_000
State = Literal["online", "asleep", "late", "offline", "unknown"]


class Sample(BaseModel):
    """One raw value of a device."""

    at: datetime
    stream: str
    firmware: str | None
    metric: str
    value: float | None


class Window(BaseModel):
    """Raw values in order of time; ``truncated`` when there were more than fit: ask for a shorter span."""

    items: list[Sample]
    truncated: bool


class Items(BaseModel):
    """A list that comes whole."""

    items: list[dict[str, Any]]


class MasterData(BaseModel):
    """What may be changed of a device; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    hardware: str | None = None
    serial: str | None = None
    made: AwareDatetime | None = None
    installed_at: AwareDatetime | None = None
    removed_at: AwareDatetime | None = None
    region: str | None = None
    test: bool | None = None


class Attributes(RootModel[dict[str, Annotated[str, Field(min_length=1, max_length=128)] | None]]):
    """What a device is beside its master data (``batch``, ``supplier``), by name; null: no longer known."""


class DeviceFilter(BaseModel):
    """Which devices are meant."""

    model: str | None = None
    hardware: str | None = None
    version: str | None = None
    region: str | None = None
    online: bool | None = None
    test: bool | None = None
    q: str | None = None
    state: str | None = None
    incident: int | None = None

    def options(self) -> dict[str, Any]:
        """As the records take it."""
        given = self.model_dump()
        search = given.pop("q")
        return {**given, "search": search}


@router.get("/devices")
def list_devices(
    context: Context,
    _caller: Reader,
    paging: Paging,
    model: str | None = None,
    hardware: str | None = None,
    version: Annotated[str | None, Query(description="Firmware version in any spelling.")] = None,
    region: str | None = None,
    online: bool | None = None,
    test: bool | None = None,
    q: Annotated[str | None, Query(description="Part of an id, serial number or model.")] = None,
    state: Annotated[State | None, Query(description="Whether it is there; see docs/liveness.md.")] = None,
    incident: Annotated[
        int | None, Query(ge=1, description="The finding of a mass silence that it is part of.")
    ] = None,
) -> Page[DeviceView]:
    """Devices by id, each with its liveness."""
    wanted = DeviceFilter(
        model=model,
        hardware=hardware,
        version=version,
        region=region,
        online=online,
        test=test,
        q=q,
        state=state,
        incident=incident,
    )
    with context.database.reading() as connection:
        page = paging.page(
            lambda limit: devices.list_devices(connection, **wanted.options(), after=paging.after, limit=limit),
            key=lambda device: device.id,
        )
        known = liveness.find(connection, [device.id for device in page.items])
    return Page(items=[with_liveness(device, known.get(device.id)) for device in page.items], next=page.next)


@router.get("/devices.csv", response_class=Response)
def export_devices(
    context: Context, _caller: Reader, model: str | None = None, version: str | None = None, region: str | None = None
) -> Response:
    """Devices as a CSV file for a spreadsheet; texts that it would take for formulas are defused."""
    with context.database.reading() as connection:
        found = devices.list_devices(connection, model=model, version=version, region=region, limit=LARGEST_EXPORT)
    return csv_response("devices", list(Device.__dataclass_fields__), found)


@router.get("/devices/{device_id}", response_model=DeviceView)
def get_device(context: Context, _caller: Reader, device_id: DeviceId) -> Response:
    """One device, with its liveness."""
    with context.database.reading() as connection:
        device = devices.get(connection, device_id)
        return tagged(with_liveness(device, liveness.find(connection, [device.id]).get(device.id)))


@router.patch("/devices/{device_id}", response_model=Device)
def change_device(
    context: Context, caller: Engineer, act: Acting, if_match: IfMatch, device_id: DeviceId, body: MasterData
) -> Response:
    """Change the registry's data of a device; it overrides what the device says about itself."""
    changes = body.model_dump(exclude_unset=True)
    if "test" in changes:
        changes["test"] = bool(changes["test"])
    return act.do(
        caller,
        "device.change",
        f"device:{device_id}",
        lambda connection: devices.update(connection, device_id, if_match, changes, context.clock.now()),
        detail={"fields": sorted(changes)},
    )


@router.get("/devices/{device_id}/attributes")
def get_attributes(context: Context, _caller: Reader, device_id: DeviceId) -> Page[attributes.Attribute]:
    """What a device is and was beside its master data, by name, oldest first: batch, supplier, past regions and revisions."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return Page(items=attributes.of_device(connection, device_id))


@router.patch("/devices/{device_id}/attributes")
def change_attributes(
    context: Context, caller: Engineer, act: Acting, device_id: DeviceId, body: Attributes
) -> Response:
    """Say what a device is (``{"batch": "B7"}``). A first value holds from ever, another one from now on; null ends it."""
    told = [(device_id, attributes.check_name(name), value) for name, value in body.root.items()]

    def tell(connection: Connection) -> list[attributes.Attribute]:
        devices.get(connection, device_id)
        attributes.tell(connection, told, context.clock.now())
        return attributes.of_device(connection, device_id)

    return act.do(caller, "device.attributes", f"device:{device_id}", tell, detail={"fields": sorted(body.root)})


@router.get("/devices/{device_id}/window")
def get_window(
    context: Context,
    _caller: Reader,
    span: LastDay,
    device_id: DeviceId,
    metric: Annotated[list[str] | None, Query(description="Metric names; all when left out.")] = None,
) -> Window:
    """Raw readings of a span, by default the last day."""
    ids = _ids_of(context, device_id)
    windows = [context.store.window(one, span.since, span.until, metrics=metric) for one in ids]
    table = windows[0] if len(windows) == 1 else pa.concat_tables(windows).sort_by([("at", "ascending")])
    rows = table.slice(0, LARGEST_WINDOW).to_pylist()
    return Window(items=[Sample(**row) for row in rows], truncated=table.num_rows > LARGEST_WINDOW)


@router.get("/devices/{device_id}/latest")
def get_latest(context: Context, _caller: Reader, device_id: DeviceId) -> Items:
    """The newest value of every metric."""
    newest: dict[str, tuple[datetime, float]] = {}
    for known in context.store.latest(_ids_of(context, device_id)).values():
        for name, (at, value) in known.items():
            if name not in newest or newest[name][0] < at:
                newest[name] = (at, value)
    return Items(items=[{"metric": name, "at": at, "value": value} for name, (at, value) in sorted(newest.items())])


@router.get("/devices/{device_id}/events")
def get_events(
    context: Context,
    _caller: Reader,
    span: LastMonth,
    device_id: DeviceId,
    kind: Annotated[
        list[str] | None, Query(description="Kinds of event (reboot, update, fault); all when left out.")
    ] = None,
) -> Items:
    """Events of a span, by default the last 30 days."""
    return _rows(context.store.events(span.since, span.until, devices=_ids_of(context, device_id), kinds=kind))


@router.get("/devices/{device_id}/presence")
def get_presence(context: Context, _caller: Reader, span: LastMonth, device_id: DeviceId) -> Items:
    """Comings and goings of a span, by default the last 30 days."""
    return _rows(context.store.presence(span.since, span.until, devices=_ids_of(context, device_id)))


@router.get("/devices/{device_id}/findings")
def get_findings(context: Context, _caller: Reader, paging: Paging, device_id: DeviceId) -> Page[Finding]:
    """Findings about a device, newest first."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return paging.page(
            lambda limit: findings.list_findings(
                connection, subject_type="device", subject=device_id, after=paging.after_id, limit=limit
            ),
            key=lambda finding: finding.id,
        )


@router.get("/devices/{device_id}/parts")
def get_parts(context: Context, _caller: Reader, device_id: DeviceId) -> Page[parts.InstalledPart]:
    """Parts a device has or had, oldest first."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return Page(items=parts.parts_of(connection, device_id))


@router.get("/devices/{device_id}/owners")
def get_owners(context: Context, _caller: Reader, device_id: DeviceId) -> Page[customers.Ownership]:
    """Whose a device was, oldest first, by the customers' ids."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return Page(items=customers.ownerships_of(connection, device_id))


def _ids_of(context: Context, device_id: str) -> list[str]:
    """The ids under which a device's telemetry lies. Raises `Missing`."""
    with context.database.reading() as connection:
        ids = aliases.ids_of(connection, device_id)
        devices.get(connection, ids[0])
    return ids


def _rows(table: pa.Table) -> Items:
    return Items(items=table.to_pylist())
