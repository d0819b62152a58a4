"""``hearthwatch customer``: what is known of a person, as one archive; and forgetting a person."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hearthwatch.clock import SystemClock
from hearthwatch.errors import Unavailable
from hearthwatch.run.administration import PERSON, Json, opened_records
from hearthwatch.run.printing import print_json, show
from hearthwatch.settings import Settings, load_settings

LONGEST_SECONDS = 3600.0
CustomerId = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")]

customer = typer.Typer()


@customer.command("export")
def export(
    customer_id: CustomerId,
    out: Annotated[Path | None, typer.Option(help="The archive; default: customer-ID.zip in this folder.")] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="HEARTHWATCH_TOKEN", help="An agent's token, where the platform is running.", show_envvar=True
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write everything about a person into one archive, also while the platform runs."""
    from hearthwatch.run.whole_file import whole_file

    target = out or Path(f"customer-{quote(customer_id, safe='')}.zip")
    with whole_file(target) as file:
        _export(load_settings(), customer_id, file, token)
    show({"file": str(target), "bytes": target.stat().st_size}, as_json)


def _export(settings: Settings, customer_id: str, file: Any, token: str | None) -> None:
    from alerts.customers.export import export
    from hearthwatch.telemetry import open_store

    try:
        store = open_store(settings.telemetry_address)
    except Unavailable as busy:
        if "another process" not in str(busy):
            raise
        from hearthwatch.run import running

        path = f"/api/v1/customers/{quote(customer_id, safe='')}/export"
        running.download(settings, path, token, file, LONGEST_SECONDS)
        return
    with closing(store), opened_records() as database:
        export(database, store, customer_id, file, actor=PERSON, now=SystemClock().now())


@customer.command("erase")
def erase(
    customer_id: CustomerId,
    reason: Annotated[str, typer.Option(help="Why. It is kept, so it must not name the person.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Forget a person for good, also while the platform runs. Statistics stay, without the person."""
    from alerts.customers import erasure
    from hearthwatch.records import customers, erasures

    with opened_records() as database:
        with database.reading() as connection:
            found = customers.get_customer(connection, customer_id)
        if not yes:
            typer.confirm(
                f"Forget {found.name or customer_id} ({customer_id})? There is no way back.", abort=True, err=True
            )
        with database.transaction() as connection:
            done = erasure.erase(connection, customer_id, reason=reason, by=PERSON, now=SystemClock().now())
        erasures.sweep(database)
    show({"customer": done.customer_id, "closed": list(done.closed), "rows": done.counts}, as_json)
    typer.echo(
        "backups made before still hold the person: a restore erases again where it knows of it "
        "(hearthwatch customer erasures --json > FILE, hearthwatch restore --erasures FILE)",
        err=True,
    )


@customer.command("erasures")
def list_erasures(as_json: Json = False) -> None:
    """Who was forgotten, by pseudonym. Keep this where backups are kept."""
    from hearthwatch.records import erasures

    with opened_records() as database, database.reading() as connection:
        told = [
            {"customer_id": one.customer_id, "at": one.at.isoformat(), "by": one.by, "reason": one.reason}
            for one in erasures.list_erasures(connection)
        ]
    if as_json:
        print_json({"erasures": told})
    for one in () if as_json else told:
        typer.echo(f"{one['at']}  {one['customer_id']}  {one['by']}  {one['reason']}")
