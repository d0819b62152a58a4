"""What a campaign has told its owners so far, as far as it decides what they are told next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hearthwatch.records.campaigns import Member
from hearthwatch.records.notices import CampaignNotice


def repeats(tried: Iterable[CampaignNotice]) -> int:
    """How many of some warnings were repetitions."""
    return sum(bool((one.why or {}).get("repeat")) for one in tried)


def since(member: Member) -> datetime:
    """Since when a device is settled; of one that is not: since when it is concerned."""
    return member.remedied_at or member.joined_at


def cleared_last(kind: str, written: Sequence[CampaignNotice]) -> Mapping[str, set[str]]:
    """By customer: devices of which the last that was sent to them is the all-clear."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in written:
        if one.kind == kind:
            found[one.customer_id] -= set(one.devices)
        elif one.kind == "all_clear" and one.state == "sent":
            found[one.customer_id] |= set(one.devices)
    return found
