"""A recall's ticket and its campaign: an outcome that remedies the device settles it there, opening the ticket again undoes that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.notices.withdrawing import take_back
from hearthwatch.records import campaigns, notices, tickets
from hearthwatch.records.campaigns import REMEDIES
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.values import Ticket

REMEDYING = frozenset({"confirmed", "different_fault", "fixed_by_update"})
"""Closing codes after which the recalled device does no harm any more; after the others nobody put anything right."""
USUAL = "repair"
STEM = "campaign"
NOT_OVER = "the case was opened again: the device is not settled"
SETTLED = "settled"
"""Where a closing's ledger entry says which campaigns it settled."""


@dataclass(frozen=True, slots=True)
class Request:
    """That a ticket carries out a campaign's remedy for its device; ``wish`` is the remedy that the owner chose last."""

    campaign_id: int
    device_id: str
    wish: str


def settle(connection: Connection, ticket: Ticket, code: str, actor: str, now: datetime) -> list[dict[str, object]]:
    """Settle the device of a ticket that is about to close in every campaign that the ticket is about.

    Returns campaign and remedy of those that were not settled before; nothing for an outcome that remedies nothing.
    """
    if code not in REMEDYING:
        return []
    settled: list[dict[str, object]] = []
    for one in requests(connection, ticket):
        if campaigns.get(connection, one.campaign_id).state not in {"running", "closed"}:
            continue
        how = "update" if code == "fixed_by_update" else one.wish
        ended = campaigns.remedy(
            connection, one.campaign_id, [one.device_id], how, actor=actor, now=now, ticket_id=ticket.id
        )
        if ended:
            settled.append({"campaign_id": one.campaign_id, "remedy": how})
    return settled


def undo(connection: Connection, ticket: Ticket, actor: str, now: datetime) -> None:
    """Let a device that this ticket settled be concerned by its campaigns again; an all-clear that has not left is taken back."""
    for one in requests(connection, ticket):
        undone = campaigns.unremedy(
            connection, one.campaign_id, one.device_id, ticket_id=ticket.id, actor=actor, now=now
        )
        if undone:
            _take_back_all_clears(connection, one, actor, now)


def _take_back_all_clears(connection: Connection, request: Request, actor: str, now: datetime) -> None:
    for one in notices.of_campaign(connection, request.campaign_id):
        if one.kind == "all_clear" and request.device_id in one.devices:
            take_back(connection, notices.get(connection, one.id), NOT_OVER, actor, now)


def requests(connection: Connection, ticket: Ticket) -> Sequence[Request]:
    """The campaigns whose remedy a ticket carries out, by itself or for tickets that were merged into it."""
    found = {(one.campaign_id, one.device_id): one for one in _requests(connection, ticket)}
    return list(found.values())


def _requests(connection: Connection, ticket: Ticket) -> Iterator[Request]:
    head, _, rest = ticket.stem.partition(":")
    number = rest.partition(":")[0]
    events = tickets.events(connection, ticket.id)
    if head == STEM and number.isdecimal() and ticket.device_id is not None:
        yield Request(int(number), ticket.device_id, _wish(events, int(number)))
    for event in events:
        if event.what == "merged" and event.detail.get("from") is not None:
            yield from _requests(connection, tickets.get(connection, int(event.detail["from"])))


def _wish(events: Sequence[TicketEvent], campaign_id: int) -> str:
    chosen = [
        str(event.detail["wish"])
        for event in events
        if event.what == "customer"
        and event.detail.get("campaign_id") == campaign_id
        and event.detail.get("wish") in REMEDIES
    ]
    return chosen[-1] if chosen else USUAL
