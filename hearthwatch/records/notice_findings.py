"""The findings that a notice tells of where it tells of several: one letter to a household about all that is to be done there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.records.database import batched, insert_missing
from hearthwatch.records.notices import SPENT
from hearthwatch.records.tables import notice_findings, notices, ownerships, ticket_findings, tickets


@dataclass(frozen=True, slots=True)
class ToldOf:
    """A finding that a notice tells of, and its device."""

    notice_id: int
    finding_id: int
    device_id: str


def add(connection: Connection, told: Iterable[ToldOf]) -> None:
    """Note what notices tell of; said again it changes nothing."""
    rows = [
        {"notice_id": one.notice_id, "finding_id": one.finding_id, "device_id": one.device_id}
        for one in sorted(set(told), key=lambda one: (one.notice_id, one.finding_id))
    ]
    insert_missing(connection, notice_findings, rows)


def of_notices(connection: Connection, notice_ids: Iterable[int]) -> dict[int, list[ToldOf]]:
    """What some notices tell of; those that tell of one finding alone are absent."""
    found: dict[int, list[ToldOf]] = {}
    for some in batched(notice_ids):
        query = sa.select(notice_findings).where(notice_findings.c.notice_id.in_(some))
        for row in connection.execute(query.order_by(notice_findings.c.finding_id)).mappings():
            found.setdefault(row["notice_id"], []).append(ToldOf(**row))
    return found


def notice_of(connection: Connection, finding_id: int) -> int | None:
    """The newest notice that tells of a finding among others."""
    query = sa.select(sa.func.max(notice_findings.c.notice_id)).where(notice_findings.c.finding_id == finding_id)
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found


def told(connection: Connection, finding_ids: Iterable[int], at: datetime, states: Sequence[str]) -> dict[int, int]:
    """Those of some findings of which a notice in one of ``states`` tells the device's present owner, among others; with that notice."""
    found: dict[int, int] = {}
    for some in batched(finding_ids):
        query = (
            sa.select(notice_findings.c.finding_id, notice_findings.c.notice_id)
            .join(notices, notices.c.id == notice_findings.c.notice_id)
            .join(
                ownerships,
                sa.and_(
                    ownerships.c.device_id == notice_findings.c.device_id,
                    ownerships.c.customer_id == notices.c.customer_id,
                ),
            )
            .where(
                notice_findings.c.finding_id.in_(some),
                notices.c.state.in_(states),
                ownerships.c.from_at <= at,
                sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > at),
            )
        )
        found.update((finding, notice) for finding, notice in connection.execute(query))
    return found


def told_devices(
    connection: Connection, device_ids: Iterable[str], since: datetime, states: Sequence[str]
) -> set[tuple[str, str]]:
    """(device, customer) of some devices of which a notice in one of ``states`` tells among others that was written at or after a time."""
    found: set[tuple[str, str]] = set()
    for some in batched(device_ids):
        query = (
            sa.select(notice_findings.c.device_id, notices.c.customer_id)
            .join(notices, notices.c.id == notice_findings.c.notice_id)
            .where(notice_findings.c.device_id.in_(some), notices.c.created_at >= since, notices.c.state.in_(states))
        )
        found.update((device, customer) for device, customer in connection.execute(query))
    return found


def told_causes(connection: Connection, device_ids: Iterable[str]) -> set[tuple[str, str | None, str]]:
    """(device, part, customer) of some devices' open tickets of which a notice among others tells a customer."""
    found: set[tuple[str, str | None, str]] = set()
    for some in batched(device_ids):
        query = (
            sa.select(tickets.c.device_id, tickets.c.part, notices.c.customer_id)
            .join(ticket_findings, ticket_findings.c.ticket_id == tickets.c.id)
            .join(notice_findings, notice_findings.c.finding_id == ticket_findings.c.finding_id)
            .join(notices, notices.c.id == notice_findings.c.notice_id)
            .where(tickets.c.device_id.in_(some), tickets.c.state != "closed", notices.c.state.in_(SPENT))
        )
        found.update((device, part, customer) for device, part, customer in connection.execute(query))
    return found


def asked_causes(connection: Connection, device_ids: Iterable[str]) -> set[tuple[str, str | None, str]]:
    """(device, part, customer) of some devices' open tickets that the customer wrote: they know of the matter."""
    found: set[tuple[str, str | None, str]] = set()
    for some in batched(device_ids):
        query = sa.select(tickets.c.device_id, tickets.c.part, tickets.c.customer_id).where(
            tickets.c.device_id.in_(some),
            tickets.c.kind == "request",
            tickets.c.state != "closed",
            tickets.c.part.is_not(None),
            tickets.c.customer_id.is_not(None),
        )
        found.update((device, part, customer) for device, part, customer in connection.execute(query))
    return found
