"""``hearthwatch ticket``: what comes in for tickets from outside."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.run.administration import Json, opened_records
from hearthwatch.run.printing import print_json
from hearthwatch.run.sla_cli import sla
from hearthwatch.settings import load_settings

ticket = typer.Typer()
ticket.command("sla")(sla)


@ticket.callback()
def group() -> None:
    """What comes in for tickets from outside."""


@ticket.command("mail")
def mail(
    source: Annotated[str, typer.Argument(metavar="[FILE]", help='The mail; "-": standard input.')] = "-",
    as_json: Json = False,
) -> None:
    """Take in one mail (RFC 5322), as a mail server pipes it. Twice, it is one. Ends with 3 when it has to be tried again."""
    from alerts.intake.mail.receiving import Incoming, receive
    from hearthwatch.run.assembly import secret_key
    from hearthwatch.run.mail_pipe import bounded
    from hearthwatch.run.reporters import desk_of

    settings = load_settings()
    raw = bounded(source, sys.stdin.buffer)
    incoming = Incoming("pipe", desk_of(settings, secret_key(settings)), settings.inbound_mail_server)
    with opened_records() as database:
        kept = database.retrying(lambda connection: receive(connection, raw, incoming, SystemClock().now()))
    if as_json:
        print_json({"id": kept.id, "state": kept.state, "reason": kept.reason, "report": kept.report_id})
    else:
        typer.echo(f"mail {kept.id}: {kept.state}{f' ({kept.reason})' if kept.reason else ''}")
