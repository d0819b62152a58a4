"""Comparisons within a model by batch, supplier, region or hardware revision: what is being asked, and what was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from analytics.cohorts.dimension_words import spoken
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import compared_name, number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.look_card import look_card
from api.pages.look_tests import ratio_within
from api.pages.tables import table, worded
from api.pages.wording import COLORS, evidence, moment, number
from api.release_verdict import GRAVITY
from api.security import ENGINEERS
from hearthwatch.records import comparison_looks, comparisons
from hearthwatch.records.comparison_looks import ComparisonLook
from hearthwatch.records.comparisons import Comparison

COLUMNS = (
    ("comparison", "Comparison", "left"),
    ("against", "Against", "left"),
    ("verdict", "Verdict", "left"),
    ("metric", "Of what", "left"),
    ("ratio", "Ratio (95 % at all times)", "right"),
    ("e", "Evidence e", "right"),
    ("devices", "Devices / others", "right"),
    ("basis", "Rests on", "left"),
    ("since", "Since", "left"),
    ("state", "State", "left"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A comparison with its newest look per metric."""

    comparison: Comparison
    looks: Sequence[ComparisonLook]

    @property
    def gravest(self) -> ComparisonLook | None:
        """The look that a person should see first."""
        return min(self.looks, key=lambda look: (GRAVITY.index(look.verdict), -look.e), default=None)


async def comparisons_page(visit: Visit) -> None:
    """All comparisons, the newest first, each with its gravest verdict."""
    say = speaker(visit.request)
    asked = await visit.load(_load)
    if not asked:
        sentence(
            say(
                "No comparisons yet. Ask by POST /api/v1/comparisons: a model, by what (hardware, region, made, part:battery, or an "
                "attribute of devices such as batch), and the value that is in question."
            )
        )
        return
    rows = [row(say, one) for one in asked]
    table(worded(say, COLUMNS), rows, links=("comparison",), badges=("verdict", "state"))


def _basis(say: Speaker, look: ComparisonLook | None) -> str:
    """What a look rests on; empty where that is not known."""
    words = {
        "exchangeable": say("association: no device changed it"),
        "own_past": say("each device against its own past"),
        "randomised": say("drawn by lot"),
    }
    return words.get(str(look.detail.get("basis")), "") if look else ""


def row(say: Speaker, one: Asked) -> dict[str, Any]:
    """A comparison as a row of a table."""
    comparison, look = one.comparison, one.gravest
    ended = comparison.ended_at is not None
    return {
        "id": comparison.id,
        "comparison": title(say, comparison),
        "comparison_to": f"/comparisons/{comparison.id}",
        "against": against(say, comparison),
        "verdict": say.word(look.verdict) if look else "",
        "verdict_color": COLORS.get(look.verdict) if look else None,
        "metric": say.word(look.metric) if look else "–",
        "ratio": ratio_within(say, look) if look and look.ratio else "–",
        "e": say(evidence(look.e)) if look else "–",
        "devices": f"{look.devices_treatment} / {look.devices_control}" if look else "–",
        "basis": _basis(say, look) or "–",
        "since": moment(comparison.since),
        "state": say("ended") if ended else say("watched"),
        "state_color": "grey-6" if ended else "primary",
    }


async def comparison_page(visit: Visit) -> None:
    """One comparison: what it asks, what it rests on, and each metric look by look."""
    say = speaker(visit.request)
    comparison, series = await visit.load(_load_one, number_in_path(visit.request, "comparison_id"))
    newest = [looks[-1] for looks in series.values()]
    with card(title(say, comparison)):
        facts(
            {
                say("Against"): against(say, comparison),
                say("Rests on"): _basis(say, next(iter(newest), None)) or say("nothing yet"),
                say("Counts from"): f"{moment(comparison.since)} UTC",
                say("Asked for"): say("{at} UTC by {who}", at=moment(comparison.created_at), who=comparison.created_by),
                say("Ended"): f"{moment(comparison.ended_at)} UTC" if comparison.ended_at else say("not yet"),
            }
        )
        if newest and newest[0].detail.get("basis") == "exchangeable":
            sentence(
                say(
                    "What comes out is an association: no device changed its {name}, so whatever else came along with "
                    "it (age, place, use) is in the difference.",
                    name=say.said(spoken(comparison.by)),
                )
            )
        if series:
            csv = f"/api/v1/comparisons/{comparison.id}/looks.csv"
            ui.link(say("All looks as CSV"), csv).classes("hw-link")
        if visit.person.role in ENGINEERS and comparison.ended_at is None:
            _end(visit.context, say, comparison)
    if not series:
        sentence(say("No look yet: it comes with the next full hour."))
    for look in sorted(newest, key=lambda one: (GRAVITY.index(one.verdict), -one.e)):
        look_card(say, series[look.metric], visit.context.settings, alike=[_alike(say, comparison, look)])


def _alike(say: Speaker, comparison: Comparison, look: ComparisonLook) -> str:
    """Whether the arms were alike before, as far as that can be asked."""
    if look.detail.get("basis") == "exchangeable":
        return say(
            "No device changed its {name}, so there is no time before it to hold against what is seen.",
            name=say.said(spoken(comparison.by)),
        )
    if look.detail.get("arms_drifted"):
        return say(
            "The devices were drifting apart before they changed: what they do now can not be laid to the change."
        )
    since, before = moment(comparison.since), look.detail.get("before")
    told = [say("Each device that changed is held against its own time before {at} UTC.", at=since)]
    if before:
        told.append(say("Then they did it {ratio} times as much as the others.", ratio=number(before)))
    return say.joined(told)


def title(say: Speaker, comparison: Comparison) -> str:
    """What is in question."""
    return compared_name(say, comparison.model, comparison.by, comparison.treatment)


def against(say: Speaker, comparison: Comparison) -> str:
    """What it is compared with."""
    return say(", ").join(comparison.control) or say("all others of the model")


def _end(context: ApiContext, say: Speaker, comparison: Comparison) -> None:
    async def end() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: comparisons.end(c, comparison.id, comparison.revision, now),
            say("The comparison has ended"),
        )

    ui.button(say("End"), on_click=end).props("no-caps outline color=negative")


def _load(context: ApiContext) -> list[Asked]:
    with context.database.reading() as connection:
        asked = comparisons.list_comparisons(connection)
        newest: Mapping[int, list[ComparisonLook]] = defaultdict(list)
        for look in comparison_looks.latest(connection, [one.id for one in asked]):
            newest[look.comparison_id].append(look)
    return [Asked(one, newest[one.id]) for one in asked]


def _load_one(context: ApiContext, identifier: int) -> tuple[Comparison, Mapping[str, list[ComparisonLook]]]:
    with context.database.reading() as connection:
        comparison = comparisons.get(connection, identifier)
        looks = comparison_looks.list_looks(connection, identifier)
    series: dict[str, list[ComparisonLook]] = defaultdict(list)
    for look in looks:
        series[look.metric].append(look)
    return comparison, series
