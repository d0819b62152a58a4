"""How far a campaign is: who was reached, who answered, what is settled, and what to do about those nobody reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from alerts.campaigns.content import parse
from alerts.campaigns.selection import matching
from alerts.campaigns.sending import NO_ADDRESS, NOT_THEIRS
from alerts.channels.addresses import usable
from hearthwatch.records import campaigns, customers, notices
from hearthwatch.records.campaigns import Campaign, Member
from hearthwatch.records.customers import Owner
from hearthwatch.records.notices import CampaignNotice

AT_ONCE = 1000
"""Devices looked at in one go where not all of them are wanted."""
WAITING = frozenset({"queued", "held", "waiting"})

TO_DO: Mapping[str, str] = {
    "no_owner": "Nobody is known who has it. Ask the dealer who sold it, and publish the notice: website, social media, "
    "newsletters, shops.",
    "no_address": "No address leads to its owner. Write by post or telephone, and note an address.",
    "refused": "Every address refused the letter. Write by post or telephone, and correct the addresses.",
    "not_theirs": "The customer says that it is not theirs. Find out who has it now.",
}
"""What is to be done about a device that was not reached, by why. Where not all can be told directly, the notice has to be published so
that it reaches as many as possible: Article 35(4) of Regulation (EU) 2023/988."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """A device whose owner was not reached: why (a key of `TO_DO`), and whose it is where that is known."""

    device_id: str
    customer_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign in devices. ``reached`` had a letter delivered to their present owner, ``waiting`` is on its way; the rest is unreached.

    ``answered`` and ``remedied`` are among the affected, whoever was reached. ``answers`` counts what owners chose, ``remedies`` how
    devices were settled.
    """

    affected: int
    reached: int
    waiting: int
    unreached: int
    answered: int
    remedied: int
    answers: Mapping[str, int]
    remedies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """One device of a campaign: its owner, the newest notice to them about it, and how its part ended."""

    member: Member
    owner: Owner | None
    notice: CampaignNotice | None

    @property
    def state(self) -> str:
        """remedied, answered, reached, waiting, or why it was not reached."""
        if self.member.remedied_at is not None:
            return "remedied"
        return self._reach

    @property
    def _reach(self) -> str:
        if self.owner is None:
            return "no_owner"
        if self.notice is None:
            return "waiting" if usable(self.owner.customer.channels) else "no_address"
        if self.notice.answer == "not_mine" or self.notice.reason == NOT_THEIRS:
            return "not_theirs"
        if self.notice.answer is not None:
            return "answered"
        if self.notice.state == "sent":
            return "reached"
        if self.notice.state in WAITING:
            return "waiting"
        return "no_address" if self.notice.reason == NO_ADDRESS else "refused"


def standings(connection: Connection, campaign: Campaign, now: datetime) -> list[Standing]:
    """Every device that a campaign concerns, by id. Before it runs: those that it would."""
    members = _to_be(connection, campaign, now) if _is_to_come(campaign) else campaigns.members(connection, campaign.id)
    return _standings(connection, campaign, members, now)


def standings_after(
    connection: Connection,
    campaign: Campaign,
    now: datetime,
    *,
    after: str | None,
    limit: int,
    unreached_only: bool = False,
) -> list[Standing]:
    """So many of `standings` after a device, asked for alone; ``unreached_only``: of those whose owners were not reached."""
    to_be = [one for one in _to_be(connection, campaign, now) if after is None or one.device_id > after]
    found: list[Standing] = []
    size = AT_ONCE if unreached_only else limit
    while len(found) < limit:
        if _is_to_come(campaign):
            some, to_be = to_be[:size], to_be[size:]
        else:
            some = campaigns.members_after(connection, campaign.id, after, limit=size)
        looked = _standings(connection, campaign, some, now)
        found += [one for one in looked if not unreached_only or one.state in TO_DO]
        if len(some) < size:
            break
        after = some[-1].device_id
    return found[:limit]


def _is_to_come(campaign: Campaign) -> bool:
    return campaign.state in {"draft", "submitted"}


def _to_be(connection: Connection, campaign: Campaign, now: datetime) -> list[Member]:
    """The devices that a campaign would concern if it ran; none of one that does, or did."""
    if not _is_to_come(campaign):
        return []
    ids = matching(connection, parse(campaign.kind, campaign.content).selection, now)
    return [Member(campaign.id, one, now, None, None, None) for one in ids]


def _standings(connection: Connection, campaign: Campaign, members: Sequence[Member], now: datetime) -> list[Standing]:
    owners = customers.owners_of(connection, [one.device_id for one in members], now)
    people = sorted({one.customer.id for one in owners.values()})
    written = notices.of_campaign(connection, campaign.id, people)
    newest = telling(one for one in written if one.kind == campaign.kind)
    found = []
    for member in members:
        owner = owners.get(member.device_id)
        told = newest.get((member.device_id, owner.customer.id)) if owner else None
        found.append(Standing(member, owner, told))
    return found


def telling(written: Iterable[CampaignNotice]) -> dict[tuple[str, str], CampaignNotice]:
    """By device and customer, the notice that tells most about how far they were reached; of notices from the oldest to the newest."""
    found: dict[tuple[str, str], CampaignNotice] = {}
    for notice in written:
        for device in notice.devices:
            found[device, notice.customer_id] = _better(found.get((device, notice.customer_id)), notice)
    return found


def _better(before: CampaignNotice | None, notice: CampaignNotice) -> CampaignNotice:
    """One that was answered, else one that arrived, else the newest."""
    if before is None or (before.answer is None and (before.state != "sent" or notice.state == "sent")):
        return notice
    return before if notice.answer is None else notice


def progress(found: Sequence[Standing]) -> Progress:
    """A campaign in numbers."""
    states = [one.state for one in found]
    answers: dict[str, int] = defaultdict(int)
    remedies: dict[str, int] = defaultdict(int)
    for one in found:
        if one.notice is not None and one.notice.answer is not None:
            answers[one.notice.answer] += 1
        if one.member.remedy is not None:
            remedies[one.member.remedy] += 1
    return Progress(
        affected=len(found),
        reached=sum(one.notice is not None and one.notice.state == "sent" for one in found),
        waiting=states.count("waiting"),
        unreached=sum(state in TO_DO for state in states),
        answered=sum(answers.values()),
        remedied=states.count("remedied"),
        answers=dict(answers),
        remedies=dict(remedies),
    )


def unreached(found: Sequence[Standing]) -> list[Unreached]:
    """The devices whose owners were not reached, each with why."""
    return [
        Unreached(one.member.device_id, one.owner.customer.id if one.owner else None, one.state)
        for one in found
        if one.state in TO_DO
    ]
