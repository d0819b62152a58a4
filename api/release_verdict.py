"""What is to be said about a release as a whole: the gravest metric first, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from api.levels import Bounds, Levels, bounds, levels
from api.look_view import LookView
from api.policy_words import Say
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.said import Said
from hearthwatch.settings import Settings
from hearthwatch.values import Release

GRAVITY = ("worse", "confounded", "too_early", "same", "better")


class Judged(Protocol):
    """What of a look its sentences need; looks at releases and at other comparisons have it."""

    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """The newest look at a metric, with what it is held against."""

    look: LookView
    levels: Levels
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class ReleaseVerdict:
    """The verdict on a release: that of its gravest metric. ``verdict`` and ``at`` are null before the first look; ``says`` is
    one sentence; ``metrics`` has the gravest first."""

    release: Release
    verdict: str | None
    at: datetime | None
    says: str
    metrics: Sequence[JudgedMetric]


def judged(release: Release, newest: Sequence[CohortLook], settings: Settings, say: Say = Said) -> ReleaseVerdict:
    """The verdict on a release from the newest look at each of its metrics; its sentence by ``say``."""
    ordered = gravest_first(newest)
    return ReleaseVerdict(
        release=release,
        verdict=ordered[0].verdict if ordered else None,
        at=max((look.at for look in ordered), default=None),
        says=sentence(release, ordered, say),
        metrics=[
            JudgedMetric(LookView.of(look), levels(look.detail, settings), bounds(look.detail, settings))
            for look in ordered
        ],
    )


def gravest_first(newest: Sequence[CohortLook]) -> list[CohortLook]:
    """Looks in the order in which a person should see them; of those that are alike, first where there is something to see."""
    return sorted(newest, key=lambda look: (_gravity(look.verdict), look.ratio is None, -look.e))


def sentence(release: Release, ordered: Sequence[CohortLook], say: Say = Said) -> str:
    """The verdict in one sentence. ``ordered`` has the gravest look first."""
    names = {"version": release.version, "control": release.replaces or say("earlier firmware")}
    if not ordered:
        return say(
            "Nothing is known about {version} yet: the first look comes with the full hour after a device runs it.",
            version=release.version,
        )
    word = ordered[0].verdict
    alike = [look for look in ordered if look.verdict == word]
    if word == "worse":
        return say(
            "{version} is worse than {control}: {metrics}{remainder}.",
            **names,
            metrics=_listed(say, alike),
            remainder=_remainder(say, ordered, alike),
        )
    if word == "confounded":
        return say(
            "Whether {version} is worse than {control} can not be told from {metrics}, because the devices that have it "
            "differ from the others by more than the release{remainder}.",
            **names,
            metrics=_names(say, alike),
            remainder=_remainder(say, ordered, alike),
        )
    if word == "too_early":
        return say(
            "It is too early to say whether {version} is worse than {control}{nearest}.",
            **names,
            nearest=_nearest(say, alike),
        )
    return say(
        "{version} is no worse than {control} in anything that is watched: {metrics}.",
        **names,
        metrics=_listed(say, ordered),
    )


def _gravity(word: str) -> int:
    return GRAVITY.index(word) if word in GRAVITY else len(GRAVITY)


def _listed(say: Say, looks: Sequence[CohortLook]) -> str:
    return say(", ").join(f"{metric_words(look.metric, say)} {ratio_words(look, say)}".strip() for look in looks)


def _names(say: Say, looks: Sequence[CohortLook]) -> str:
    *first, last = [metric_words(look.metric, say) for look in looks]
    return say("{first} and {last}", first=say(", ").join(first), last=last) if first else last


def _remainder(say: Say, ordered: Sequence[CohortLook], alike: Sequence[CohortLook]) -> str:
    """What of the rest a reader would otherwise assume."""
    open_ = [look for look in ordered if look not in alike and look.verdict in {"too_early", "confounded"}]
    if not open_:
        return ""
    metrics = _names(say, open_)
    if len(open_) == 1:
        return say("; {metrics} is not settled", metrics=metrics)
    return say("; {metrics} are not settled", metrics=metrics)


def _nearest(say: Say, looks: Sequence[CohortLook]) -> str:
    """How far the metric is that speaks loudest against the release, where a test may speak at all."""
    known = [look for look in looks if look.e > 0 and ratio_words(look)]
    if not known:
        return ""
    loudest = max(known, key=lambda look: look.e)
    if loudest.e >= 1:
        return say("; most speaks against it in {metric}", metric=_listed(say, [loudest]))
    return say("; so far {metric}", metric=_listed(say, [loudest]))


def metric_words(metric: str, say: Say = Said) -> str:
    """A watched metric as it stands in a sentence."""
    return say(metric.replace("_", " "))


def ratio_words(look: CohortLook, say: Say = Said) -> str:
    """The effect with its interval, or nothing where it is not known; of a late regression, what it is since."""
    late = look.detail.get("late")
    if look.verdict == "worse" and late and late_is_worse(late) and not _clears(look):
        return say("× {ratio} since {day}", ratio=f"{late.get('ratio') or float('nan'):.2f}", day=_day(late))
    if look.ratio is None or look.low is None:
        return ""
    return say(
        "× {ratio} (95 %: {low} to {high})",
        ratio=f"{look.ratio:.2f}",
        low=f"{look.low:.2f}",
        high=f"{look.high:.2f}" if look.high is not None else say("any number"),
    )


def _day(late: Mapping[str, Any]) -> str:
    return str(late.get("since"))[:10]


def late_is_worse(late: Mapping[str, Any]) -> bool:
    """Whether the detector of late regressions is loud enough to call it `worse`; ``late`` is that of a look's detail."""
    return bool(late.get("needed")) and (late.get("e") or 0.0) >= late["needed"]


def late_says(look: Judged, say: Say = Said) -> str:
    """What the detector of late regressions has to say, in one sentence; nothing where the watch runs none."""
    late = look.detail.get("late")
    if not late:
        return ""
    if not late.get("alarm"):
        return say("No: nothing suggests that it began well and became worse.")
    told = {
        "since": say(" since {day}", day=_day(late)) if late.get("since") else "",
        "ratio": f" (× {late['ratio']:.2f})" if late.get("ratio") else "",
    }
    if not late_adds(look):
        return say("No: it is as bad{since}{ratio} as over the whole time.", **told)
    if late_is_worse(late):
        return say("Yes: it is worse{since}{ratio} than the control in the same time.", **told)
    return say(
        "Perhaps: it looks worse{since}{ratio}, enough for the watch list but not to be called worse{needed}.",
        **told,
        needed=say(", which takes {e}", e=f"{late['needed']:,.0f}") if late.get("needed") else "",
    )


def late_adds(look: Judged) -> bool:
    """Whether the detector of late regressions alarms and says more than the comparison over the whole time does."""
    late = look.detail.get("late") or {}
    if not late.get("alarm") or late.get("whole"):
        return False
    ratio, less = late.get("ratio"), look.detail.get("direction") == "less"
    beyond = look.low if less else look.high
    if not _clears(look) or ratio is None or beyond is None:
        return True
    return bool(ratio < beyond if less else ratio > beyond)


def _clears(look: Judged) -> bool:
    """Whether the interval of the whole time lies on the worse side of 1."""
    if look.detail.get("direction") == "less":
        return look.high is not None and look.high < 1.0
    return look.low is not None and look.low > 1.0
