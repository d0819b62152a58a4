"""The mailbox channel: letters stay in the records. A key delivered twice is one letter."""

from __future__ import annotations

from alerts.addresses import MAILBOX, scheme
from hearthwatch.errors import Refused
from hearthwatch.ports import Clock
from hearthwatch.records import mailbox
from hearthwatch.records.database import Database


class MailboxChannel:
    """Delivers to ``mailbox://<name>``."""

    name = MAILBOX

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Put a letter into the mailbox. Raises `Refused` for an address that is none of it, `Unavailable` when the records are away."""
        if scheme(address) != MAILBOX:
            raise Refused("not an address of the mailbox")
        with self._database.transaction() as connection:
            mailbox.put(
                connection, key=key, address=address, subject=subject, text=text, html=html, at=self._clock.now()
            )
