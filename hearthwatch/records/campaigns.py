"""Recalls and advisories: the campaigns themselves, the devices each one concerns, and an append-only ledger of what was done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Missing
from hearthwatch.records.database import batched, insert_missing, update_at_revision
from hearthwatch.records.tables import campaign_devices, campaign_events, campaigns
from hearthwatch.records.tables.columns import fitted

RECALL, ADVISORY = "recall", "advisory"
REMEDIES = ("update", "repair", "replacement", "refund", "disposed", "not_affected")
"""How a device's part in a campaign ends."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A recall or an advisory. ``state``: draft, submitted, running, closed, dropped. ``content`` is read by `alerts.campaigns.content`."""

    id: int
    reference: str
    kind: str
    state: str
    title: str
    content: Mapping[str, Any]
    created_at: datetime
    created_by: str
    submitted_at: datetime | None
    submitted_by: str | None
    approved_at: datetime | None
    approved_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Member:
    """A device that a campaign concerns. ``remedy`` is how its part in it ended, None while it has not."""

    campaign_id: int
    device_id: str
    joined_at: datetime
    remedied_at: datetime | None
    remedy: str | None
    remedied_by: str | None


@dataclass(frozen=True, slots=True)
class CampaignEvent:
    """One thing that was done with a campaign, and who did it."""

    id: int
    campaign_id: int
    at: datetime
    what: str
    actor: str
    detail: Mapping[str, Any]


_COLUMNS = tuple(campaigns.c[name] for name in Campaign.__dataclass_fields__)
_MEMBER = tuple(campaign_devices.c[name] for name in Member.__dataclass_fields__)


