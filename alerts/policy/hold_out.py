"""The hold-out: of a small random share of findings nobody outside is told for a while, to learn how often findings are right.

A failure that a notice prevented looks like a false alarm afterwards, and a model that learns from its own success learns that it was
wrong. Of findings that are held out no notice is written and no ticket opens by itself; staff see them, and end the hold-out when they
like. The draw is a hash: it depends on the finding alone, not on when or beside which others it is looked at, and stays when it relapses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import sqrt
from statistics import NormalDist

from sqlalchemy import Connection

from alerts.policy import decisions, notice_survey
from alerts.policy.cases import DeviceCase
from alerts.policy.current_round import Round
from alerts.policy.file import HoldOut as Terms
from alerts.policy.file import Rule
from hearthwatch.failure_modes import LIVENESS_MODES
from hearthwatch.records import audit, hold_outs, models, notices
from hearthwatch.records.hold_outs import HoldOut, Why
from hearthwatch.values import Device, Finding

SAFETY_MODES = frozenset({"overheating"})
_TOLD = frozenset({"sent", "queued", "held"})
_BITS = 53


@dataclass(frozen=True, slots=True)
class Sorted:
    """The cases, those that are held out marked as such; the findings whose hold-out ends, and why; and what is ``known`` of hold-outs
    by finding: one that is marked and not known begins to be held out.
    """

    cases: Sequence[DeviceCase]
    ended: Mapping[int, Why] = field(default_factory=dict)
    known: Mapping[int, HoldOut] = field(default_factory=dict)


def is_drawn(terms: Terms, finding: Finding) -> bool:
    """Whether the draw of a finding, by its device and episode, says that it is held out. The larger the share, the more are, and the
    same ones among them."""
    text = "\0".join((terms.salt, finding.subject, finding.kind, finding.mode, str(finding.episode)))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - _BITS)
    return number < terms.share * 2.0**_BITS


def never(terms: Terms, finding: Finding, rule: Rule, device: Device | None, device_class: str | None) -> str | None:
    """Why a finding may not be held out, or None: what concerns safety is told at once, and what states a fact foretells nothing."""
    if finding.kind not in {"anomaly", "prognosis"} or finding.subject_type != "device":
        return "not about what one device will do"
    if finding.mode in LIVENESS_MODES:
        return "it states what is so already"
    if rule.purpose == "safety" or rule.urgent or finding.mode in SAFETY_MODES:
        return "a matter of safety"
    if device is not None and (device.model in terms.never_models or device_class in terms.never_classes):
        return "a device that safety depends on"
    if finding.severity == "critical" and decisions.part_of(finding) in terms.safety_parts:
        return "critical, and about a part that safety depends on"
    return None


def sort(this: Round, cases: Sequence[DeviceCase]) -> Sorted:
    """Find out which cases are held out. Where a release is the cause, or mends it, owners are told without fail."""
    terms = this.policy.hold_out
    if not terms.share and not (this.live and hold_outs.any_standing(this.connection)):
        return Sorted(cases)
    known = hold_outs.of_findings(this.connection, [case.finding.id for case in cases])
    groups: dict[tuple[str, str], list[DeviceCase]] = {}
    for case in cases:
        groups.setdefault(_cause(case.finding), []).append(case)
    bars = _Bars(this, cases)
    held: set[int] = set()
    ended: dict[int, Why] = dict.fromkeys(hold_outs.overdue(this.connection, this.now), "expired") if this.live else {}
    for group in groups.values():
        standing = [one.finding.id for one in group if _lasts(known.get(one.finding.id))] if this.live else []
        bar = bars.of(group) or _ended_before(group, known)
        if standing and bar is not None:
            ended |= dict.fromkeys(standing, bar)
        elif standing and not ended.keys() & set(standing):
            held |= {case.finding.id for case in group}
        elif not standing and bar is None and _is_new(this, group, known):
            held |= {case.finding.id for case in group} if is_drawn(terms, min(group, key=_age).finding) else set()
    marked = [_held(case, live=this.live) if case.finding.id in held else case for case in cases]
    return Sorted(marked, ended, known)


class _Bars:
    """What forbids that the findings about one cause are held out."""

    def __init__(self, this: Round, cases: Sequence[DeviceCase]) -> None:
        self._terms = this.policy.hold_out
        self._mended = notice_survey.mended(this, cases)
        self._classes = {one.id: one.device_class for one in models.list_models(this.connection)} if cases else {}

    def of(self, group: Sequence[DeviceCase]) -> Why | None:
        """Why none of a group may be held out (any more), as a hold-out's end tells it."""
        if any(self._never(case) for case in group):
            return "grave"
        if any(case.cause is not None or case.finding.id in self._mended for case in group):
            return "explained"
        return None if self._terms.share else "policy"

    def _never(self, case: DeviceCase) -> str | None:
        model = case.device.model if case.device else None
        return never(self._terms, case.finding, case.rule, case.device, self._classes.get(model or ""))


