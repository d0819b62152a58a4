"""``hearthwatch command``: ask a device, and read what devices were asked and answered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.run.administration import PERSON, opened_records
from hearthwatch.run.printing import print_json

if TYPE_CHECKING:
    from hearthwatch.records.commands import Command
    from hearthwatch.records.database import Database

DONE, NO = 0, 1
POLL_SECONDS = 0.5
_SHOWN = ("id", "device_id", "kind", "state", "late", "asked_by", "why", "consent", "reason", "ticket_id", "parameters",
          "created_at", "sent_at", "answered_at", "expires_at", "answer")  # fmt: skip

Kind = Literal["diagnostics", "check_update", "update", "device_info", "rebirth"]
State = Literal["queued", "sent", "answered", "failed", "timed_out", "cancelled", "refused"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]

command = typer.Typer()


@command.command("send")
def send(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    kind: Annotated[Kind, typer.Argument(help="What it is asked.")],
    why: Annotated[str, typer.Option(help="For whoever reads it later.")],
    version: Annotated[str | None, typer.Option(help="What an update of a native device installs.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")] = 0,
    as_json: Json = False,
) -> int:
    """Ask a device; the running platform sends it. With --wait the exit code is 0 only if the device answered yes."""
    from alerts import commands as asked

    clock = SystemClock()
    with opened_records() as database:
        with database.transaction() as connection:
            parameters = {"version": version} if version else {}
            made = asked.ask(connection, device, kind, why=why, actor=PERSON, now=clock.now(), parameters=parameters)
        ended = _followed(database, made.id, wait) if wait else made
    if as_json:
        print_json(_told(ended))
    else:
        _print(ended)
    return DONE if not wait or ended.state == "answered" else NO


def _followed(database: Database, command_id: int, seconds: float) -> Command:
    from hearthwatch.records import commands

    until = time.monotonic() + seconds
    while True:
        with database.reading() as connection:
            now_is = commands.get(connection, command_id)
        if now_is.state not in commands.PENDING or time.monotonic() >= until:
            return now_is
        time.sleep(POLL_SECONDS)


@command.command("list")
def list_(
    device: Annotated[str | None, typer.Option(help="Only of this device.")] = None,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
) -> None:
    """What devices were asked, newest first."""
    from hearthwatch.records import commands

    with opened_records() as database, database.reading() as connection:
        found = commands.list_commands(connection, device_id=device, state=state, limit=limit)
    if as_json:
        print_json({"items": [_told(one) for one in found]})
        return
    for one in found:
        typer.echo(
            f"{one.id:>6}  {one.created_at:%Y-%m-%d %H:%M}  {one.state:<9}  {one.device_id}  {one.kind}  {one.why}"
        )


def _told(one: Command) -> Mapping[str, Any]:
    row = asdict(one)
    return {name: row[name] for name in _SHOWN}


def _print(one: Command) -> None:
    from api.answers import answer_lines

    typer.echo(f"{one.id}  {one.device_id}  {one.kind}  {one.state}{' (late)' if one.late else ''}")
    if one.reason:
        typer.echo(f"  {one.reason}")
    for name, value in answer_lines(one.answer or {}):
        typer.echo(f"  {name}: {value}")
