"""A notice on its customer's page: what it shows, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.customers import offers
from alerts.customers.offers import Offer
from alerts.customers.opening import Opened
from alerts.customers.progress import Progress, progress_of, ticket_about
from alerts.notices.issue import product_name
from alerts.notices.wording import MASK
from alerts.tickets import requests
from hearthwatch.errors import Conflict
from hearthwatch.records import devices, findings, notices
from hearthwatch.records import tickets as ticket_rows
from hearthwatch.values import Device, Notice, Ticket

WARNINGS = ("update", "replacement", "check_up")
"""Kinds of notices that say that something is wrong, and are answered with a button of their own."""
ACTIONS = ("accept_update", "visit", "later", "not_mine")


@dataclass(frozen=True, slots=True)
class CustomerView:
    """What the page shows of a notice. ``version`` is the update that is offered; ``actions`` are the buttons, the first one foremost."""

    notice: Notice
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


def view(connection: Connection, opened: Opened, notice: Notice, now: datetime) -> CustomerView:
    """What is shown of a notice; changes nothing."""
    device = devices.find(connection, [notice.device_id]).get(notice.device_id)
    ticket = ticket_about(connection, notice)
    offer = offers.offer(connection, notice, now)
    greeting, paragraphs, devices_line = parts(notice.body)
    return CustomerView(
        notice=notice,
        greeting=greeting,
        paragraphs=paragraphs,
        devices_line=devices_line,
        product=product_name(connection, device.model if device else None),
        device=device,
        timezone=opened.timezone,
        ticket=progress_of(connection, ticket) if ticket else None,
        version=offer.version if offer else None,
        actions=_allowed(connection, notice, offer, ticket),
        answered=notice.answer,
    )


def act(connection: Connection, opened: Opened, notice: Notice, action: str, now: datetime) -> Notice:
    """Do what a button says. Raises `Conflict` where the page does not offer it (any more)."""
    if action not in view(connection, opened, notice, now).actions:
        raise Conflict("this can not be done any more")
    if action in _DO:
        _DO[action](connection, notice, now)
    changed = notices.change(connection, notice.id, None, {"answer": action})
    notices.note(connection, notice.id, now, action, opened.actor, {})
    return changed


def parts(body: str) -> tuple[str, tuple[str, ...], str]:
    """Greeting, paragraphs and device line of a kept letter; they stand before the block with the link."""
    blocks = [block.strip() for block in body.split("\n\n")]
    link = next((number for number, block in enumerate(blocks) if f"/c/{MASK}" in block), len(blocks))
    return blocks[0], tuple(blocks[1 : link - 1]), blocks[link - 1]


def _allowed(connection: Connection, notice: Notice, offer: Offer | None, ticket: Ticket | None) -> tuple[str, ...]:
    if notice.answer == "not_mine" or notice.finding_id is None or notice.kind not in WARNINGS:
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


def _accept(connection: Connection, notice: Notice, now: datetime) -> None:
    offers.accept(connection, notice, now)


def _visit(connection: Connection, notice: Notice, now: datetime) -> None:
    if notice.finding_id is None:
        raise Conflict("this can not be done any more")
    requests.request_visit(
        connection,
        device_id=notice.device_id,
        customer_id=notice.customer_id,
        home_id=notice.home_id,
        finding_id=notice.finding_id,
        actor=f"customer:{notice.customer_id}",
        now=now,
    )


def _note_in_ticket(connection: Connection, notice: Notice, now: datetime) -> None:
    """Staff look into it: a forwarded link must not be able to take a device from its owner."""
    ticket = ticket_about(connection, notice)
    if ticket is not None and ticket.state != "closed":
        wish = {"wish": "not_mine"}
        ticket_rows.note(connection, ticket.id, now, "customer", f"customer:{notice.customer_id}", wish)


_DO: Mapping[str, Callable[[Connection, Notice, datetime], None]] = {
    "accept_update": _accept,
    "visit": _visit,
    "not_mine": _note_in_ticket,
}
