"""What people report, as the doctor sees it: whether the mailbox lets us in, what waits in quarantine, where printed codes lead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from alerts.intake.mail import imap
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import inbound_mails, report_codes
from hearthwatch.records.database import open_database
from hearthwatch.run.checks import Check, advice, unfit, well
from hearthwatch.run.up import is_loopback
from hearthwatch.settings import Settings


def check_intake(settings: Settings) -> Iterator[Check]:
    """The mailbox of the settings, and how what came in stands; no mail is fetched or marked."""
    address = settings.inbound_mailbox.get_secret_value()
    if address:
        yield _mailbox(address)
    yield from _records(settings)


def _mailbox(address: str) -> Check:
    try:
        imap.fetch(imap.mailbox_of(address), imap.Taker(_nothing, _nothing), most=0)
    except HearthwatchError as error:
        return unfit("inbound_mailbox", error.message, "see docs/intake.md; mail stays in the mailbox meanwhile")
    return well("inbound_mailbox", "it lets us in (nothing was fetched)")


def _nothing(*_given: object) -> None:
    """No mail is taken."""


def _records(settings: Settings) -> Iterator[Check]:
    """Says nothing of records that are not ready."""
    address = settings.records_address
    if address.startswith("sqlite:") and not Path(address.partition("?")[0].removeprefix("sqlite:///")).is_file():
        return  # opening it would make it
    database = open_database(address)
    try:
        if database.is_fresh() or not database.schema_is_current():
            return
        with database.reading() as connection:
            waiting = inbound_mails.waiting(connection)
            printed = report_codes.any_good(connection)
    finally:
        database.close()
    if waiting:
        says = f"{waiting} mails could not be taken in and wait for a person"
        yield advice("inbound_mail", says, "look at the page Inbound mail")
    if printed and is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield advice(
            "report_codes",
            f"codes for devices were made; they lead to {settings.public_url}, which only this machine reaches",
            "set public_url, then print them anew: hearthwatch device qr DEVICE --out FOLDER --anew",
        )