def send_now(connection: Connection, finding_id: int, actor: str, now: datetime) -> HoldOut:
    """End a hold-out for a person: the policy's next round writes the notice and opens the ticket. Audited.

    Raises `Missing` where the finding is not held out, `Conflict` where that has ended.
    """
    ended = hold_outs.end(connection, finding_id, "sent_now", actor, now)
    detail = {"device": ended.device_id, "drawn_at": ended.drawn_at.isoformat()}
    audit.note(connection, at=now, actor=actor, action="hold_out.end", object=f"finding:{finding_id}", detail=detail)
    return ended


@dataclass(frozen=True, slots=True)
class Learned:
    """What the hold-outs say so far: ``known`` came to their end or failed, ``failed`` of them did, ``cut_short`` were ended before and say
    nothing. ``low`` and ``high`` bound the share that fails without a notice (Wilson's interval, 95 %); None while nothing is known.
    """

    standing: int
    known: int
    failed: int
    cut_short: int
    share_failed: float | None
    low: float | None
    high: float | None


def learned(connection: Connection, now: datetime) -> Learned:
    """How often findings were right that nobody outside was told of."""
    judged = hold_outs.judged(connection, now)
    known = [one for one in judged if one.known]
    failed = sum(one.failed_at is not None for one in known)
    standing = sum(one.hold_out.ended_at is None for one in judged)
    cut_short = sum(not one.known and one.hold_out.ended_at is not None for one in judged)
    share = failed / len(known) if known else None
    low, high = _wilson(failed, len(known)) if known else (None, None)
    return Learned(standing, len(known), failed, cut_short, share, low, high)


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927): it holds for few trials and shares near 0."""
    z = NormalDist().inv_cdf(0.975)
    share, spread = hits / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = z * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _cause(finding: Finding) -> tuple[str, str]:
    """What several findings of a device may be about: they are held out together, or a notice about one would tell of the other."""
    return finding.subject, decisions.part_of(finding) or finding.mode


def _age(case: DeviceCase) -> int:
    return case.finding.id


def _lasts(known: HoldOut | None) -> bool:
    return known is not None and known.ended_at is None


def _ended_before(group: Sequence[DeviceCase], known: Mapping[int, HoldOut]) -> Why | None:
    """Why the hold-out of a finding in the group ended: then the others' end too, for whoever was told of one knows of all."""
    return next((one.why_ended for case in group if (one := known.get(case.finding.id)) and one.ended_at), None)


def _is_new(this: Round, group: Sequence[DeviceCase], known: Mapping[int, HoldOut]) -> bool:
    """Whether nothing came of a cause yet, and there is something that would: else there is nothing left to hold out."""
    if any(case.finding.id in known or case.ticket is not None for case in group):
        return False
    if not any(case.rule.notice or case.rule.ticket for case in group):
        return False
    written = notices.of_findings(this.connection, [case.finding.id for case in group])
    return not any(one.state in _TOLD for one in written)


def _held(case: DeviceCase, *, live: bool) -> DeviceCase:
    return replace(case, held_out=True, step="none") if live else replace(case, held_out=True)
