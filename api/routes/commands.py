"""Commands: what devices are asked, by whom and why, and what they answered."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from alerts import commands as asked
from api.acts import Acting, tagged
from api.context import Context
from api.paging import Page, Paging
from api.revisions import IfMatch
from api.routes.devices import DeviceId
from api.security import Reader, Staff
from hearthwatch.errors import Invalid, Missing
from hearthwatch.records import command_routes, commands, devices, tickets
from hearthwatch.records.commands import Command
from hearthwatch.wire.commands.requests import offered

router = APIRouter(tags=["commands"])

CommandId = Annotated[int, Path(ge=1, le=2**53)]
Kind = Literal["diagnostics", "check_update", "update", "device_info", "rebirth"]
State = Literal["queued", "sent", "answered", "failed", "timed_out", "cancelled", "refused"]


class Asked(BaseModel):
    """What to ask a device, and why."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    why: Annotated[str, Field(min_length=1, max_length=asked.LONGEST_WHY, description="For whoever reads it later.")]
    parameters: dict[str, str] = Field(default_factory=dict, description="`version` of an update to a native device.")
    ticket_id: Annotated[int | None, Field(ge=1, le=2**53, description="The device's ticket that it belongs to.")] = (
        None
    )


class Offered(BaseModel):
    """What a device can be asked, and how it is reached."""

    convention: str | None
    kinds: list[str]


@router.post("/devices/{device_id}/commands", response_model=Command, status_code=202)
def ask_device(context: Context, caller: Staff, act: Acting, device_id: DeviceId, body: Asked) -> Response:
    """Ask a device. Where the same is under way already, that command is the answer. It leaves in seconds if the device is online."""

    def work(connection: Connection) -> Command:
        if body.ticket_id is not None and tickets.get(connection, body.ticket_id).device_id != device_id:
            raise Invalid("the ticket is about another device", where="ticket_id")
        return asked.ask(
            connection,
            device_id,
            body.kind,
            why=body.why,
            actor=caller.name,
            now=context.clock.now(),
            parameters=body.parameters,
            ticket_id=body.ticket_id,
        )

    return act.do(caller, "command.ask", f"device:{device_id}", work, status=202, audited=False)


@router.get("/devices/{device_id}/commands")
def list_of_device(
    context: Context,
    _caller: Reader,
    paging: Paging,
    device_id: DeviceId,
    kind: Kind | None = None,
    state: State | None = None,
) -> Page[Command]:
    """What a device was asked and what it answered, newest first."""
    with context.database.reading() as connection:
        devices.get(connection, device_id)
        return paging.page(
            lambda limit: commands.list_commands(
                connection, device_id=device_id, kind=kind, state=state, after=paging.after_id, limit=limit
            ),
            key=lambda command: command.id,
        )


@router.get("/devices/{device_id}/commands/offered")
def list_offered(context: Context, _caller: Reader, device_id: DeviceId) -> Offered:
    """What a device can be asked."""
    with context.database.reading() as connection:
        device = devices.get(connection, device_id)
        route = command_routes.route_to(connection, device)
        return Offered(convention=device.convention, kinds=list(offered(route)) if route is not None else [])


@router.get("/devices/{device_id}/commands/{command_id}", response_model=Command)
def get_command(context: Context, _caller: Reader, device_id: DeviceId, command_id: CommandId) -> Response:
    """One command with its answer."""
    with context.database.reading() as connection:
        return tagged(_of_device(connection, device_id, command_id))


@router.post("/devices/{device_id}/commands/{command_id}/cancel", response_model=Command)
def cancel_command(
    context: Context, caller: Staff, act: Acting, if_match: IfMatch, device_id: DeviceId, command_id: CommandId
) -> Response:
    """Call a command back that has not left yet."""

    def work(connection: Connection) -> Command:
        _of_device(connection, device_id, command_id)
        return asked.cancel(connection, command_id, if_match, caller.name, context.clock.now())

    return act.do(caller, "command.cancel", f"command:{command_id}", work, audited=False)


@router.get("/commands")
def list_commands(
    context: Context, _caller: Reader, paging: Paging, kind: Kind | None = None, state: State | None = None
) -> Page[Command]:
    """Commands to all devices, newest first."""
    with context.database.reading() as connection:
        return paging.page(
            lambda limit: commands.list_commands(
                connection, kind=kind, state=state, after=paging.after_id, limit=limit
            ),
            key=lambda command: command.id,
        )


def _of_device(connection: Connection, device_id: str, command_id: int) -> Command:
    command = commands.get(connection, command_id)
    if command.device_id != device_id:
        raise Missing("no such command of this device", where=f"command {command_id}")
    return command
