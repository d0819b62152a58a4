"""What a survey of the findings brings out: the things to do, each with what is needed to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.policy.decisions import NoticePlan, TicketStep
from alerts.policy.file import SEVERITIES, Rule
from alerts.policy.judgement import Judgement
from hearthwatch.records.customers import Owner
from hearthwatch.records.hold_outs import Why
from hearthwatch.records.policy_decisions import Decision
from hearthwatch.values import Device, Finding, Notice, Release, Ticket


@dataclass(frozen=True, slots=True)
class WorseRelease:
    """A release with a standing finding that calls it worse; ``rule`` is None while none acts on it.

    ``step`` is what happens to its ticket, ``pause`` whether its rollout stops now.
    """

    finding: Finding
    rule: Rule | None
    release: Release
    fix: Release | None
    ticket: Ticket | None
    step: TicketStep = "none"
    pause: bool = False
    engineers: bool = False

    @property
    def asks(self) -> bool:
        """Whether anything is to be done about it but notices."""
        return self.step != "none" or self.pause or self.engineers

    @property
    def has_ticket(self) -> bool:
        """Whether there is, or is about to be, an open ticket that its symptoms can go into."""
        is_open = self.ticket is not None and self.ticket.state != "closed"
        return is_open or self.step in {"open", "reopen"}


@dataclass(frozen=True, slots=True)
class DeviceCase:
    """A device's finding and what happens to its ticket; ``cause`` is the worse release that explains it, if one does.

    ``wants_notice`` says that its present owner does not have the notice yet that its rule asks for. ``held_out``: nobody outside is
    told, by a draw. ``risen``: it became a matter of safety after its ticket was closed, and nobody was warned of that.
    """

    finding: Finding
    rule: Rule
    device: Device | None
    owner: Owner | None
    ticket: Ticket | None
    step: TicketStep
    cause: WorseRelease | None = None
    engineers: bool = False
    wants_notice: bool = False
    held_out: bool = False
    risen: bool = False

    @property
    def gravity(self) -> tuple[int, float, int]:
        """How grave it is, for sorting: the gravest first."""
        return gravity(self.finding)

    @property
    def settled(self) -> bool:
        """Whether a person closed its ticket and nothing since then is news."""
        return self.ticket is not None and self.ticket.state == "closed" and self.step == "none" and not self.risen


@dataclass(frozen=True, slots=True)
class Also:
    """A further finding that the same notice tells of: another device of the household, or another part."""

    finding: Finding
    rule: Rule
    kind: str
    device_id: str
    model: str | None


@dataclass(frozen=True, slots=True)
class NoticeCase:
    """A notice to write, or to bring into another state (``existing``). ``released``: a second person has let it go.

    ``also`` are the household's further findings in the same letter, ``members`` all findings it tells of with their devices, where
    they are several. ``joins``: something goes with a letter that waits to be sent. ``why`` is what is kept of the reasons.
    ``occasion`` tells it from an earlier notice of the same kind about its finding.
    """

    finding: Finding
    rule: Rule
    kind: str
    devices: tuple[str, ...]
    model: str | None
    fix: Release | None
    owner: Owner
    plan: NoticePlan
    existing: Notice | None = None
    released: bool = False
    also: tuple[Also, ...] = ()
    members: tuple[tuple[int, str], ...] = ()
    joins: bool = False
    why: Mapping[str, Any] | None = None
    occasion: str = ""

    @property
    def by_all_channels(self) -> bool:
        """Whether a rule of what it tells of asks for all of the customer's channels at once."""
        return self.rule.all_channels or any(one.rule.all_channels for one in self.also)


@dataclass(frozen=True, slots=True)
class Survey:
    """All there is to do. ``decisions`` are those whose reasons are new, ``decided`` their subjects; ``judged`` says of every
    finding, by its id, what comes of it.

    ``hold`` are cases that begin to be held out now, ``let_go`` findings that end to be, with the reason; ``held_out`` are all that are.
    """

    releases: tuple[WorseRelease, ...] = ()
    devices: tuple[DeviceCase, ...] = ()
    notices: tuple[NoticeCase, ...] = ()
    hold: tuple[DeviceCase, ...] = ()
    let_go: tuple[tuple[int, Why], ...] = ()
    held_out: tuple[DeviceCase, ...] = ()
    decisions: tuple[Decision, ...] = ()
    decided: tuple[str, ...] = ()
    judged: Mapping[int, Judgement] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        asks = any(one.asks for one in self.releases)
        return not (self.notices or self.devices or self.hold or self.let_go or self.decisions or asks)

    @property
    def subjects(self) -> frozenset[str]:
        """The devices and groups that there is something to do about."""
        cases = {case.finding.subject for case in (*self.devices, *self.hold)}
        told = {name for case in self.notices for name in (case.finding.subject, *case.devices)}
        others = {name for case in self.notices for _, name in case.members}
        return frozenset(cases | told | others | set(self.decided))


def gravity(finding: Finding) -> tuple[int, float, int]:
    """How grave a finding is, for sorting: the gravest first, and of those the oldest."""
    return -SEVERITIES.index(finding.severity), -(finding.probability or 0.0), finding.id
