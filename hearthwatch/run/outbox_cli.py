"""``hearthwatch outbox``: what waits to leave the house, and what a person does about it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.run.opened import opened_records
from hearthwatch.run.printing import print_json
from hearthwatch.settings import load_settings

OutboxState = Literal["pending", "claimed", "delivered", "failed", "cancelled"]
PERSON = "command line"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
OfChannel = Annotated[
    str | None, typer.Option("--channel", help="Only this channel (see: hearthwatch outbox channels).")
]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever finds it so.")]

outbox = typer.Typer()


@outbox.command("pause")
def outbox_pause(reason: Why = "", channel: OfChannel = None) -> None:
    """Stop all sending at once, or one channel."""
    from alerts.delivery import people
    from alerts.policy import brakes

    with opened_records() as database, database.transaction() as connection:
        if channel is None:
            brakes.pause(connection, PERSON, SystemClock().now(), reason)
        else:
            people.pause_channel(connection, channel, PERSON, SystemClock().now(), reason)
    option = f" --channel {channel}" if channel else ""
    typer.echo(f"nothing leaves{f' by {channel}' if channel else ''} until: hearthwatch outbox resume{option}")


@outbox.command("resume")
def outbox_resume(channel: OfChannel = None) -> None:
    """Send again; a channel whose provider is down is tried at once."""
    from alerts.delivery import people
    from alerts.policy import brakes

    with opened_records() as database, database.transaction() as connection:
        if channel is None:
            brakes.resume(connection, PERSON, SystemClock().now())
        else:
            people.resume_channel(connection, channel, PERSON, SystemClock().now())
    typer.echo("sending")


@outbox.command("list")
def outbox_list(
    state: Annotated[OutboxState | None, typer.Option(help="Only these; failed are the dead letters.")] = None,
    channel: OfChannel = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
) -> None:
    """What waits, what left, and what could not."""
    from hearthwatch.records import outbox as rows

    with opened_records() as database, database.reading() as connection:
        items = rows.list_items(connection, state=state, channel=channel, limit=limit)
    fields = (
        "id", "kind", "notice_id", "channel", "state", "attempts", "created_at", "next_at", "delivered_at", "failed_at", "outcome",
        "last_error",
    )  # fmt: skip
    if as_json:
        print_json({"items": [{name: getattr(item, name) for name in fields} for item in items]})
        return
    for item in items:
        typer.echo(f"{item.id:>6}  {item.state:<9}  {item.channel:<8}  tried {item.attempts}x  {item.last_error or ''}")


@outbox.command("channels")
def outbox_channels(as_json: Json = False) -> None:
    """How each channel does: its health, what waits, dead letters, and the attempts of the last day."""
    from dataclasses import asdict

    from alerts.delivery.overview import overview

    names = load_settings().channel_names
    with opened_records() as database, database.reading() as connection:
        found = overview(connection, names, SystemClock().now())
    if as_json:
        print_json({"channels": [asdict(one) for one in found]})
        return
    for one in found:
        waits = f"{one.waiting + one.sending} waiting, {one.dead} dead"
        typer.echo(f"{one.name:<16}  {one.health:<8}  {waits}  {one.last_error if one.failures else ''}".rstrip())


@outbox.command("retry")
def outbox_retry(
    items: Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Which; none: all dead letters.")] = None,
    channel: OfChannel = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"], help="Given up at or after this (UTC)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let dead letters leave once more, each under its old key: after a provider's outage."""
    from alerts.delivery import people

    now = SystemClock().now()
    if items and (channel or since):
        raise typer.BadParameter("name things by their ids, or by channel and time, not by both")
    with opened_records() as database, database.transaction() as connection:
        if items:
            for one in items:
                people.send_again(connection, one, PERSON, now)
            count = len(items)
        else:
            count = people.send_all_again(connection, PERSON, now, channel=channel, since=_in_utc(since, now))
    _said({"items": count}, f"{count} leave once more", as_json)


@outbox.command("cancel")
def outbox_cancel(
    items: Annotated[list[int], typer.Argument(metavar="ID...")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands beside each.")],
    as_json: Json = False,
) -> None:
    """Let things that wait, or were given up, never leave."""
    from alerts.delivery import people

    with opened_records() as database, database.transaction() as connection:
        for one in items:
            people.cancel(connection, one, PERSON, SystemClock().now(), reason)
    _said({"items": len(items)}, f"{len(items)} cancelled", as_json)


def _in_utc(at: datetime | None, now: datetime) -> datetime | None:
    return at.replace(tzinfo=now.tzinfo) if at is not None and at.tzinfo is None else at


def _said(answer: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
