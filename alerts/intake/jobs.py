"""The jobs of intake, as the schedule calls them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from alerts.intake import answers, brakes
from alerts.intake.answers import Desk
from alerts.intake.mail import imap, receiving
from alerts.intake.mail.receiving import Incoming
from hearthwatch.errors import HearthwatchError
from hearthwatch.records import inbound_mails, report_codes
from hearthwatch.records.database import Database
from hearthwatch.records.inbound_mails import InboundMail

LOG = logging.getLogger(__name__)
MAILS_KEPT = timedelta(days=30)


def fetch_mail(database: Database, address: str, incoming: Incoming, now: datetime) -> Mapping[str, int]:
    """Take in what is new in the mailbox. Returns counts by what became of it.

    Raises `Unavailable` when the mail server or the records are away: what was not taken in is unseen then, and comes again.
    """
    done: dict[str, int] = {}

    def count(kept: InboundMail) -> None:
        done[kept.state] = done.get(kept.state, 0) + 1

    def whole(raw: bytes) -> None:
        try:
            count(database.retrying(lambda connection: receiving.receive(connection, raw, incoming, now)))
        except HearthwatchError:
            raise
        except Exception as error:  # a bug of ours must not stop the mails behind this one
            LOG.exception("a mail of %d bytes broke the intake", len(raw))
            why = f"it could not be taken in ({type(error).__name__})"
            count(database.retrying(lambda connection: receiving.set_aside(connection, raw, why, incoming, now)))

    def head(raw: bytes, size: int) -> None:
        count(database.retrying(lambda connection: receiving.too_large(connection, raw, size, incoming, now)))

    imap.fetch(imap.mailbox_of(address), imap.Taker(whole, head))
    return done


def tell_reporters(database: Database, desk: Desk, now: datetime) -> Mapping[str, int]:
    """Write to those who follow their report what is new. Returns how many letters were written, nothing where none was."""
    with database.reading() as connection:
        if not answers.untold(connection, desk, now):
            return {}
    written = database.retrying(lambda connection: answers.tell_reporters(connection, desk, now))
    return {"letters": written} if written else {}


def forget(database: Database, now: datetime) -> Mapping[str, int]:
    """Drop what is kept no longer: mails that nobody needs, and how often somebody reported."""
    with database.transaction(alone=False) as connection:
        report_codes.forget_attempts(connection, now - brakes.KEPT)
        return {"mails": inbound_mails.forget(connection, now - MAILS_KEPT)}
