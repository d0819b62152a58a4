"""``hearthwatch device``: gives devices their identity, shows it, and joins the ids that are one device."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Invalid
from hearthwatch.run.administration import PERSON, Json, opened_records
from hearthwatch.run.flashing import Convention
from hearthwatch.run.printing import print_json
from hearthwatch.settings import Settings, load_settings

AliasState = Literal["joined", "proposed", "separate"]
PasswordFile = Annotated[Path | None, typer.Option(help="Mosquitto's password file; default: broker_password_file.")]
PidFile = Annotated[Path | None, typer.Option(help="Mosquitto's pid_file: it is told to read its files again.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Device ids.")]

device = typer.Typer()
alias = typer.Typer()
device.add_typer(alias, name="alias", help="Ids that are one device.", no_args_is_help=True)


@device.command("enroll")
def enroll(
    ids: Ids = None,
    from_file: Annotated[
        str | None, typer.Option("--from", help='A file of ids, one a line; "-": standard input.')
    ] = None,
    model: Annotated[str | None, typer.Option(help="Their model, for the registry.")] = None,
    convention: Annotated[Convention, typer.Option(help="What they speak: decides what is printed.")] = "native",
    certificate: Annotated[
        bool, typer.Option("--certificate", help="A client certificate instead of a password.")
    ] = False,
    authority: Annotated[
        Path | None, typer.Option(help="Folder with ca.crt and ca.key; default: device_authority.")
    ] = None,
    password_file: PasswordFile = None,
    has_access: Annotated[
        bool, typer.Option("--has-access", help="The broker knows them already: only write it down.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="New credentials for devices that have some.")] = False,
    broker: Annotated[
        str | None, typer.Option(help="Where devices find the broker; default: device_broker, else broker.")
    ] = None,
    ca: Annotated[str | None, typer.Option(help="The file of the authority that devices trust.")] = None,
    pid_file: PidFile = None,
    as_json: Json = False,
) -> None:
    """Register devices, give them access to the broker, and print what to flash. Passwords and keys are shown this once."""
    from hearthwatch.run import provisioning

    settings = load_settings()
    wish = provisioning.Wish(
        ids=provisioning.read_ids(ids or [], _text_of(from_file)),
        convention=convention,
        model=model,
        password_file=None if certificate or has_access else _password_file(settings, password_file),
        authority=_authority(settings, authority) if certificate else None,
        again=again,
        broker=broker or settings.device_broker or settings.broker,
        ca=ca,
    )
    with opened_records() as database:
        made = provisioning.enroll(database, wish, SystemClock().now(), PERSON)
    # What is shown this once comes first: the broker may not be told, and nothing else is lost.
    if as_json:
        print_json({"devices": [one.row() for one in made]})
    else:
        for one in made:
            words = [f"== {one.device}", one.settings]
            if one.certificate is not None:
                words += [one.certificate.certificate, one.certificate.key]
            sys.stdout.write("\n".join(words) + "\n")
    if pid_file is not None:
        provisioning.reload_broker(pid_file)
    elif wish.password_file is not None:
        typer.echo("now let the broker read its password file again (SIGHUP); connections stay", err=True)


@device.command("revoke")
def revoke(
    ids: Annotated[list[str], typer.Argument(help="Device ids.")],
    password_file: PasswordFile = None,
    pid_file: PidFile = None,
    as_json: Json = False,
) -> None:
    """Take devices' access to the broker away; what they sent stays."""
    from hearthwatch.run import provisioning

    file = password_file or load_settings().broker_password_file
    with opened_records() as database:
        provisioning.revoke(database, ids, SystemClock().now(), PERSON, file)
    if pid_file is not None:
        provisioning.reload_broker(pid_file)
    if as_json:
        print_json({"revoked": ids, "password_file": file})
    elif file is None:
        typer.echo("written down; take the passwords out of the broker too (no broker_password_file is set)", err=True)


@device.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1)] = 100,
    after: Annotated[str | None, typer.Option(help="The last id of the page before.")] = None,
    search: Annotated[str | None, typer.Option(help="Part of an id, serial number or model.")] = None,
    as_json: Json = False,
) -> None:
    """Devices by id, with their convention and whether they have access of their own."""
    from hearthwatch.records import aliases, broker_users, devices

    with opened_records() as database, database.reading() as connection:
        found = devices.list_devices(connection, search=search, after=after, limit=limit)
        users = broker_users.enrolled(connection, [one.id for one in found])
        joined = aliases.load(connection)
    rows = [
        {
            "id": one.id,
            "model": one.model,
            "convention": one.convention,
            "firmware": one.firmware,
            "last_seen": one.last_seen,
            "enrolled": one.id in users,
            "alias_of": joined.get(one.id),
        }
        for one in found
    ]
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        seen = f"{row['last_seen']:%Y-%m-%d %H:%M}" if row["last_seen"] else "never seen"
        of = f"  = {row['alias_of']}" if row["alias_of"] else ""
        typer.echo(f"{row['id']:<28}  {row['model'] or '-':<20}  {row['convention'] or '-':<14}  {seen}{of}")


