"""Sends what running campaigns ask for: to every present owner at once, again to those who did not answer, and the all-clear at the end.

The General Product Safety Regulation wants every owner that can be identified notified directly and without undue delay (Article 35(1)), so
quiet hours, budgets and what was agreed to do not count; the outbox's brake does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from alerts.campaigns import letters, said_before
from alerts.campaigns.content import AdvisoryContent, Content, parse
from alerts.campaigns.selection import matching
from alerts.channels.addresses import usable
from alerts.notices import issue
from alerts.notices.issue import Draft, Mail, product_name
from alerts.notices.subjects import Subject
from alerts.policy.decisions import NoticePlan
from alerts.policy.file import Policy
from alerts.policy.quiet import next_allowed, zone
from hearthwatch.firmware import version
from hearthwatch.records import campaigns, customers, devices, notices
from hearthwatch.records.campaigns import Campaign, Member
from hearthwatch.records.customers import Owner
from hearthwatch.records.database import batched
from hearthwatch.records.notices import CampaignNotice
from hearthwatch.values import Device, Notice

BY = "campaign"
ALL_CLEAR_WITHIN = timedelta(days=30)
"""How long after its closing a campaign still gives the all-clear."""
REPEAT = "repeat:"
AGAIN = "again:"
AT_ONCE = 250
"""Notices written in one transaction."""
NO_ADDRESS = "no address that a channel serves"
Pairs = Set[tuple[str, str]]
NOT_THEIRS = "the customer said that it is not their device"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A notice that a campaign wants written; ``existing`` is one that could not be sent before and can be now."""

    draft: Draft
    existing: Notice | None = None


@dataclass(frozen=True, slots=True)
class Todo:
    """What is to be done for one campaign: devices that join it, devices that an update has settled, notices to write."""

    campaign: Campaign
    joining: tuple[str, ...]
    updated: tuple[str, ...]
    notices: tuple[Wanted, ...]

    @property
    def idle(self) -> bool:
        """Whether there is nothing."""
        return not (self.joining or self.updated or self.notices)


def due(connection: Connection, policy: Policy, mail: Mail, now: datetime) -> list[Todo]:
    """What running campaigns, and those closed lately, ask for now; changes nothing."""
    found = []
    for campaign in campaigns.in_state(connection, "running", "closed"):
        if campaign.state == "running" or (campaign.closed_at or now) > now - ALL_CLEAR_WITHIN:
            todo = _of(connection, campaign, policy, mail, now)
            found.extend([] if todo.idle else [todo])
    return found


def parts(todos: Iterable[Todo]) -> Iterator[Todo]:
    """The same in parts of bounded size, for a transaction each: others that write need not wait for a whole recall."""
    for todo in todos:
        first, *others = list(batched(todo.notices, AT_ONCE)) or [[]]
        yield replace(todo, notices=tuple(first))
        for some in others:
            yield replace(todo, joining=(), updated=(), notices=tuple(some))


def carry_out(
    connection: Connection, todos: Sequence[Todo], policy: Policy, mail: Mail, *, policy_version: int, now: datetime
) -> Counter[str]:
    """Do it, whatever of it is not done yet. Returns counts: devices joined and settled, notices by their state."""
    done: Counter[str] = Counter()
    for todo in todos:
        if campaigns.get(connection, todo.campaign.id).state != todo.campaign.state:
            continue  # it was closed in between
        joined = campaigns.join(connection, todo.campaign.id, todo.joining, now)
        if joined:
            detail = {"count": joined, "devices": list(todo.joining[:100])}
            campaigns.note(connection, todo.campaign.id, now, "joined", BY, detail)
        done["joined"] += joined
        done["settled"] += len(
            campaigns.remedy(connection, todo.campaign.id, todo.updated, "update", actor=BY, now=now)
        )
        for wanted in todo.notices:
            notice = _write(connection, wanted, policy, mail, policy_version, now)
            if notice is not None:
                done[notice.state] += 1
    return done


def _write(
    connection: Connection, wanted: Wanted, policy: Policy, mail: Mail, policy_version: int, now: datetime
) -> Notice | None:
    if wanted.existing is not None:
        if notices.get(connection, wanted.existing.id).revision != wanted.existing.revision:
            return None
        return issue.bring(
            connection, wanted.existing, wanted.draft, policy, mail, policy_version=policy_version, now=now
        )
    return issue.issue(connection, wanted.draft, policy, mail, policy_version=policy_version, now=now)


