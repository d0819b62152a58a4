"""The mailbox channel: letters stay in the records. A key delivered twice is one letter."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.channels.addresses import MAILBOX, scheme
from alerts.channels.parcels import Parcel
from hearthwatch.errors import Refused
from hearthwatch.ports import Clock
from hearthwatch.records import mailbox
from hearthwatch.records.database import Database
from hearthwatch.records.mailbox import NewLetter


class MailboxChannel:
    """Delivers to ``mailbox://<name>``."""

    name = MAILBOX

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """Put a letter into the mailbox. Raises `Refused` for an address that is none of it, `Unavailable` when the records are away."""
        self.deliver_all([Parcel(address, subject, text, html, key)])

    def deliver_all(self, parcels: Sequence[Parcel]) -> None:
        """Put letters into the mailbox, all or none. Errors as of `deliver`."""
        if any(scheme(parcel.address) != MAILBOX for parcel in parcels):
            raise Refused("not an address of the mailbox")
        now = self._clock.now()
        with self._database.transaction(alone=False) as connection:
            letters = [NewLetter(one.key, one.address, one.subject, one.text, one.html) for one in parcels]
            mailbox.put_all(connection, letters, now)
