"""Notices to customers: one per cause, device, customer, kind and occasion, with a ledger of what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records.database import batched, insert_missing, row_at_revision
from hearthwatch.records.statements import among, insert_into
from hearthwatch.records.tables import (
    devices,
    findings,
    notice_events,
    notices,
    ownerships,
    ticket_findings,
    tickets,
)
from hearthwatch.records.tables.columns import fitted
from hearthwatch.values import Notice

SPENT = ("queued", "sent", "held")
"""States in which a notice counts against a household's budget."""
RISEN = "safety"
"""The occasion of a warning of danger whose finding was told of before as a lesser matter."""
FIRST = ("", RISEN)
"""The occasions of notices that tell of a finding by themselves: no reminders, no news of tickets."""
ASKING = ("update", "replacement", "check_up")
"""Kinds of notices about a device's fault: they count against the budget, and are overtaken when their finding recovers."""


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """One thing that became of a notice, and who did it."""

    id: int
    notice_id: int
    at: datetime
    what: str
    actor: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What makes a notice: its key, and what it says. ``occasion`` tells apart several of one kind for one cause.

    ``cause`` names a finding, a ticket or a campaign (`cause_of`); the ids say what else it has to do with.
    """

    cause: str
    device_id: str
    customer_id: str
    kind: str
    occasion: str
    home_id: str | None
    language: str
    subject: str
    body: str
    html: str
    finding_id: int | None = None
    ticket_id: int | None = None
    campaign_id: int | None = None
    why: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CampaignNotice:
    """A notice of a campaign without its words; ``why`` names all the devices it is about."""

    id: int
    kind: str
    device_id: str
    customer_id: str
    home_id: str | None
    state: str
    reason: str | None
    answer: str | None
    created_at: datetime
    why: Mapping[str, Any] | None

    @property
    def devices(self) -> tuple[str, ...]:
        """All devices it is about."""
        told = (self.why or {}).get("devices")
        return tuple(str(one) for one in told) if told else (self.device_id,)


def of_campaign(
    connection: Connection, campaign_id: int, customer_ids: Iterable[str] | None = None
) -> list[CampaignNotice]:
    """Every notice of a campaign (to some customers, where they are given), oldest first."""
    columns = (notices.c[name] for name in CampaignNotice.__dataclass_fields__)
    query = sa.select(*columns).where(notices.c.campaign_id == campaign_id).order_by(notices.c.id)
    if customer_ids is None:
        return [CampaignNotice(**row) for row in connection.execute(query).mappings()]
    found: list[CampaignNotice] = []
    for some in batched(customer_ids):
        rows = connection.execute(query.where(notices.c.customer_id.in_(some))).mappings()
        found.extend(CampaignNotice(**row) for row in rows)
    return sorted(found, key=lambda one: one.id)


def cause_of(*, finding_id: int | None = None, ticket_id: int | None = None, campaign_id: int | None = None) -> str:
    """The cause of a notice about exactly one of these."""
    ((what, number),) = [
        (what, number)
        for what, number in (("finding", finding_id), ("ticket", ticket_id), ("campaign", campaign_id))
        if number is not None
    ]
    return f"{what}:{number}"


_COLUMNS = tuple(notices.c[name] for name in Notice.__dataclass_fields__)
_BY_ID = sa.select(*_COLUMNS).where(notices.c.id == sa.bindparam("one"))
_KEY = ("cause", "device_id", "customer_id", "kind", "occasion")
_BY_KEY = sa.select(*_COLUMNS).where(*(notices.c[name] == sa.bindparam(name) for name in _KEY))
_OF_FINDINGS = (
    sa.select(*_COLUMNS)
    .where(among(notices.c.finding_id), notices.c.occasion == sa.bindparam("on"))
    .order_by(notices.c.id)
)
_DISOWNED = sa.select(notices.c.device_id, notices.c.customer_id).where(
    among(notices.c.device_id), notices.c.answer == "not_mine"
)


def write(
    connection: Connection,
    wanted: Wanted,
    *,
    state: str,
    reason: str | None,
    send_after: datetime,
    policy_version: int,
    now: datetime,
) -> Notice | None:
    """Write a notice and the event that it was written. None where one with this key is there already."""
    row = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    row |= {
        "subject": fitted(notices.c.subject, wanted.subject),
        "state": state,
        "reason": fitted(notices.c.reason, reason),
        "created_at": now,
        "send_after": send_after,
        "policy_version": policy_version,
    }
    if not insert_missing(connection, notices, [row]):
        return None
    (found,) = connection.execute(_BY_KEY, {name: row[name] for name in _KEY}).all()
    notice = Notice(*found)
    note(connection, notice.id, now, "written", "policy", {"state": state, "reason": reason})
    return notice


def without_person(notice: Notice) -> Notice:
    """A notice for those who serve no customers: what it is about, why and how it stands, not whose it is nor its text, which greets
    them by name and may quote what was written with them."""
    return replace(notice, customer_id="", home_id=None, body="")


def event_without_person(event: NoticeEvent) -> NoticeEvent:
    """What became of a notice, for those who serve no customers: of customers, that it was they."""
    kind, colon, _ = event.actor.partition(":")
    return replace(event, actor="customer") if colon and kind == "customer" else event


def change(connection: Connection, notice_id: int, revision: int | None, changes: Mapping[str, Any]) -> Notice:
    """Change a notice, at ``revision`` if given. Raises `Missing` or `Stale`."""
    if "reason" in changes:
        changes = {**changes, "reason": fitted(notices.c.reason, changes["reason"])}
    return Notice(*row_at_revision(connection, notices, {"id": notice_id}, revision, changes, _COLUMNS))


def note(
    connection: Connection, notice_id: int, at: datetime, what: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Append to the ledger of a notice."""
    who = fitted(notice_events.c.actor, actor)
    row = {"notice_id": notice_id, "at": at, "what": what, "actor": who, "detail": dict(detail)}
    connection.execute(insert_into(notice_events), row)