def _of(connection: Connection, campaign: Campaign, policy: Policy, mail: Mail, now: datetime) -> Todo:
    content = parse(campaign.kind, campaign.content)
    members = {one.device_id: one for one in campaigns.members(connection, campaign.id)}
    running = campaign.state == "running"
    fitting = matching(connection, content.selection, now) if running else []
    joining = tuple(one for one in fitting if one not in members)
    known = devices.find(connection, [*members, *joining])
    updated = _updated(content, members, known) if running else ()
    this = _Round(connection, campaign, content, policy, mail, now, known)
    standing = [one for one, member in members.items() if member.remedied_at is None and one not in updated]
    written = notices.of_campaign(connection, campaign.id)
    wanted = this.warnings([*standing, *joining], written) if running else []
    settled = {one: member for one, member in members.items() if member.remedied_at is not None}
    settled |= {one: replace(members[one], remedy="update", remedied_at=now) for one in updated}
    wanted += this.all_clears(settled, written)
    return Todo(campaign, joining, updated, tuple(wanted))


def _updated(content: Content, members: Mapping[str, Member], known: Mapping[str, Device]) -> tuple[str, ...]:
    """Devices that run a version which mends it by now."""
    if not isinstance(content, AdvisoryContent) or not content.fixed_version:
        return ()
    least = version(content.fixed_version).key
    return tuple(
        name
        for name, member in sorted(members.items())
        if member.remedied_at is None and name in known and version(known[name].firmware or "").key >= least
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """One look at one campaign."""

    connection: Connection
    campaign: Campaign
    content: Content
    policy: Policy
    mail: Mail
    now: datetime
    known: Mapping[str, Device]

    def warnings(self, standing: Sequence[str], written: Sequence[CampaignNotice]) -> list[Wanted]:
        """First notices, later tries of those that found no address, and repeated ones; at once where the all-clear came too early."""
        owners = customers.owners_of(self.connection, standing, self.now)
        disowned = notices.disowned(self.connection, standing)
        before: dict[str, list[CampaignNotice]] = defaultdict(list)
        for one in written:
            if one.kind == self.campaign.kind:
                before[one.customer_id].append(one)
        cleared = said_before.cleared_last(self.campaign.kind, written)
        theirs: dict[str, list[str]] = defaultdict(list)
        for device in sorted(owners):
            theirs[owners[device].customer.id].append(device)
        found: list[Wanted] = []
        for customer, ids in theirs.items():
            told = {device for one in before[customer] for device in one.devices}
            fresh = [one for one in ids if one not in told]
            if fresh:
                found.append(self._warning(fresh, owners[fresh[0]], disowned))
            misled = [one for one in ids if one in told and one in cleared[customer]]
            if misled:
                repeat = 1 + said_before.repeats(before[customer])
                found.append(self._warning(misled, owners[misled[0]], disowned, repeat=repeat))
            else:
                found.extend(self._again(ids, before[customer], owners[ids[0]], disowned))
        return found

    def _warning(
        self,
        ids: Sequence[str],
        owner: Owner,
        disowned: Pairs,
        *,
        repeat: int = 0,
        existing: CampaignNotice | None = None,
    ) -> Wanted:
        about = [self.known[one] for one in ids]
        language, told = letters.subject(
            self.campaign, self.content, owner.customer.language, about, self.mail, repeated=repeat > 0
        )
        draft = Draft(
            notices.cause_of(campaign_id=self.campaign.id),
            ids[0],
            self.campaign.kind,
            f"{REPEAT}{repeat}" if repeat else "",
            owner,
            told,
            self._plan(ids, owner, disowned),
            urgent=True,
            purpose=None,
            language=language,
            campaign_id=self.campaign.id,
            why=self._why(ids, repeat=repeat),
        )
        return Wanted(draft, notices.get(self.connection, existing.id) if existing else None)

    def _why(self, ids: Sequence[str], **more: Any) -> dict[str, Any]:
        return {"campaign": self.campaign.reference, "devices": list(ids), "purpose": "safety", **more}

    def _plan(self, ids: Sequence[str], owner: Owner, disowned: Pairs) -> NoticePlan:
        if all((one, owner.customer.id) in disowned for one in ids):
            return NoticePlan("suppressed", NOT_THEIRS, self.now)
        if not usable(owner.customer.channels):
            return NoticePlan("suppressed", NO_ADDRESS, self.now)
        return NoticePlan("queued", None, self.now)

    def _again(
        self, ids: Sequence[str], before: Sequence[CampaignNotice], owner: Owner, disowned: Pairs
    ) -> Iterator[Wanted]:
        if usable(owner.customer.channels):
            for one in before:
                left = [device for device in one.devices if device in ids]
                if left and (one.state, one.reason) == ("suppressed", NO_ADDRESS):
                    yield self._warning(left, owner, disowned, existing=one)
        tried = [one for one in before if one.state in {"sent", "failed", "queued"}]
        left = [device for device in ids if any(device in one.devices for one in tried)]
        repeated = said_before.repeats(tried)
        if left and repeated < self.content.repeats and self._unanswered(tried):
            yield self._warning(left, owner, disowned, repeat=repeated + 1)

    def _unanswered(self, tried: Sequence[CampaignNotice]) -> bool:
        """Whether nobody has answered any of these, and the newest is as old as the campaign says."""
        newest = max(one.created_at for one in tried)
        waited = self.now - newest >= timedelta(days=self.content.repeat_days)
        return waited and all(one.answer is None for one in tried)

    def all_clears(self, settled: Mapping[str, Member], written: Sequence[CampaignNotice]) -> list[Wanted]:
        """To whoever was warned of a device that is settled now, unless it is somebody else's by now.

        A device may be settled again, after its case was opened again: then what was said of the first time does not count.
        """
        before = [one for one in written if one.kind == "all_clear"]
        times = Counter((device, one.customer_id) for one in before for device in one.devices)
        cleared = {
            (device, one.customer_id)
            for one in before
            for device in one.devices
            if one.state != "cancelled" and device in settled and one.created_at >= said_before.since(settled[device])
        }
        warned = {
            (device, one.customer_id): one
            for one in written
            if one.kind == self.campaign.kind and one.state == "sent"
            for device in one.devices
        }
        left = {key: one for key, one in warned.items() if key[0] in settled and key not in cleared}
        owners = customers.owners_of(self.connection, sorted({device for device, _ in left}), self.now)
        found = []
        for (device, customer), notice in sorted(left.items()):
            remedy, again = settled[device].remedy or "", times[device, customer]
            owner, over = owners.get(device), self._over(remedy)
            if over is not None and (owner is None or owner.customer.id == customer):
                found.append(Wanted(self._all_clear(device, remedy, over, owner or self._as_then(notice), again)))
        return found

    def _over(self, remedy: str) -> str | None:
        """What is said to be over; None where nothing of the kind can be said."""
        if self.campaign.kind == "recall":
            return f"recall/{remedy}"
        if remedy == "not_affected":
            return "advisory/not_affected"
        return "advisory" if remedy in {"update", "repair", "replacement"} else None

    def _as_then(self, notice: CampaignNotice) -> Owner:
        home = customers.get_home(self.connection, notice.home_id) if notice.home_id else None
        return Owner(customers.get_customer(self.connection, notice.customer_id), home)

    def _all_clear(self, device: str, remedy: str, over: str, owner: Owner, again: int) -> Draft:
        hours = self.policy.quiet_hours
        at_home = zone(owner.home.timezone if owner.home else None, hours.timezone)
        plan = NoticePlan("queued", None, next_allowed(self.now, hours.start, hours.end, at_home))
        if not usable(owner.customer.channels):
            plan = replace(plan, state="suppressed", reason=NO_ADDRESS)
        product = self.content.product or product_name(self.connection, self.known[device].model)
        return Draft(
            notices.cause_of(campaign_id=self.campaign.id),
            device,
            "all_clear",
            f"{AGAIN}{again}" if again else "",
            owner,
            Subject("all_clear", "", product, (device,), over=over),
            plan,
            purpose=None,
            campaign_id=self.campaign.id,
            why=self._why([device], remedy=remedy),
        )
