"""The customer's page behind a link: what it shows, and what its buttons do. Opening it changes nothing; mail scanners open links."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from alerts.customers import offers
from alerts.customers.offers import Offer
from alerts.notices.issue import product_name
from alerts.notices.wording import MASK
from alerts.tickets import acts as tickets
from hearthwatch.errors import Conflict, Denied, Invalid, Missing
from hearthwatch.records import customer_links, customers, devices, findings, notices, technicians
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.records.customer_links import CustomerLink
from hearthwatch.values import Device, Notice, Ticket

ACTIONS = ("accept_update", "visit", "later", "not_mine")
NONCE_LIFE = timedelta(hours=24)
STEPS = frozenset({"opened", "assigned", "scheduled", "closed", "reopened", "customer"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ticket as its customer may see it; what staff wrote to one another is not in it."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A ticket as its customer may see it."""

    id: int
    state: str
    opened_at: datetime
    visit_at: datetime | None
    technician: str | None
    closed_at: datetime | None
    closing_code: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class CustomerView:
    """What the page shows. ``language`` is the catalogue's name (``en``, ``zh_Hans``); ``version`` is the update that is offered."""

    notice: Notice
    language: str
    greeting: str
    paragraphs: tuple[str, ...]
    devices_line: str
    product: str
    device: Device | None
    timezone: str
    ticket: Progress | None
    version: str | None
    actions: tuple[str, ...]
    answered: str | None
    nonce: str


def view(connection: Connection, token: str, now: datetime, secret_key: str) -> CustomerView:
    """What a link shows; changes nothing. Raises `Missing` or `Denied` for a link that is not good (any more)."""
    link, notice = _opened(connection, token, now)
    return _view(connection, link, notice, now, secret_key)


def answer(connection: Connection, token: str, nonce: str, action: str, now: datetime, secret_key: str) -> CustomerView:
    """Do what a button says, once per nonce, and show the page as it is then.

    Raises `Missing` or `Denied` for a link or nonce that is not good (any more), `Invalid` for an unknown action, `Conflict` where the
    form was sent before or the action is over.
    """
    link, notice = _opened(connection, token, now)
    if action not in ACTIONS:
        raise Invalid(f"a customer can {', '.join(ACTIONS)}, not {action!r}", where="action")
    _check_nonce(link, nonce, now, secret_key)
    customer_links.use_nonce(connection, link.id, nonce, now)
    if action not in _view(connection, link, notice, now, secret_key).actions:
        raise Conflict("this can not be done any more")
    _act(connection, notice, action, now)
    changed = notices.change(connection, notice.id, None, {"answer": action})
    notices.note(connection, notice.id, now, action, _actor(notice), {})
    return _view(connection, link, changed, now, secret_key)


def _opened(connection: Connection, token: str, now: datetime) -> tuple[CustomerLink, Notice]:
    link = customer_links.find(connection, token, now)
    notice = notices.get(connection, link.notice_id)
    owner = customers.owner_of(connection, notice.device_id, now)
    if owner is None or owner.customer.id != link.customer_id:
        raise Denied("this device belongs to somebody else now")
    return link, notice


def _view(connection: Connection, link: CustomerLink, notice: Notice, now: datetime, secret_key: str) -> CustomerView:
    device = devices.find(connection, [notice.device_id]).get(notice.device_id)
    owner = customers.owner_of(connection, notice.device_id, now)
    ticket = _ticket(connection, notice)
    offer = offers.offer(connection, notice, now)
    greeting, paragraphs, devices_line = _parts(notice.body)
    return CustomerView(
        notice=notice,
        language=notice.language,
        greeting=greeting,
        paragraphs=paragraphs,
        devices_line=devices_line,
        product=product_name(connection, device.model if device else None),
        device=device,
        timezone=owner.home.timezone if owner and owner.home else "UTC",
        ticket=_progress(connection, ticket) if ticket else None,
        version=offer.version if offer else None,
        actions=_allowed(connection, notice, offer, ticket),
        answered=notice.answer,
        nonce=_nonce(link, now, secret_key),
    )