def get(connection: Connection, notice_id: int) -> Notice:
    """One notice. Raises `Missing`."""
    row = connection.execute(_BY_ID, {"one": notice_id}).one_or_none()
    if row is None:
        raise Missing("no such notice", where=f"notice {notice_id}")
    return Notice(*row)


def html(connection: Connection, notice_id: int) -> str:
    """A notice as HTML; where the customer's link stands, it is masked. Raises `Missing`."""
    found = connection.execute(sa.select(notices.c.html).where(notices.c.id == notice_id)).scalar_one_or_none()
    if found is None:
        raise Missing("no such notice", where=f"notice {notice_id}")
    return str(found)


def occasion(connection: Connection, notice_id: int) -> str:
    """What occasion a notice was written on: empty for the first about its finding. Raises `Missing`."""
    found = connection.execute(sa.select(notices.c.occasion).where(notices.c.id == notice_id)).scalar_one_or_none()
    if found is None:
        raise Missing("no such notice", where=f"notice {notice_id}")
    return str(found)


def occasions(connection: Connection, finding_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(finding, occasion) of every notice about some findings that was written on an occasion of its own."""
    found: set[tuple[int, str]] = set()
    for some in batched(finding_ids):
        query = sa.select(notices.c.finding_id, notices.c.occasion).where(
            notices.c.finding_id.in_(some), notices.c.occasion != ""
        )
        found.update((one, other) for one, other in connection.execute(query))
    return found


def occasions_of_devices(connection: Connection, device_ids: Iterable[str]) -> set[tuple[str, str]]:
    """(device, occasion) of every notice about some devices that was written on an occasion of its own."""
    found: set[tuple[str, str]] = set()
    for some in batched(device_ids):
        query = sa.select(notices.c.device_id, notices.c.occasion).where(
            notices.c.device_id.in_(some), notices.c.occasion != ""
        )
        found.update((one, other) for one, other in connection.execute(query))
    return found


def unsent_of_tickets(connection: Connection, kind: str) -> list[tuple[Notice, str]]:
    """Notices of a kind about tickets that have not left yet, oldest first, each with the occasion that it was written on."""
    query = sa.select(*_COLUMNS, notices.c.occasion.label("on")).where(
        notices.c.kind == kind, notices.c.ticket_id.is_not(None), notices.c.state.in_(("waiting", "held", "queued"))
    )
    rows = connection.execute(query.order_by(notices.c.id)).mappings()
    return [(Notice(**{name: row[name] for name in Notice.__dataclass_fields__}), str(row["on"])) for row in rows]


def states_of_ticket(connection: Connection, ticket_id: int) -> dict[str, str]:
    """The states of a ticket's notices, by the occasion that each was written on."""
    query = sa.select(notices.c.occasion, notices.c.state).where(notices.c.ticket_id == ticket_id)
    return {occasion: state for occasion, state in connection.execute(query.order_by(notices.c.id))}  # noqa: C416


def events(connection: Connection, notice_id: int) -> list[NoticeEvent]:
    """What became of a notice, oldest first."""
    query = sa.select(notice_events).where(notice_events.c.notice_id == notice_id).order_by(notice_events.c.id)
    return [NoticeEvent(**row) for row in connection.execute(query).mappings()]


def list_notices(
    connection: Connection,
    *,
    state: str | None = None,
    customer_id: str | None = None,
    device_id: str | None = None,
    finding_id: int | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Notice]:
    """Notices, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).order_by(notices.c.id.desc()).limit(limit)
    for column, value in (
        (notices.c.state, state),
        (notices.c.customer_id, customer_id),
        (notices.c.device_id, device_id),
        (notices.c.finding_id, finding_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(notices.c.id < after)
    return [Notice(**row) for row in connection.execute(query).mappings()]


def of_findings(connection: Connection, finding_ids: Iterable[int], *, occasion: str = "") -> list[Notice]:
    """The notices about some findings on one occasion, oldest first."""
    found: list[Notice] = []
    for some in batched(finding_ids):
        found.extend(Notice(*row) for row in connection.execute(_OF_FINDINGS, {"some": some, "on": occasion}).all())
    return found


def decided(connection: Connection, finding_ids: Iterable[int], at: datetime) -> set[tuple[int, str]]:
    """(finding, kind) of some findings about which the device's present owner has, or is about to get, a first notice."""
    found: set[tuple[int, str]] = set()
    for some in batched(finding_ids):
        query = _first_of_owners(some, at, (*SPENT, "failed"), notices.c.kind)
        found.update((finding, kind) for finding, kind in connection.execute(query))
    return found


def _first_of_owners(
    finding_ids: Sequence[int], at: datetime, states: Sequence[str], told: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """(finding, ``told``) of the first notices about some findings, in one of ``states``, to who owns the device at that time."""
    theirs = sa.and_(ownerships.c.device_id == notices.c.device_id, ownerships.c.customer_id == notices.c.customer_id)
    return (
        sa.select(notices.c.finding_id, told)
        .join(ownerships, theirs)
        .where(
            notices.c.finding_id.in_(finding_ids),
            notices.c.occasion.in_(FIRST),
            notices.c.state.in_(states),
            ownerships.c.from_at <= at,
            sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > at),
        )
    )


def is_warning(why: Mapping[str, Any] | None) -> bool:
    """Whether a notice with these reasons warned of danger; of one of before reasons were kept that is taken for granted."""
    return why is None or why.get("purpose") == "safety"


def warned(connection: Connection, finding_ids: Iterable[int], at: datetime, states: Sequence[str]) -> set[int]:
    """Those of some findings of whose danger a notice in one of ``states`` warns the device's present owner."""
    found: set[int] = set()
    for some in batched(finding_ids):
        query = _first_of_owners(some, at, states, notices.c.why)
        found.update(finding for finding, why in connection.execute(query) if is_warning(why))
    return found


def told_causes(connection: Connection, device_ids: Iterable[str]) -> set[tuple[str, str | None, str]]:
    """(device, part, customer) of some devices' open tickets about which a customer has, or is about to get, a notice."""
    found: set[tuple[str, str | None, str]] = set()
    for some in batched(device_ids):
        query = (
            sa.select(tickets.c.device_id, tickets.c.part, notices.c.customer_id)
            .join(ticket_findings, ticket_findings.c.ticket_id == tickets.c.id)
            .join(notices, notices.c.finding_id == ticket_findings.c.finding_id)
            .where(
                tickets.c.device_id.in_(some),
                tickets.c.state != "closed",
                notices.c.device_id == tickets.c.device_id,
                notices.c.occasion.in_(FIRST),
                notices.c.state.in_(SPENT),
            )
        )
        found.update((device, part, customer) for device, part, customer in connection.execute(query))
    return found


def about_devices(connection: Connection, device_ids: Iterable[str], since: datetime) -> list[Notice]:
    """Notices about some devices written at or after a time, oldest first."""
    found: list[Notice] = []
    for some in batched(device_ids):
        query = sa.select(*_COLUMNS).where(notices.c.device_id.in_(some), notices.c.created_at >= since)
        found.extend(Notice(**row) for row in connection.execute(query.order_by(notices.c.id)).mappings())
    return found


def in_states(connection: Connection, states: Sequence[str]) -> list[Notice]:
    """Notices in some states, oldest first."""
    query = sa.select(*_COLUMNS).where(notices.c.state.in_(states)).order_by(notices.c.id)
    return [Notice(**row) for row in connection.execute(query).mappings()]


def first_about(connection: Connection, finding_id: int, states: Sequence[str]) -> list[Notice]:
    """Notices in some states that were the first about a finding (no reminders, no ticket updates), oldest first."""
    query = sa.select(*_COLUMNS).where(
        notices.c.finding_id == finding_id, notices.c.occasion == "", notices.c.state.in_(states)
    )
    return [Notice(**row) for row in connection.execute(query.order_by(notices.c.id)).mappings()]


def untold(
    connection: Connection, finding_id: int, *, kind: str, model: str, version: str, at: datetime
) -> list[tuple[str, str]]:
    """(device, customer) of every device on a firmware whose present owner has no notice of this kind about the finding.

    Test devices and removed ones are left out. Ordered by customer and device.
    """
    told = sa.select(notices.c.customer_id).where(
        notices.c.finding_id == finding_id, notices.c.kind == kind, notices.c.occasion == ""
    )
    query = (
        sa.select(devices.c.id, ownerships.c.customer_id)
        .join(ownerships, ownerships.c.device_id == devices.c.id)
        .where(
            devices.c.model == model,
            devices.c.version == version,
            devices.c.test.is_(False),
            sa.or_(devices.c.removed_at.is_(None), devices.c.removed_at > at),
            ownerships.c.from_at <= at,
            sa.or_(ownerships.c.to_at.is_(None), ownerships.c.to_at > at),
            ownerships.c.customer_id.not_in(told),
        )
        .order_by(ownerships.c.customer_id, devices.c.id)
    )
    return [(device, customer) for device, customer in connection.execute(query)]


def overtaken(connection: Connection) -> list[Notice]:
    """Notices that wait to be sent although their finding has recovered, oldest first; of `ASKING` kinds."""
    query = (
        sa.select(*_COLUMNS)
        .join(findings, findings.c.id == notices.c.finding_id)
        .where(
            notices.c.state.in_(("waiting", "held", "queued")),
            notices.c.kind.in_(ASKING),
            findings.c.state == "recovered",
        )
        .order_by(notices.c.id)
    )
    return [Notice(**row) for row in connection.execute(query).mappings()]


def without_all_clear(connection: Connection, since: datetime, *, modes: Sequence[str]) -> list[Notice]:
    """Notices that arrived, whose finding (about a release, or of one of some modes) recovered since a time, and that nobody took back.

    Left out are those whose ticket's end the customer was told. Oldest first.
    """
    later = notices.alias()
    theirs = sa.and_(later.c.customer_id == notices.c.customer_id, later.c.device_id == notices.c.device_id)
    cleared = sa.exists().where(theirs, later.c.cause == notices.c.cause, later.c.kind == "all_clear")
    ended = (
        sa.exists()
        .where(theirs, later.c.kind == "ticket_update", later.c.state != "cancelled")
        .where(later.c.ticket_id == ticket_findings.c.ticket_id)
        .where(ticket_findings.c.finding_id == notices.c.finding_id, later.c.created_at >= findings.c.recovered_at)
    )
    query = (
        sa.select(*_COLUMNS)
        .join(findings, findings.c.id == notices.c.finding_id)
        .where(
            notices.c.state == "sent",
            notices.c.kind.in_(ASKING),
            notices.c.occasion.in_(FIRST),
            findings.c.state == "recovered",
            findings.c.recovered_at >= since,
            sa.or_(findings.c.kind == "cohort", findings.c.mode.in_(modes)),
            sa.not_(cleared),
            sa.not_(ended),
        )
        .order_by(notices.c.id)
    )
    return [Notice(**row) for row in connection.execute(query).mappings()]


def postponed(connection: Connection, before: datetime) -> list[Notice]:
    """Sent notices that a customer answered with ``later`` before a time and whose finding still stands, oldest first."""
    answered = sa.select(notice_events.c.notice_id).where(notice_events.c.what == "later", notice_events.c.at <= before)
    query = (
        sa.select(*_COLUMNS)
        .join(findings, findings.c.id == notices.c.finding_id)
        .where(
            notices.c.state == "sent",
            notices.c.answer == "later",
            notices.c.id.in_(answered),
            findings.c.state.in_(("open", "acknowledged")),
        )
        .order_by(notices.c.id)
    )
    return [Notice(**row) for row in connection.execute(query).mappings()]


def spent(
    connection: Connection, since: datetime, *, home_ids: Iterable[str], customer_ids: Iterable[str]
) -> dict[str, int]:
    """How many notices households got or are about to get, of those written since a time; only `ASKING` ones count.

    By home, and by customer for those notices that name no home; those without any are absent.
    """
    found: dict[str, int] = {}
    homeless = notices.c.home_id.is_(None)
    for column, ids, extra in (
        (notices.c.home_id, home_ids, sa.true()),
        (notices.c.customer_id, customer_ids, homeless),
    ):
        for some in batched(ids):
            query = (
                sa.select(column, sa.func.count())
                .where(
                    column.in_(some),
                    extra,
                    notices.c.created_at >= since,
                    notices.c.state.in_(SPENT),
                    notices.c.kind.in_(ASKING),
                )
                .group_by(column)
            )
            found.update((household, count) for household, count in connection.execute(query))
    return found


def disowned(connection: Connection, device_ids: Iterable[str]) -> set[tuple[str, str]]:
    """(device, customer) pairs where the customer answered that the device is not theirs."""
    found: set[tuple[str, str]] = set()
    for some in batched(device_ids):
        found.update((one, other) for one, other in connection.execute(_DISOWNED, {"some": some}).all())
    return found
