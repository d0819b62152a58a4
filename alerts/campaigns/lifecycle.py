"""A campaign from draft to end: written, checked, approved by a second person, running, closed. Each step is in its ledger."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from alerts.campaigns.checks import Checked, check
from alerts.campaigns.content import kept, parse
from alerts.campaigns.selection import matching
from alerts.notices.speech import Brand
from hearthwatch.errors import Conflict, Denied, Invalid
from hearthwatch.records import audit, campaigns
from hearthwatch.records.campaigns import REMEDIES, Campaign

SHOWN = 5
"""Problems that an error names."""
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a campaign is called in letters, and in the address of its CSAF document."""


def draft(
    connection: Connection,
    *,
    reference: str,
    kind: str,
    title: str,
    content: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Campaign:
    """Begin a campaign.

    Raises `Invalid` for a reference that is none and a content that names what is not there, `Conflict` for a reference that is taken.
    """
    if REFERENCE.fullmatch(reference) is None:
        raise Invalid("a reference is 1 to 64 letters and digits, with . _ - between them", where="reference")
    made = campaigns.create(
        connection,
        reference=reference,
        kind=kind,
        title=title,
        content=kept(parse(kind, content)),
        actor=actor,
        now=now,
    )
    _audit(connection, made, "draft", actor, now, {"reference": reference, "kind": kind})
    return made


def change(
    connection: Connection,
    campaign_id: int,
    revision: int | None,
    *,
    title: str,
    content: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> Campaign:
    """Write a draft anew. Raises `Conflict` once it was submitted: what is approved is what was looked at."""
    campaign = _in_state(connection, campaign_id, "draft")
    changes = {"title": title, "content": kept(parse(campaign.kind, content))}
    changed = campaigns.change(connection, campaign_id, revision, changes)
    _done(connection, changed, "changed", actor, now, {})
    return changed


def submit(
    connection: Connection, campaign_id: int, revision: int | None, brand: Brand, actor: str, now: datetime
) -> Campaign:
    """Hand a draft to a second person. Raises `Invalid`, which names what softens and what is missing."""
    campaign = _in_state(connection, campaign_id, "draft")
    _must_be_clean(checked(connection, campaign, brand, now))
    changes = {"state": "submitted", "submitted_at": now, "submitted_by": actor}
    changed = campaigns.change(connection, campaign_id, revision, changes)
    _done(connection, changed, "submitted", actor, now, {})
    return changed


def send_back(
    connection: Connection, campaign_id: int, revision: int | None, reason: str, actor: str, now: datetime
) -> Campaign:
    """Make a submitted campaign a draft again."""
    _in_state(connection, campaign_id, "submitted")
    changes = {"state": "draft", "submitted_at": None, "submitted_by": None}
    changed = campaigns.change(connection, campaign_id, revision, changes)
    _done(connection, changed, "returned", actor, now, {"reason": reason})
    return changed


def approve(
    connection: Connection, campaign_id: int, revision: int | None, brand: Brand, actor: str, now: datetime
) -> Campaign:
    """Let a campaign run. Raises `Denied` for whoever submitted it, `Invalid` where it is no longer clean."""
    campaign = _in_state(connection, campaign_id, "submitted")
    if actor == campaign.submitted_by:
        raise Denied("a second person approves it: you submitted it", where=f"campaign {campaign_id}")
    _must_be_clean(checked(connection, campaign, brand, now))
    changes = {"state": "running", "approved_at": now, "approved_by": actor}
    changed = campaigns.change(connection, campaign_id, revision, changes)
    ids = matching(connection, parse(campaign.kind, campaign.content).selection, now)
    campaigns.join(connection, campaign_id, ids, now)
    _done(connection, changed, "approved", actor, now, {"devices": len(ids), "submitted_by": campaign.submitted_by})
    return changed


def close(
    connection: Connection, campaign_id: int, revision: int | None, reason: str, actor: str, now: datetime
) -> Campaign:
    """End a campaign: nobody is written to about it any more but to give the all-clear. Its devices count as concerned no longer."""
    _in_state(connection, campaign_id, "running")
    changes = {"state": "closed", "closed_at": now, "closed_by": actor}
    changed = campaigns.change(connection, campaign_id, revision, changes)
    _done(connection, changed, "closed", actor, now, {"reason": reason})
    return changed


def drop(
    connection: Connection, campaign_id: int, revision: int | None, reason: str, actor: str, now: datetime
) -> Campaign:
    """Give up a campaign that never ran."""
    _in_state(connection, campaign_id, "draft", "submitted")
    changed = campaigns.change(connection, campaign_id, revision, {"state": "dropped"})
    _done(connection, changed, "dropped", actor, now, {"reason": reason})
    return changed


def remedied(
    connection: Connection, campaign_id: int, device_ids: Sequence[str], how: str, actor: str, now: datetime
) -> list[str]:
    """Note that some devices are settled, and how; returns those that were not before.

    Raises `Invalid` for what is no remedy, or a device that the campaign does not concern.
    """
    campaign = _in_state(connection, campaign_id, "running")
    if how not in REMEDIES:
        raise Invalid(f"a remedy is one of {', '.join(REMEDIES)}", where="remedy")
    known = {one.device_id for one in campaigns.members(connection, campaign_id, device_ids)}
    strange = [one for one in device_ids if one not in known]
    if strange:
        raise Invalid(f"the campaign does not concern {strange[0]}", where="devices")
    ended = campaigns.remedy(connection, campaign_id, device_ids, how, actor=actor, now=now)
    _audit(connection, campaign, "remedied", actor, now, {"remedy": how, "devices": len(ended)})
    return ended


def checked(connection: Connection, campaign: Campaign, brand: Brand, now: datetime) -> Checked:
    """What keeps a campaign from being sent."""
    return check(connection, parse(campaign.kind, campaign.content), brand, now)


def _must_be_clean(found: Checked) -> None:
    said = [*map(str, found.softenings), *map(str, found.problems)]
    if said:
        more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        raise Invalid("; ".join(said[:SHOWN]) + more, where="content")


def _in_state(connection: Connection, campaign_id: int, *states: str) -> Campaign:
    campaign = campaigns.get(connection, campaign_id)
    if campaign.state not in states:
        raise Conflict(f"it is {campaign.state}, not {' or '.join(states)}", where=f"campaign {campaign_id}")
    return campaign


def _done(
    connection: Connection, campaign: Campaign, what: str, actor: str, now: datetime, detail: Mapping[str, Any]
) -> None:
    campaigns.note(connection, campaign.id, now, what, actor, detail)
    _audit(connection, campaign, what, actor, now, detail)


def _audit(
    connection: Connection, campaign: Campaign, what: str, actor: str, now: datetime, detail: Mapping[str, Any]
) -> None:
    audit.note(
        connection, at=now, actor=actor, action=f"campaign.{what}", object=f"campaign:{campaign.id}", detail=detail
    )
