"""Whether those who have the release are those whom we drew: only then may the watch treat it as randomised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from analytics.rollouts.outcomes import Course
from hearthwatch.records.rollout_devices import Member
from hearthwatch.records.rollouts import Rollout

ENOUGH = 10
"""Updated devices from which on the claim is looked at."""
UPTAKE_HOURS = 48.0
"""A device that was drawn and is there, and has not updated after so many hours, does not follow the draw."""
_SLACK = timedelta(hours=1)  # an update is known to the hour


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim as it stands: open, followed or withdrawn (which is for good), and why."""

    state: str
    why: str | None


def claim_of(rollout: Rollout, members: Iterable[Member], course: Course) -> Claim:
    """The claim after this look.

    Against it count devices that updated without being drawn, and devices that were drawn and did not update although they were there:
    who refuses is no random choice either.
    """
    if rollout.claim == "withdrawn":
        return Claim("withdrawn", rollout.claim_why)
    updated = early = refused = 0
    for member in members:
        if member.updated_at is not None:
            updated += 1
            early += member.offered_at is None or member.updated_at < member.offered_at - _SLACK
        elif _refused(member, course):
            refused += 1
    if updated < ENOUGH:
        return Claim("open", None)
    deviating = early + refused
    if deviating > rollout.deviation_share * (updated + refused):
        says = (
            f"of {updated} devices that have it {early} were not drawn, and {refused} that were drawn did not take it:"
            f" more than {100 * rollout.deviation_share:.3g} %"
        )
        return Claim("withdrawn", says)
    return Claim(
        "followed",
        f"of {updated} devices that have it {early} were not drawn; {refused} that were drawn did not take it",
    )


def _refused(member: Member, course: Course) -> bool:
    if member.offered_at is None or member.heard_at is None or member.outcome == "left":
        return False
    return course.clock.hours(member.offered_at, member.heard_at) >= UPTAKE_HOURS
