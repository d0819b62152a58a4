"""What a customer's link opens, and the nonces that let its forms act once. Opening changes nothing; mail scanners open links."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.tickets.conversation import surviving
from hearthwatch.errors import Denied
from hearthwatch.records import customer_links, customers, notices
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.records.customer_links import CustomerLink
from hearthwatch.records.customers import Customer
from hearthwatch.values import Notice, Ticket

NONCE_LIFE = timedelta(hours=24)
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Opened:
    """A good link: whose, and about what. ``device_ids`` are what it is about; of a link to neither notice nor ticket, all of theirs."""

    link: CustomerLink
    customer: Customer
    notice: Notice | None
    ticket: Ticket | None
    device_ids: tuple[str, ...]
    timezone: str

    @property
    def actor(self) -> str:
        """Who acts through this link, as ledgers name them."""
        return f"customer:{self.customer.id}"


def opened(connection: Connection, token: str, now: datetime) -> Opened:
    """What a link opens. Raises `Missing` or `Denied` for one that is not good (any more), also because the device was passed on."""
    link = customer_links.find(connection, token, now)
    customer = customers.get_customer(connection, link.customer_id)
    notice = notices.get(connection, link.notice_id) if link.notice_id is not None else None
    ticket = ticket_rows.get(connection, link.ticket_id) if link.ticket_id is not None else None
    if ticket is not None and ticket.customer_id != customer.id:
        raise Denied("this ticket is somebody else's now")
    if ticket is not None and (goes_on := surviving(connection, ticket.id)).customer_id == customer.id:
        ticket = goes_on
    matter = notice or ticket
    about = matter.device_id if matter is not None else None
    if about is not None:
        _check_owner(connection, about, customer, now)
    ids: tuple[str, ...] = (about,) if about is not None else ()
    if matter is None:
        ids = tuple(customers.devices_of(connection, customer.id, now))
    return Opened(link, customer, notice, ticket, ids, _timezone(connection, customer, about, now))


def _check_owner(connection: Connection, device_id: str, customer: Customer, now: datetime) -> None:
    owner = customers.owner_of(connection, device_id, now)
    if owner is None or owner.customer.id != customer.id:
        raise Denied("this device belongs to somebody else now")


def _timezone(connection: Connection, customer: Customer, device_id: str | None, now: datetime) -> str:
    owner = customers.owner_of(connection, device_id, now) if device_id is not None else None
    if owner is not None:
        return owner.home.timezone if owner.home else "UTC"
    return next((home.timezone for home in customers.homes_of(connection, customer.id, now)), "UTC")


def nonce(link: CustomerLink, now: datetime, secret_key: str) -> str:
    """A nonce for the forms of a page that is shown now."""
    stem = f"{int(now.timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stem}.{_signature(link, stem, secret_key)}"


def spend(connection: Connection, link: CustomerLink, given: str, now: datetime, secret_key: str) -> None:
    """Use a nonce up. Raises `Denied` for one that is not of this link's page or is too old, `Conflict` where it was used before."""
    stem, _, signature = given.rpartition(".")
    expected = _signature(link, stem, secret_key)
    if not stem or not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Denied("this form is not from this page")
    issued = datetime.fromtimestamp(int(stem.partition(".")[0]), tz=now.tzinfo)
    if not issued <= now + _CLOCKS_DIFFER or now - issued > NONCE_LIFE:
        raise Denied("this form is too old; open the page again")
    customer_links.use_nonce(connection, link.id, given, now)


def _signature(link: CustomerLink, stem: str, secret_key: str) -> str:
    message = f"customer-form:{link.id}:{stem}".encode()
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest()
