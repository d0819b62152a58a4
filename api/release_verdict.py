"""What is to be said about a release as a whole: the gravest metric first, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from api.levels import Bounds, Levels, bounds, levels
from api.look_view import LookView
from hearthwatch.records.cohort_looks import CohortLook
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


def judged(release: Release, newest: Sequence[CohortLook], settings: Settings) -> ReleaseVerdict:
    """The verdict on a release from the newest look at each of its metrics."""
    ordered = gravest_first(newest)
    return ReleaseVerdict(
        release=release,
        verdict=ordered[0].verdict if ordered else None,
        at=max((look.at for look in ordered), default=None),
        says=sentence(release, ordered),
        metrics=[
            JudgedMetric(LookView.of(look), levels(look.detail, settings), bounds(look.detail, settings))
            for look in ordered
        ],
    )


def gravest_first(newest: Sequence[CohortLook]) -> list[CohortLook]:
    """Looks in the order in which a person should see them; of those that are alike, first where there is something to see."""
    return sorted(newest, key=lambda look: (_gravity(look.verdict), look.ratio is None, -look.e))


def sentence(release: Release, ordered: Sequence[CohortLook]) -> str:
    """The verdict in one sentence. ``ordered`` has the gravest look first."""
    control = release.replaces or "earlier firmware"
    if not ordered:
        return f"Nothing is known about {release.version} yet: the first look comes with the full hour after a device runs it."
    word = ordered[0].verdict
    alike = [look for look in ordered if look.verdict == word]
    if word == "worse":
        return f"{release.version} is worse than {control}: {_listed(alike)}{_remainder(ordered, alike)}."
    if word == "confounded":
        return (
            f"Whether {release.version} is worse than {control} can not be told from {_names(alike)}, because the devices that have it "
            f"differ from the others by more than the release{_remainder(ordered, alike)}."
        )
    if word == "too_early":
        return f"It is too early to say whether {release.version} is worse than {control}{_nearest(alike)}."
    return f"{release.version} is no worse than {control} in anything that is watched: {_listed(ordered)}."


def _gravity(word: str) -> int:
    return GRAVITY.index(word) if word in GRAVITY else len(GRAVITY)


def _listed(looks: Sequence[CohortLook]) -> str:
    return ", ".join(f"{metric_words(look.metric)} {ratio_words(look)}".strip() for look in looks)


def _names(looks: Sequence[CohortLook]) -> str:
    *first, last = [metric_words(look.metric) for look in looks]
    return f"{', '.join(first)} and {last}" if first else last


def _remainder(ordered: Sequence[CohortLook], alike: Sequence[CohortLook]) -> str:
    """What of the rest a reader would otherwise assume."""
    open_ = [look for look in ordered if look not in alike and look.verdict in {"too_early", "confounded"}]
    return f"; {_names(open_)} {'is' if len(open_) == 1 else 'are'} not settled" if open_ else ""


def _nearest(looks: Sequence[CohortLook]) -> str:
    """How far the metric is that speaks loudest against the release, where a test may speak at all."""
    known = [look for look in looks if look.e > 0 and ratio_words(look)]
    if not known:
        return ""
    loudest = max(known, key=lambda look: look.e)
    return f"; {'most speaks against it in' if loudest.e >= 1 else 'so far'} {_listed([loudest])}"


def metric_words(metric: str) -> str:
    """A watched metric as it stands in a sentence."""
    return metric.replace("_", " ")


def ratio_words(look: CohortLook) -> str:
    """The effect with its interval, or nothing where it is not known; of a late regression, what it is since."""
    late = look.detail.get("late")
    if look.verdict == "worse" and late and late_is_worse(late) and not _clears(look):
        return f"× {late.get('ratio') or float('nan'):.2f} since {str(late.get('since'))[:10]}"
    if look.ratio is None or look.low is None:
        return ""
    return (
        f"× {look.ratio:.2f} (95 %: {look.low:.2f} to {f'{look.high:.2f}' if look.high is not None else 'any number'})"
    )


def late_is_worse(late: Mapping[str, Any]) -> bool:
    """Whether the detector of late regressions is loud enough to call it `worse`; ``late`` is that of a look's detail."""
    return bool(late.get("needed")) and (late.get("e") or 0.0) >= late["needed"]


def late_says(look: Judged) -> str:
    """What the detector of late regressions has to say, in one sentence; nothing where the watch runs none."""
    late = look.detail.get("late")
    if not late:
        return ""
    if not late.get("alarm"):
        return "No: nothing suggests that it began well and became worse."
    since = f" since {str(late['since'])[:10]}" if late.get("since") else ""
    ratio = f" (× {late['ratio']:.2f})" if late.get("ratio") else ""
    if not late_adds(look):
        return f"No: it is as bad{since}{ratio} as over the whole time."
    if late_is_worse(late):
        return f"Yes: it is worse{since}{ratio} than the control in the same time."
    needed = f", which takes {late['needed']:,.0f}" if late.get("needed") else ""
    return f"Perhaps: it looks worse{since}{ratio}, enough for the watch list but not to be called worse{needed}."


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
