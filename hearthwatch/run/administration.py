"""Commands of the daily rest: schema, accounts, quarantine, outbox, models, configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.run.opened import opened_records
from hearthwatch.run.outbox_cli import outbox
from hearthwatch.run.printing import print_json, show
from hearthwatch.settings import Settings, load_settings

__all__ = ["PERSON", "Json", "administration", "opened_records"]

Role = Literal["viewer", "engineer", "agent", "technician", "admin"]
PERSON = "command line"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]


def administration(app: typer.Typer) -> None:
    """Add the groups of commands to the command line."""
    for name, group, words in (
        ("db", db, "The schema of the records."),
        ("token", token, "Tokens for programs."),
        ("user", user, "Accounts of people."),
        ("quarantine", quarantine, "What could not be taken in."),
        ("outbox", outbox, "What waits to leave the house."),
        ("models", models, "Trained models."),
        ("config", config, "The settings in force."),
    ):
        app.add_typer(group, name=name, help=words, no_args_is_help=True)
    app.command("backup")(backup)
    app.command("restore")(restore)


db = typer.Typer()


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema up to date."""
    from hearthwatch.records.database import open_database

    database = open_database(load_settings().records_address)
    database.upgrade()
    database.close()
    typer.echo("the schema is current")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="The archive; in a folder it gets a name.")],
    token: Annotated[
        str | None,
        typer.Option(
            envvar="HEARTHWATCH_TOKEN", help="An admin's token, where the platform is running.", show_envvar=True
        ),
    ] = None,
    secret_key: Annotated[
        bool, typer.Option("--secret-key/--without-secret-key", help="Whether the key that signs links goes along.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Write both stores into one file, also while the platform runs."""
    from hearthwatch.run.backup import run_backup

    answer = run_backup(load_settings(), target, token=token, with_secret_key=secret_key)
    show(answer, as_json)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What hearthwatch backup wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace stores that are not empty.")] = False,
    telemetry: Annotated[
        bool, typer.Option("--telemetry/--without-telemetry", help="Whether the telemetry comes back too.")
    ] = True,
    keep_sending: Annotated[
        bool, typer.Option("--keep-sending", help="Do not pause the outbox; what waited then is sent again.")
    ] = False,
    erasures: Annotated[
        Path | None,
        typer.Option(help="Whom to erase again: what customer erasures --json wrote.", exists=True, dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a backup back into empty stores, SQLite or PostgreSQL alike; all of it or nothing."""
    from hearthwatch.run.erasures_file import read_erasures
    from hearthwatch.run.restore import run_restore

    forgotten = read_erasures(erasures) if erasures else ()
    settings = load_settings()
    answer = run_restore(
        settings, file, force=force, with_telemetry=telemetry, keep_sending=keep_sending, forgotten=forgotten
    )
    show(answer, as_json)


token = typer.Typer()


@token.command("create")
def token_create(
    role: Annotated[Role, typer.Option(help="What it may do.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "token",
    as_json: Json = False,
) -> None:
    """Make a token; it is shown this once and stored only as a hash."""
    from hearthwatch.records import access

    with opened_records() as database, database.transaction() as connection:
        secret = access.create_token(connection, name, role, SystemClock().now())
    if as_json:
        print_json({"name": name, "role": role, "token": secret})
    else:
        typer.echo(secret)


@token.command("list")
def token_list() -> None:
    """List tokens by name, role and last four characters."""
    from hearthwatch.records import access

    with opened_records() as database, database.reading() as connection:
        for one in access.list_tokens(connection):
            typer.echo(f"{one.id:>4}  {one.role:<10}  ...{one.hint}  {one.name}{'  revoked' if one.revoked_at else ''}")


@token.command("revoke")
def token_revoke(token_id: int) -> None:
    """Make a token worthless."""
    from hearthwatch.records import access

    with opened_records() as database, database.transaction() as connection:
        access.revoke_token(connection, token_id, SystemClock().now())


user = typer.Typer()


@user.command("create")
def user_create(name: str, role: Annotated[Role, typer.Option(help="What it may do.")]) -> None:
    """Make an account; the password is asked for, or read from HEARTHWATCH_PASSWORD."""
    from hearthwatch.records import access

    password = os.environ.get("HEARTHWATCH_PASSWORD") or typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )
    with opened_records() as database, database.transaction() as connection:
        access.create_user(connection, name, password, role, SystemClock().now())


@user.command("list")
def user_list() -> None:
    """List accounts."""
    from hearthwatch.records import access

    with opened_records() as database, database.reading() as connection:
        for one in access.list_users(connection):
            typer.echo(f"{one.role:<10}  {one.name}{'' if one.active else '  closed'}")


@user.command("close")
def user_close(
    name: str,
    again: Annotated[bool, typer.Option("--open", help="Open it again instead.")] = False,
) -> None:
    """Close an account: its sessions end at once, and it can not sign in."""
    from hearthwatch.records import access, audit

    with opened_records() as database, database.transaction() as connection:
        access.set_active(connection, name, again)
        what = "user.open" if again else "user.close"
        audit.note(connection, at=SystemClock().now(), actor=PERSON, action=what, object=f"user:{name}")


quarantine = typer.Typer()


@quarantine.command("list")
def quarantine_list(limit: Annotated[int, typer.Option(min=1)] = 50, as_json: Json = False) -> None:
    """What could not be taken in, newest first, with the reason."""
    from hearthwatch.records import quarantine as held

    with opened_records() as database, database.reading() as connection:
        items = held.list_items(connection, limit=limit)
    if as_json:
        print_json(
            {
                "items": [
                    {"id": item.id, "at": item.received_at, "topic": item.topic, "device": item.device, "part": item.part,
                     "reason": item.reason, "seen": item.seen, "state": item.state}
                    for item in items
                ]
            }
        )  # fmt: skip
        return
    for item in items:
        typer.echo(
            f"{item.id:>6}  {item.received_at:%Y-%m-%d %H:%M}  {item.topic}  {item.part}  {item.reason} (x{item.seen})"
        )


@quarantine.command("replay")
def quarantine_replay(as_json: Json = False) -> None:
    """Try again what was held, after a fix."""
    from hearthwatch.run.history import run_replay

    answer = run_replay(load_settings())
    if as_json:
        print_json(answer)
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in answer.items()))


models = typer.Typer()


@models.command("list")
def models_list(as_json: Json = False) -> None:
    """Every trained model and its role."""
    from hearthwatch.records import model_versions

    with opened_records() as database, database.reading() as connection:
        known = model_versions.list_versions(connection)
    if as_json:
        print_json(
            {
                "items": [
                    {"id": one.id, "name": one.name, "role": one.role, "trained_at": one.trained_at} for one in known
                ]
            }
        )
        return
    for one in known:
        typer.echo(f"{one.id:>4}  {one.role:<10}  {one.trained_at:%Y-%m-%d}  {one.name}")


@models.command("show")
def models_show(model_id: int, as_json: Json = False) -> None:
    """A model's card and evaluation, what was decided of it and what was seen of it, as Markdown or as JSON."""
    from dataclasses import asdict

    from analytics.model_life.report import as_markdown, read_report

    with opened_records() as database, database.reading() as connection:
        report = read_report(connection, model_id, SystemClock().now())
    if as_json:
        print_json(asdict(report))
    else:
        sys.stdout.write(as_markdown(report))


@models.command("promote")
def models_promote(
    model_id: int,
    why: Annotated[str, typer.Option(help="Why, for whoever looks at the model's history.")] = "promoted by hand",
) -> None:
    """Make a model the champion of its name; this is written down."""
    from analytics.model_life.promotion import promote_by_hand
    from hearthwatch.records.model_versions import Because

    with opened_records() as database, database.transaction() as connection:
        promote_by_hand(connection, model_id, Because(SystemClock().now(), PERSON, why))


config = typer.Typer()


@config.command("show")
def config_show(as_json: Json = False) -> None:
    """Every option in force; secrets are masked."""
    from hearthwatch.addresses import masked

    settings = load_settings()
    shown = {name: _plain(getattr(settings, name)) for name in Settings.model_fields}
    for name in ("broker", "telemetry", "records"):
        shown[name] = masked(str(shown[name]))
    if as_json:
        print_json(shown)
        return
    width = max(len(name) for name in shown)
    for name, value in shown.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


def _plain(value: object) -> object:
    return [str(one) for one in value] if isinstance(value, tuple) else str(value) if value is not None else None
