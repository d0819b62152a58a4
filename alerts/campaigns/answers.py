"""What owners answer to a campaign on their page: which remedy they choose, or that the device is not theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.campaigns.content import AdvisoryContent, RecallContent, parse
from alerts.notices.campaign_phrases import REMEDY as REMEDIES
from alerts.tickets.ledger import record
from hearthwatch.errors import Conflict, Missing
from hearthwatch.records import campaigns, devices, notices, tickets
from hearthwatch.records.campaigns import Campaign, Member
from hearthwatch.records.tickets import NewTicket
from hearthwatch.values import Notice

PRIORITY = 1
NOT_MINE = "not_mine"


@dataclass(frozen=True, slots=True)
class Concerning:
    """A campaign as its owner's page shows it: the devices of theirs that it concerns, and what they may answer now."""

    campaign: Campaign
    members: tuple[Member, ...]
    choices: tuple[str, ...]
    answered: str | None

    @property
    def settled(self) -> bool:
        """Whether all of their devices are."""
        return all(one.remedied_at is not None for one in self.members)


def concerning(connection: Connection, notice: Notice) -> Concerning | None:
    """The campaign a notice is about; None for any other notice."""
    if notice.campaign_id is None:
        return None
    campaign = campaigns.get(connection, notice.campaign_id)
    told = (notice.why or {}).get("devices") or [notice.device_id]
    members = tuple(campaigns.members(connection, campaign.id, [str(one) for one in told]))
    over = campaign.state != "running" or all(one.remedied_at is not None for one in members)
    return Concerning(campaign, members, () if over else _choices(campaign, notice), notice.answer)


def update_of(connection: Connection, notice: Notice) -> tuple[str, tuple[str, ...]] | None:
    """The version a security notice asks for, and the devices that still need it; None for any other notice."""
    found = concerning(connection, notice)
    if found is None or notice.kind != "advisory" or found.campaign.state != "running":
        return None
    content = parse(found.campaign.kind, found.campaign.content)
    left = tuple(one.device_id for one in found.members if one.remedied_at is None)
    if not isinstance(content, AdvisoryContent) or not content.fixed_version or not left:
        return None
    return content.fixed_version, left


def _choices(campaign: Campaign, notice: Notice) -> tuple[str, ...]:
    content = parse(campaign.kind, campaign.content)
    if notice.kind == "all_clear" or notice.answer == NOT_MINE:
        return ()
    remedies: tuple[str, ...] = ()
    if isinstance(content, RecallContent):
        remedies = tuple(dict.fromkeys(content.remedies))
    elif isinstance(content, AdvisoryContent):
        remedies = ("done",) if not content.fixed_version else ()
    return (*(one for one in remedies if one != notice.answer), NOT_MINE)


def answer(connection: Connection, notice: Notice, choice: str, now: datetime) -> Notice:
    """Note what an owner chose. A remedy becomes a request that staff work off. Raises `Conflict` where it can not be chosen any more."""
    found = concerning(connection, notice)
    if found is None or choice not in found.choices:
        raise Conflict("this can not be done any more")
    actor = f"customer:{notice.customer_id}"
    ids = [one.device_id for one in found.members]
    changed = notices.change(connection, notice.id, None, {"answer": choice})
    notices.note(connection, notice.id, now, choice, actor, {"campaign_id": found.campaign.id})
    campaigns.note(connection, found.campaign.id, now, "answered", actor, {"answer": choice, "devices": ids})
    if choice in REMEDIES:
        for device in ids:
            _request(connection, found.campaign, notice, device, choice, now)
    return changed


def _request(
    connection: Connection, campaign: Campaign, notice: Notice, device: str, choice: str, now: datetime
) -> None:
    """The ticket of a recalled device and its owner; another choice later is noted in it."""
    known = devices.find(connection, [device]).get(device)
    stem = f"campaign:{campaign.id}:{device}:{notice.customer_id}/"
    earlier = tickets.with_stem(connection, stem, kind="request", device_id=device)
    going = next((one for one in earlier if one.state != "closed"), None)
    new = NewTicket(
        cause=going.cause if going else f"{stem}{len(earlier) + 1}",
        kind="request",
        title=f"{device}: {campaign.reference}, {campaign.title}",
        priority=PRIORITY,
        due_at=None,
        device_id=device,
        customer_id=notice.customer_id,
        home_id=notice.home_id,
        model=known.model if known else None,
        source="page",
    )
    actor = f"customer:{notice.customer_id}"
    detail = {"campaign_id": campaign.id, "source": "page"}
    ticket, _ = tickets.open_once(connection, new, actor=actor, now=now, detail=detail)
    record(connection, ticket, "customer", actor, now, {"wish": choice, "campaign_id": campaign.id})


def of_reference(connection: Connection, reference: str) -> Campaign:
    """The advisory that anybody may read under its reference. Raises `Missing` for what never ran or is none."""
    campaign = campaigns.by_reference(connection, reference)
    if campaign.kind != "advisory" or campaign.state not in {"running", "closed"}:
        raise Missing("no such advisory", where=reference)
    return campaign