def create(
    connection: Connection,
    *,
    reference: str,
    kind: str,
    title: str,
    content: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Campaign:
    """Write a draft. Raises `Conflict` where the reference is taken."""
    row = {
        "reference": reference,
        "kind": kind,
        "state": "draft",
        "title": title,
        "content": dict(content),
        "created_at": now,
        "created_by": actor,
    }
    if not insert_missing(connection, campaigns, [row]):
        raise Conflict(f"there is a campaign {reference} already", where="reference")
    query = sa.select(*_COLUMNS).where(campaigns.c.reference == reference)
    made = Campaign(**connection.execute(query).mappings().one())
    note(connection, made.id, now, "drafted", actor, {})
    return made


def change(connection: Connection, campaign_id: int, revision: int | None, changes: Mapping[str, Any]) -> Campaign:
    """Change a campaign, at ``revision`` if given. Raises `Missing` or `Stale`."""
    update_at_revision(connection, campaigns, {"id": campaign_id}, revision, changes)
    return get(connection, campaign_id)


def note(
    connection: Connection, campaign_id: int, at: datetime, what: str, actor: str, detail: Mapping[str, Any]
) -> None:
    """Append to the ledger of a campaign."""
    who = fitted(campaign_events.c.actor, actor)
    row = {"campaign_id": campaign_id, "at": at, "what": what, "actor": who, "detail": dict(detail)}
    connection.execute(sa.insert(campaign_events).values(row))


def get(connection: Connection, campaign_id: int) -> Campaign:
    """One campaign. Raises `Missing`."""
    row = connection.execute(sa.select(*_COLUMNS).where(campaigns.c.id == campaign_id)).mappings().one_or_none()
    if row is None:
        raise Missing("no such campaign", where=f"campaign {campaign_id}")
    return Campaign(**row)


def by_reference(connection: Connection, reference: str) -> Campaign:
    """The campaign that its maker calls so. Raises `Missing`."""
    row = connection.execute(sa.select(*_COLUMNS).where(campaigns.c.reference == reference)).mappings().one_or_none()
    if row is None:
        raise Missing("no such campaign", where=reference)
    return Campaign(**row)


def list_campaigns(
    connection: Connection,
    *,
    state: str | None = None,
    kind: str | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Campaign]:
    """Campaigns, newest first; ``after`` is the id to go on from."""
    query = sa.select(*_COLUMNS).order_by(campaigns.c.id.desc()).limit(limit)
    for column, value in ((campaigns.c.state, state), (campaigns.c.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(campaigns.c.id < after)
    return [Campaign(**row) for row in connection.execute(query).mappings()]


def in_state(connection: Connection, *states: str) -> list[Campaign]:
    """All campaigns in some states, oldest first."""
    query = sa.select(*_COLUMNS).where(campaigns.c.state.in_(states)).order_by(campaigns.c.id)
    return [Campaign(**row) for row in connection.execute(query).mappings()]


def events(connection: Connection, campaign_id: int) -> list[CampaignEvent]:
    """What was done with a campaign, oldest first."""
    query = sa.select(campaign_events).where(campaign_events.c.campaign_id == campaign_id)
    rows = connection.execute(query.order_by(campaign_events.c.id)).mappings()
    return [CampaignEvent(**row) for row in rows]


# -- the devices of a campaign


def join(connection: Connection, campaign_id: int, device_ids: Iterable[str], now: datetime) -> int:
    """Note devices that a campaign concerns; those known stay as they are. Returns how many were new."""
    joined = 0
    for some in batched(device_ids):
        rows = [{"campaign_id": campaign_id, "device_id": one, "joined_at": now} for one in some]
        joined += insert_missing(connection, campaign_devices, rows)
    return joined


def members_after(connection: Connection, campaign_id: int, device_id: str | None, *, limit: int) -> list[Member]:
    """So many devices of a campaign after one, by id."""
    query = sa.select(*_MEMBER).where(campaign_devices.c.campaign_id == campaign_id)
    if device_id is not None:
        query = query.where(campaign_devices.c.device_id > device_id)
    rows = connection.execute(query.order_by(campaign_devices.c.device_id).limit(limit)).mappings()
    return [Member(**row) for row in rows]


def members(connection: Connection, campaign_id: int, device_ids: Sequence[str] | None = None) -> list[Member]:
    """The devices of a campaign (or those of them that are asked for), by id."""
    query = sa.select(*_MEMBER).where(campaign_devices.c.campaign_id == campaign_id)
    if device_ids is None:
        rows = connection.execute(query.order_by(campaign_devices.c.device_id)).mappings()
        return [Member(**row) for row in rows]
    found: list[Member] = []
    for some in batched(device_ids):
        rows = connection.execute(query.where(campaign_devices.c.device_id.in_(some))).mappings()
        found.extend(Member(**row) for row in rows)
    return sorted(found, key=lambda one: one.device_id)


def remedy(
    connection: Connection,
    campaign_id: int,
    device_ids: Iterable[str],
    how: str,
    *,
    actor: str,
    now: datetime,
    ticket_id: int | None = None,
) -> list[str]:
    """End some devices' part in a campaign, by the end of a ticket or not; returns those for which it had not ended before."""
    by = actor if ticket_id is None else _of_ticket(ticket_id)
    ended: list[str] = []
    for some in batched(device_ids):
        which = (
            campaign_devices.c.campaign_id == campaign_id,
            campaign_devices.c.device_id.in_(some),
            campaign_devices.c.remedied_at.is_(None),
        )
        values = {"remedied_at": now, "remedy": how, "remedied_by": fitted(campaign_devices.c.remedied_by, by)}
        update = sa.update(campaign_devices).where(*which).values(values).returning(campaign_devices.c.device_id)
        ended.extend(connection.execute(update).scalars())
    if ended:
        shown = sorted(ended)[:100]
        detail: dict[str, Any] = {"remedy": how, "count": len(ended), "devices": shown}
        if ticket_id is not None:
            detail["ticket_id"] = ticket_id
        note(connection, campaign_id, now, "remedied", actor, detail)
    return sorted(ended)


def unremedy(
    connection: Connection, campaign_id: int, device_id: str, *, ticket_id: int, actor: str, now: datetime
) -> bool:
    """Let a device be concerned again whose part in a campaign a ticket had ended. Returns whether that ticket had."""
    which = (
        campaign_devices.c.campaign_id == campaign_id,
        campaign_devices.c.device_id == device_id,
        campaign_devices.c.remedied_by == _of_ticket(ticket_id),
    )
    nothing = dict.fromkeys(("remedied_at", "remedy", "remedied_by"))
    undone = bool(connection.execute(sa.update(campaign_devices).where(*which).values(nothing)).rowcount)
    if undone:
        detail = {"count": 1, "devices": [device_id], "ticket_id": ticket_id}
        note(connection, campaign_id, now, "unremedied", actor, detail)
    return undone


def _of_ticket(ticket_id: int) -> str:
    return f"ticket:{ticket_id}"


def affecting(connection: Connection, device_ids: Iterable[str], now: datetime) -> dict[str, Campaign]:
    """The running campaign that still concerns each of some devices, a recall before an advisory, else the older one.

    Devices without any are absent.
    """
    found: dict[str, Campaign] = {}
    order = (campaigns.c.kind == ADVISORY, campaigns.c.id)
    for some in batched(device_ids):
        query = (
            sa.select(campaign_devices.c.device_id.label("of_device"), *_COLUMNS)
            .join(campaigns, campaigns.c.id == campaign_devices.c.campaign_id)
            .where(
                campaign_devices.c.device_id.in_(some),
                campaign_devices.c.remedied_at.is_(None),
                campaigns.c.state == "running",
                campaigns.c.approved_at <= now,
            )
            .order_by(*order)
        )
        for row in connection.execute(query).mappings():
            found.setdefault(row["of_device"], Campaign(**{name: row[name] for name in Campaign.__dataclass_fields__}))
    return found


def of_devices(connection: Connection, device_ids: Iterable[str]) -> list[tuple[Campaign, Member]]:
    """Every campaign that was approved and concerns or concerned some devices, newest first."""
    found: list[tuple[Campaign, Member]] = []
    for some in batched(device_ids):
        query = (
            sa.select(*(column.label(f"member_{column.name}") for column in _MEMBER), *_COLUMNS)
            .join(campaigns, campaigns.c.id == campaign_devices.c.campaign_id)
            .where(campaign_devices.c.device_id.in_(some), campaigns.c.state.in_(("running", "closed")))
            .order_by(campaigns.c.id.desc(), campaign_devices.c.device_id)
        )
        for row in connection.execute(query).mappings():
            campaign = Campaign(**{name: row[name] for name in Campaign.__dataclass_fields__})
            member = Member(**{name: row[f"member_{name}"] for name in Member.__dataclass_fields__})
            found.append((campaign, member))
    return found
