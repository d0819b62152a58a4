"""Ids that are one device: what was joined, what waits for a person, and how a person decides."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.acts import Acting
from api.context import Context
from api.paging import Page, Paging
from api.security import Engineer, Reader
from hearthwatch.records import aliases, devices, hardware
from hearthwatch.records.aliases import Alias
from hearthwatch.records.hardware import Address

router = APIRouter(tags=["devices"])

DeviceId = Annotated[str, Path(max_length=64, description="The device's id.")]
AliasState = Literal["joined", "proposed", "separate"]
AliasId = Annotated[str, Path(max_length=64, description="Another id.")]


@router.get("/aliases")
def list_aliases(
    context: Context,
    _caller: Reader,
    paging: Paging,
    state: Annotated[
        AliasState | None, Query(description="`joined`, `proposed` (waits for a person) or `separate`.")
    ] = None,
) -> Page[Alias]:
    """Every pair of ids that is, may be, or is not one device, with what speaks for it."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: aliases.list_aliases(connection, state=state, after=paging.after, limit=limit),
            key=aliases.key_of,
        )


@router.get("/devices/{device_id}/aliases")
def list_device_aliases(context: Context, _caller: Reader, device_id: DeviceId) -> Page[Alias]:
    """The other ids of a device, under whichever of them it is asked for."""
    with context.database.reading() as connection:
        device = devices.get(connection, aliases.device_of(connection, device_id))
        return Page(items=aliases.list_aliases(connection, device=device.id))


@router.get("/devices/{device_id}/addresses")
def list_device_addresses(context: Context, _caller: Reader, device_id: DeviceId) -> Page[Address]:
    """The hardware addresses that a device told, under each of its ids."""
    with context.database.reading() as connection:
        devices.get(connection, aliases.device_of(connection, device_id))
        return Page(items=hardware.addresses_of(connection, aliases.ids_of(connection, device_id)))


@router.put("/devices/{device_id}/aliases/{alias_id}", response_model=Alias)
def join_alias(context: Context, caller: Engineer, act: Acting, device_id: DeviceId, alias_id: AliasId) -> Response:
    """Say that another id is this device. What only the other knew goes to this one; its telemetry is shown with this one's."""
    now = context.clock.now()
    return act.do(
        caller,
        "device.join",
        f"device:{device_id}",
        lambda connection: aliases.join(
            connection, alias_id, device_id, now, actor=caller.name, evidence={"by": "a person"}
        ),
        audited=False,
    )


@router.delete("/devices/{device_id}/aliases/{alias_id}", response_model=Alias)
def separate_alias(context: Context, caller: Engineer, act: Acting, device_id: DeviceId, alias_id: AliasId) -> Response:
    """Say that two ids are two devices: nothing but a person joins them again."""
    now = context.clock.now()
    return act.do(
        caller,
        "device.separate",
        f"device:{device_id}",
        lambda connection: aliases.separate(connection, alias_id, device_id, now, actor=caller.name),
        audited=False,
    )
