"""Firmware: the releases and their verdicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.context import ApiContext
from api.pages.frame import Visit, sentence
from api.pages.language import Speaker, speaker
from api.pages.look_tests import ratio_within
from api.pages.tables import table, worded
from api.pages.wording import COLORS, evidence, moment
from api.release_verdict import gravest_first, metric_words
from hearthwatch.records import cohort_looks, releases
from hearthwatch.records.cohort_looks import CohortLook
from hearthwatch.values import Release

COLUMNS = (
    ("release", "Release", "left"),
    ("verdict", "Verdict", "left"),
    ("metric", "Seen in", "left"),
    ("ratio", "Ratio to the control (95 %, all looks)", "right"),
    ("e", "Evidence e", "right"),
    ("devices", "Devices, new and control", "right"),
    ("status", "Status", "left"),
    ("assignment", "Waves", "left"),
    ("released", "Released", "left"),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A release with its newest look per metric."""

    release: Release
    looks: Sequence[CohortLook]

    @property
    def gravest(self) -> CohortLook | None:
        """The look that a person should see first."""
        return next(iter(gravest_first(self.looks)), None)


async def releases_page(visit: Visit) -> None:
    """All releases, newest first, each with its gravest verdict."""
    say = speaker(visit.request)
    watched = await visit.load(load_watched)
    if not watched:
        sentence(say("No releases yet. A maker's CI announces them by POST /api/v1/releases."))
        return
    rows = [row(say, one) for one in watched]
    table(worded(say, COLUMNS), rows, links=("release",), badges=("verdict", "status"))


def row(say: Speaker, one: Watched) -> dict[str, Any]:
    """A release as a row of a table."""
    look = one.gravest
    return {
        "id": one.release.id,
        "release": f"{one.release.model} {one.release.version}",
        "release_to": f"/releases/{one.release.id}",
        "verdict": say.word(look.verdict) if look else "",
        "verdict_color": COLORS.get(look.verdict) if look else None,
        "metric": metric_words(look.metric, say) if look else "–",
        "ratio": ratio_within(say, look) if look and look.ratio else "–",
        "e": say(evidence(look.e)) if look else "–",
        "devices": f"{look.devices_treatment} / {look.devices_control}" if look else "–",
        "status": say.word(one.release.status),
        "status_color": COLORS.get(one.release.status),
        "assignment": say.word(one.release.assignment),
        "released": moment(one.release.released_at),
    }


def load_watched(context: ApiContext, model: str | None = None) -> list[Watched]:
    """Releases, of one model or of all, the newest first, each with its newest looks."""
    with context.database.reading() as connection:
        known = releases.list_releases(connection, model=model)
        newest: Mapping[int, list[CohortLook]] = defaultdict(list)
        for look in cohort_looks.latest(connection, [release.id for release in known]):
            newest[look.release_id].append(look)
    ordered = sorted(known, key=lambda release: release.released_at, reverse=True)
    return [Watched(release, newest[release.id]) for release in ordered]
