"""Continue, hold or stop: what the gate decides from what is known at a look. Pure, so that it can be replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.rollouts.gate_words import number, opens_with, percent, too_small
from analytics.rollouts.shares import at_least, trials_needed
from analytics.rollouts.silence import Silence
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.records.rollouts import Rollout, Wave
from hearthwatch.said import Said

LONG_BLIND_H = 1.0
"""So long a blindness only delays the judgement; a longer one holds the roll-out."""
LOOK_EVERY_H = 26.0
"""The watch looks every hour, later every day; a wave does not pass on a verdict that is older."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The open wave in numbers. ``due`` devices updated at least the required healthy hours ago, whatever became of them."""

    devices: int = 0
    offered: int = 0
    deferred: int = 0
    updated: int = 0
    due: int = 0
    successes: int = 0
    silent: int = 0
    unhealthy: int = 0

    @property
    def failures(self) -> int:
        """Updated devices that fell silent or are not healthy."""
        return self.silent + self.unhealthy


@dataclass(frozen=True, slots=True)
class Known:
    """All that a judgement rests on.

    ``hours``: how long the open wave has been heard; ``unlooked_hours``: how long the watch has not looked at the release since;
    ``blind_hours``: how long nobody is heard now, None while we hear. ``overruled``: codes of holds and stops that a person has overruled
    in this wave, with what they were about.
    """

    rollout: Rollout
    waves: Sequence[Wave]
    release_status: str
    version: str
    tally: Tally
    silence: Silence
    took: int
    looks: Sequence[CohortLook]
    hours: float
    unlooked_hours: float = 0.0
    blind_hours: float | None = None
    overruled: frozenset[tuple[str, str]] = frozenset()

    @property
    def open_wave(self) -> Wave | None:
        """The newest open wave."""
        opened = [one for one in self.waves if one.opened_at is not None]
        return opened[-1] if opened else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with its reasons, a sentence each, and numbers. ``about``: what a person overrules with it; ``opens``: the wave that it
    opens."""

    decision: str
    code: str
    said: Sequence[Said]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""
    opens: int | None = None

    @property
    def why(self) -> str:
        """The reasons in English."""
        return " ".join(self.said)


def judge(known: Known) -> Judgement | None:
    """The decision of this look; None where nothing can be judged: the gate is not in charge, or nobody is heard for the moment."""
    if known.rollout.status not in {"planned", "running", "held"}:
        return None
    if known.release_status == "withdrawn":
        return Judgement("stop", "withdrawn", [Said("{version} was withdrawn.", version=known.version)])
    if known.blind_hours is not None:
        return _while_blind(known.blind_hours)
    for alarm in (_silent, _worse, _failing, _watched):
        found = alarm(known)
        if found is not None and not _overruled(known, found.code, found.about):
            return found
    if known.release_status == "paused":
        says = Said("The release {version} is paused.", version=known.version)
        return Judgement("hold", "release_paused", [says], evidence(known))
    wave = known.open_wave
    if wave is None:
        return Judgement("continue", "started", [opens_with(known.waves[0])], evidence(known), opens=1)
    waits = _waits(known, wave)
    if waits is not None and known.rollout.status == "held":
        return Judgement("continue", "resumed", [Said("The reason to hold is gone."), *waits.said], waits.evidence)
    return waits or _passes(known, wave)


def _overruled(known: Known, code: str, about: str = "") -> bool:
    return (code, about) in known.overruled


def _while_blind(hours: float) -> Judgement | None:
    if hours < LONG_BLIND_H:
        return None
    said = Said("Nobody is heard, so nothing is judged: it is our own outage, and the wave's clock stands still.")
    return Judgement("hold", "blind", [said], {"blind": True})


def _silent(known: Known) -> Judgement | None:
    """Bricked devices are the worst case: evidence against the control that is heard at the same time, and more than is declared."""
    limit, silence = 1.0 / known.rollout.alpha, known.silence
    share = silence.share(known.took)
    if silence.e < limit or share <= known.rollout.silence_share:
        return None
    says = Said(
        "{silent} devices of the open wave fell silent where {expected} would have at the rate of the others (e = {e}): {share} of those "
        "that took it, more than {allowed}.",
        silent=silence.treated_events,
        expected=f"{silence.expected:.1f}",
        e=number(silence.e),
        share=percent(share),
        allowed=percent(known.rollout.silence_share),
    )
    return Judgement("stop", "silence", [says], evidence(known))


def _worse(known: Known) -> Judgement | None:
    worse = [look for look in known.looks if look.verdict == "worse" and not _overruled(known, "worse", look.metric)]
    if not worse:
        return None
    look = max(worse, key=lambda one: one.e)
    named: dict[str, object] = {"version": known.version, "metric": Said(look.metric), "e": number(look.e)}
    if look.ratio is None:
        says = Said("{version} is worse by {metric} (e = {e}).", **named)
    else:
        says = Said(
            "{version} is worse by {metric} {ratio} times as often as its control (e = {e}).",
            **named,
            ratio=f"{look.ratio:.2f}",
        )
    return Judgement("stop", "worse", [says], evidence(known), about=look.metric)


def _failing(known: Known) -> Judgement | None:
    wave, tally = known.open_wave, known.tally
    if wave is None or tally.updated == 0:
        return None
    failing = at_least(tally.failures, tally.updated, known.rollout.alpha)
    if failing <= 1.0 - wave.success_share:
        return None
    says = Said(
        "{failures} of {updated} updated devices failed ({silent} silent, {unhealthy} not healthy): surely more than {failing}, "
        "and at most {allowed} may.",
        failures=tally.failures,
        updated=tally.updated,
        silent=tally.silent,
        unhealthy=tally.unhealthy,
        failing=percent(failing),
        allowed=percent(1.0 - wave.success_share),
    )
    return Judgement("stop", "failures", [says], evidence(known))


def _watched(known: Known) -> Judgement | None:
    for look in known.looks:
        late = look.detail.get("late")
        if isinstance(late, Mapping) and late.get("alarm") and not _overruled(known, "late_alarm", look.metric):
            says = Said(
                "A late regression shows in {metric}: it began some time after the update.", metric=Said(look.metric)
            )
            return Judgement("hold", "late_alarm", [says], evidence(known), about=look.metric)
        if (
            look.detail.get("watch_list")
            and look.verdict != "worse"
            and not _overruled(known, "watch_list", look.metric)
        ):
            says = Said(
                "{metric} is on the watch list (e = {e}): more evidence decides.",
                metric=Said(look.metric),
                e=number(look.e),
            )
            return Judgement("hold", "watch_list", [says], evidence(known), about=look.metric)
    return None


def _waits(known: Known, wave: Wave) -> Judgement | None:
    tally = known.tally
    if known.hours < wave.min_hours:
        says = Said(
            "Wave {wave} is heard for {hours} hours before it can pass.", wave=wave.number, hours=f"{wave.min_hours:g}"
        )
        return Judgement("hold", "min_hours", [says], evidence(known))
    if known.unlooked_hours > LOOK_EVERY_H:
        says = Said(
            "The watch has not looked at {version} for {hours} hours: without its verdict no wave passes.",
            version=known.version,
            hours=f"{LOOK_EVERY_H:g}",
        )
        return Judgement("hold", "no_look", [says], evidence(known))
    if tally.successes < wave.min_successes:
        says = Said(
            "Wave {wave} needs {devices} devices that are healthy for {hours} hours.",
            wave=wave.number,
            devices=wave.min_successes,
            hours=f"{known.rollout.healthy_hours:g}",
        )
        return Judgement("hold", "successes", [says, *_never_enough(known, wave)], evidence(known))
    if at_least(tally.successes, tally.due, known.rollout.alpha) < wave.success_share:
        says = Said(
            "Wave {wave} has not shown yet that surely {share} of its updates succeed.",
            wave=wave.number,
            share=percent(wave.success_share),
        )
        return Judgement("hold", "success_share", [says, *_never_enough(known, wave)], evidence(known))
    return None


def _never_enough(known: Known, wave: Wave) -> Sequence[Said]:
    """What to tell where the wave is too small to pass whatever happens."""
    needed = max(wave.min_successes, trials_needed(wave.success_share, known.rollout.alpha))
    if known.tally.devices >= needed:
        return ()
    return (too_small(known.tally.devices, needed),)


def _passes(known: Known, wave: Wave) -> Judgement:
    tally = known.tally
    passed = Said(
        "Wave {wave} passed: {successes} of {due} updates succeeded, surely at least {share}.",
        wave=wave.number,
        successes=tally.successes,
        due=tally.due,
        share=percent(at_least(tally.successes, tally.due, known.rollout.alpha)),
    )
    if wave.number == len(known.waves):
        return Judgement("continue", "complete", [passed, Said("It was the last.")], evidence(known))
    following = known.waves[wave.number]
    return Judgement(
        "continue", "wave_passed", [passed, opens_with(following)], evidence(known), opens=following.number
    )


def evidence(known: Known) -> dict[str, Any]:
    """The numbers behind a decision."""
    tally, alpha = known.tally, known.rollout.alpha
    wave = known.open_wave
    return {
        "hours": round(known.hours, 2),
        "devices": tally.devices,
        "offered": tally.offered,
        "deferred": tally.deferred,
        "updated": tally.updated,
        "due": tally.due,
        "successes": tally.successes,
        "silent": tally.silent,
        "unhealthy": tally.unhealthy,
        "success_at_least": round(at_least(tally.successes, max(tally.due, tally.successes), alpha), 4),
        "failure_at_least": round(at_least(tally.failures, max(tally.updated, tally.failures), alpha), 4),
        "success_required": wave.success_share if wave else None,
        "silence": {
            "e": float(f"{known.silence.e:.4g}"),
            "threshold": 1.0 / alpha,
            "silent": known.silence.treated_events,
            "expected": round(known.silence.expected, 2),
            "control_silent": known.silence.control_events,
            "share": round(known.silence.share(known.took), 4),
            "allowed": known.rollout.silence_share,
        },
        "claim": known.rollout.claim,
        "looks": [
            {
                "metric": look.metric,
                "at": look.at.isoformat(),
                "verdict": look.verdict,
                "e": float(f"{look.e:.4g}"),
                "ratio": look.ratio,
                "low": look.low,
                "high": look.high,
            }
            for look in known.looks
        ],
    }