@device.command("show")
def show_(device_id: str, as_json: Json = False) -> None:
    """One device under any of its ids: its registry row, other ids, hardware addresses, access."""
    from hearthwatch.records import aliases, broker_users, devices, hardware

    with opened_records() as database, database.reading() as connection:
        name = aliases.device_of(connection, device_id)
        ids = aliases.ids_of(connection, name)
        row = _fields(devices.get(connection, name))
        user = broker_users.find(connection, name)
        told = [_fields(one) for one in hardware.addresses_of(connection, ids)]
        known = [_fields(one) for one in aliases.list_aliases(connection, device=name)]
    answer = {"device": row, "aliases": known, "addresses": told, "access": _fields(user) if user else None}
    if as_json:
        print_json(answer)
        return
    for field, value in row.items():
        if value is not None:
            typer.echo(f"{field:<14}  {value}")
    for one in told:
        typer.echo(f"{one['kind']:<14}  {one['address']} (told as {one['device']}, {one['convention']})")
    for one in known:
        typer.echo(f"{one['state']:<14}  {one['alias']} = {one['device']} (by {one['actor']}, {one['since']:%Y-%m-%d})")
    typer.echo(f"{'access':<14}  {'none of its own' if user is None else _access(user)}")


@device.command("qr")
def qr(
    ids: Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Device ids.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures and the sheet of labels.")],
    anew: Annotated[bool, typer.Option("--anew", help="Withdraw the codes they have: a label was lost.")] = False,
    as_json: Json = False,
) -> None:
    """Make codes to print on devices: each opens an empty form to report a problem. They can not be shown again."""
    from hearthwatch.run import labels

    settings = load_settings()
    with opened_records() as database:
        made = labels.print_codes(
            database, ids, out, public_url=settings.public_url, anew=anew, actor=PERSON, now=SystemClock().now()
        )
    if as_json:
        print_json({"codes": made, "sheet": str(out / labels.SHEET)})
    else:
        for one in made:
            typer.echo(f"{one['device']:<28}  {one['svg']}")
        typer.echo(f"to print: {out / labels.SHEET}")


@alias.command("join")
def alias_join(alias_id: str, device_id: str, as_json: Json = False) -> None:
    """Say that an id is the same device as another one."""
    from hearthwatch.records import aliases

    now = SystemClock().now()
    with opened_records() as database, database.transaction() as connection:
        made = aliases.join(connection, alias_id, device_id, now, actor=PERSON, evidence={"by": "a person"})
    _say(_fields(made), as_json)


@alias.command("separate")
def alias_separate(alias_id: str, device_id: str, as_json: Json = False) -> None:
    """Say that two ids are two devices, whatever they claim."""
    from hearthwatch.records import aliases

    with opened_records() as database, database.transaction() as connection:
        made = aliases.separate(connection, alias_id, device_id, SystemClock().now(), actor=PERSON)
    _say(_fields(made), as_json)


@alias.command("list")
def alias_list(
    state: Annotated[AliasState | None, typer.Option(help="Only these; proposed ones wait for a person.")] = None,
    as_json: Json = False,
) -> None:
    """Every alias, with who or what joined it."""
    from hearthwatch.records import aliases

    with opened_records() as database, database.reading() as connection:
        rows = [_fields(one) for one in aliases.list_aliases(connection, state=state)]
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        typer.echo(f"{row['state']:<9}  {row['alias']} = {row['device']}  {row['actor']}  {row['evidence']}")


def _say(row: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(dict(row))
    else:
        typer.echo(f"{row['alias']} and {row['device']}: {row['state']}")


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def _access(user: Any) -> str:
    ways = [way for way, has in (("password", user.password), ("certificate", user.certificate)) if has]
    return f"{user.role}, {' and '.join(ways) or 'nothing'}, since {user.enrolled_at:%Y-%m-%d}"


def _text_of(source: str | None) -> str | None:
    if source is None:
        return None
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"can not be read: {error}", where="--from") from None


def _password_file(settings: Settings, given: Path | None) -> Path:
    path = given or settings.broker_password_file
    if path is None:
        raise Invalid(
            "where is the broker's password file? Name it, or set broker_password_file; with --has-access there is none to write",
            where="--password-file",
        )
    return path


def _authority(settings: Settings, given: Path | None) -> Path:
    path = given or settings.device_authority
    if path is None:
        raise Invalid("which authority signs? Name its folder, or set device_authority", where="--authority")
    return path