def _parts(body: str) -> tuple[str, tuple[str, ...], str]:
    """Greeting, paragraphs and device line of a kept letter; they stand before the block with the link."""
    blocks = [block.strip() for block in body.split("\n\n")]
    link = next((number for number, block in enumerate(blocks) if f"/c/{MASK}" in block), len(blocks))
    return blocks[0], tuple(blocks[1 : link - 1]), blocks[link - 1]


def _ticket(connection: Connection, notice: Notice) -> Ticket | None:
    """The ticket about this notice that is this customer's: of its finding, else one they asked for."""
    about = ticket_rows.of_findings(connection, [notice.finding_id]).get(notice.finding_id)
    if about is not None and about.customer_id == notice.customer_id:
        return about
    theirs = ticket_rows.list_tickets(connection, device_id=notice.device_id, customer_id=notice.customer_id, limit=20)
    return next((one for one in theirs if one.kind == "request" and one.finding_id == notice.finding_id), None)


def _progress(connection: Connection, ticket: Ticket) -> Progress:
    events = ticket_rows.events(connection, ticket.id)
    visits = [str(event.detail["at"]) for event in events if event.what == "scheduled" and event.detail.get("at")]
    return Progress(
        id=ticket.id,
        state=ticket.state,
        opened_at=ticket.opened_at,
        visit_at=datetime.fromisoformat(visits[-1]) if visits and ticket.state == "scheduled" else None,
        technician=_technician(connection, ticket),
        closed_at=ticket.closed_at,
        closing_code=ticket.closing_code,
        steps=tuple(Step(event.at, event.what) for event in events if event.what in STEPS),
    )


def _technician(connection: Connection, ticket: Ticket) -> str | None:
    if ticket.technician_id is None or ticket.state == "closed":
        return None
    try:
        return technicians.get(connection, ticket.technician_id).name
    except Missing:
        return None


def _allowed(connection: Connection, notice: Notice, offer: Offer | None, ticket: Ticket | None) -> tuple[str, ...]:
    if notice.answer == "not_mine" or notice.kind == "ticket_update":
        return ()
    if findings.get(connection, notice.finding_id).state == "recovered" and (
        ticket is None or ticket.state == "closed"
    ):
        return ()
    allowed = {"visit", "later", "not_mine"} - {notice.answer}
    if offer is not None and notice.answer != "accept_update":
        allowed.add("accept_update")
    if notice.answer in {"accept_update", "visit"}:
        allowed.discard("later")
    return tuple(action for action in ACTIONS if action in allowed)


def _act(connection: Connection, notice: Notice, action: str, now: datetime) -> None:
    if action == "accept_update":
        offers.accept(connection, notice, now)
    elif action == "visit":
        tickets.request_visit(
            connection,
            device_id=notice.device_id,
            customer_id=notice.customer_id,
            home_id=notice.home_id,
            finding_id=notice.finding_id,
            actor=_actor(notice),
            now=now,
        )
    elif action == "not_mine":
        _note_in_ticket(connection, notice, now)


def _note_in_ticket(connection: Connection, notice: Notice, now: datetime) -> None:
    """Staff look into it: a forwarded link must not be able to take a device from its owner."""
    ticket = _ticket(connection, notice)
    if ticket is not None and ticket.state != "closed":
        ticket_rows.note(connection, ticket.id, now, "customer", _actor(notice), {"wish": "not_mine"})


def _actor(notice: Notice) -> str:
    return f"customer:{notice.customer_id}"


def _nonce(link: CustomerLink, now: datetime, secret_key: str) -> str:
    stem = f"{int(now.timestamp())}.{secrets.token_urlsafe(12)}"
    return f"{stem}.{_signature(link, stem, secret_key)}"


def _check_nonce(link: CustomerLink, nonce: str, now: datetime, secret_key: str) -> None:
    stem, _, signature = nonce.rpartition(".")
    expected = _signature(link, stem, secret_key)
    if not stem or not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Denied("this form is not from this page")
    issued = datetime.fromtimestamp(int(stem.partition(".")[0]), tz=now.tzinfo)
    if not issued <= now + timedelta(minutes=5) or now - issued > NONCE_LIFE:
        raise Denied("this form is too old; open the page again")


def _signature(link: CustomerLink, stem: str, secret_key: str) -> str:
    message = f"customer-form:{link.id}:{stem}".encode()
    return hmac.new(secret_key.encode(), message, hashlib.sha256).hexdigest()
