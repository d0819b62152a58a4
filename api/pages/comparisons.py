"""Comparisons within a model by batch, supplier, region or hardware revision: what is being asked, and what was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from analytics.cohorts.dimension_words import named, spoken
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.look_card import look_card
from api.pages.tables import table
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
    ("ratio", "Ratio", "right"),
    ("interval", "95 % at all times", "right"),
    ("e", "Evidence e", "right"),
    ("devices", "Devices / others", "right"),
    ("basis", "Rests on", "left"),
    ("since", "Since", "left"),
    ("state", "State", "left"),
)
BASES = {
    "exchangeable": "association: no device changed it",
    "own_past": "each device against its own past",
    "randomised": "drawn by lot",
}


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
    asked = await visit.load(_load)
    if not asked:
        sentence(
            "No comparisons yet. Ask by POST /api/v1/comparisons: a model, by what (hardware, region, made, part:battery, or an "
            "attribute of devices such as batch), and the value that is in question."
        )
        return
    table(COLUMNS, [row(one) for one in asked], links=("comparison",), badges=("verdict", "state"))


def row(one: Asked) -> dict[str, Any]:
    """A comparison as a row of a table."""
    comparison, look = one.comparison, one.gravest
    ended = comparison.ended_at is not None
    return {
        "id": comparison.id,
        "comparison": title(comparison),
        "comparison_to": f"/comparisons/{comparison.id}",
        "against": against(comparison),
        "verdict": look.verdict.replace("_", " ") if look else "",
        "verdict_color": COLORS.get(look.verdict) if look else None,
        "metric": look.metric.replace("_", " ") if look else "–",
        "ratio": f"× {number(look.ratio)}" if look and look.ratio else "–",
        "interval": f"{number(look.low)} to {number(look.high)}" if look and look.low is not None else "–",
        "e": evidence(look.e) if look else "–",
        "devices": f"{look.devices_treatment} / {look.devices_control}" if look else "–",
        "basis": BASES.get(str(look.detail.get("basis")), "–") if look else "–",
        "since": moment(comparison.since),
        "state": "ended" if ended else "watched",
        "state_color": "grey-6" if ended else "primary",
    }


async def comparison_page(visit: Visit) -> None:
    """One comparison: what it asks, what it rests on, and each metric look by look."""
    comparison, series = await visit.load(_load_one, number_in_path(visit.request, "comparison_id"))
    newest = [looks[-1] for looks in series.values()]
    basis = next((str(look.detail.get("basis")) for look in newest), "")
    with card(title(comparison)):
        facts(
            {
                "Against": against(comparison),
                "Rests on": BASES.get(basis, "nothing yet"),
                "Counts from": f"{moment(comparison.since)} UTC",
                "Asked": f"{moment(comparison.created_at)} UTC by {comparison.created_by}",
                "Ended": f"{moment(comparison.ended_at)} UTC" if comparison.ended_at else "no",
            }
        )
        if basis == "exchangeable":
            sentence(
                f"What comes out is an association: no device changed its {spoken(comparison.by)}, so whatever else came along with "
                "it (age, place, use) is in the difference."
            )
        if series:
            ui.link("All looks as CSV", f"/api/v1/comparisons/{comparison.id}/looks.csv").classes("hw-link")
        if visit.person.role in ENGINEERS and comparison.ended_at is None:
            _end(visit.context, comparison)
    if not series:
        sentence("No look yet: it comes with the next full hour.")
    for look in sorted(newest, key=lambda one: (GRAVITY.index(one.verdict), -one.e)):
        look_card(series[look.metric], visit.context.settings, alike=[_alike(comparison, look)])


def _alike(comparison: Comparison, look: ComparisonLook) -> str:
    """Whether the arms were alike before, as far as that can be asked."""
    if look.detail.get("basis") == "exchangeable":
        return f"No device changed its {spoken(comparison.by)}, so there is no time before it to hold against what is seen."
    if look.detail.get("arms_drifted"):
        return "The devices were drifting apart before they changed: what they do now can not be laid to the change."
    before = look.detail.get("before")
    told = f" Then they did it {number(before)} times as much as the others." if before else ""
    return f"Each device that changed is held against its own time before {moment(comparison.since)} UTC.{told}"


def title(comparison: Comparison) -> str:
    """What is in question."""
    return f"{comparison.model}, {named(comparison.by, comparison.treatment)}"


def against(comparison: Comparison) -> str:
    """What it is compared with."""
    return ", ".join(comparison.control) or "all others of the model"


def _end(context: ApiContext, comparison: Comparison) -> None:
    async def end() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: comparisons.end(c, comparison.id, comparison.revision, now),
            "The comparison has ended",
        )

    ui.button("End", on_click=end).props("no-caps outline color=negative")


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
