"""Trained models: which work, how they do, and what was decided of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.context import ApiContext
from api.pages.frame import Visit, card, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table, worded
from api.pages.wording import evidence, moment, number
from hearthwatch.records import model_decisions, model_looks, model_versions
from hearthwatch.records.model_decisions import ModelDecision
from hearthwatch.records.model_looks import ModelLook
from hearthwatch.records.model_versions import ModelVersion

SHOWN_RETIRED = 50
SHOWN_DECISIONS = 50
COLORS = {
    "champion": "positive",
    "challenger": "primary",
    "retired": "grey-6",
    "promoted": "positive",
    "restored": "positive",
    "registered": "primary",
    "demoted": "negative",
    "alarm": "warning",
}
MACHINES = ("training", "race", "watch")
"""What decides by itself; all else that decides is a person."""
VERSIONS = (
    ("name", "Model", "left"),
    ("version", "Version", "right"),
    ("role", "Role", "left"),
    ("trained", "Trained", "left"),
    ("failures", "Failures", "right"),
    ("precision", "Precision / by age", "right"),
    ("kept", "Obs. / exp.", "right"),
    ("calibration", "e calibration", "right"),
    ("visits", "e no fault", "right"),
    ("scores", "e scores", "right"),
    ("race", "e race", "right"),
)
DECISIONS = (
    ("at", "At (UTC)", "left"),
    ("name", "Model", "left"),
    ("version", "Version", "right"),
    ("what", "Decision", "left"),
    ("why", "Why", "left"),
    ("by", "Decided by", "left"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows."""

    versions: Sequence[ModelVersion]
    decisions: Sequence[ModelDecision]
    looks: Mapping[tuple[int, str], ModelLook]


async def models_page(visit: Visit) -> None:
    """Every model that works or waits, the retired ones below, and the newest decisions."""
    say = speaker(visit.request)
    shown = await visit.load(_load)
    if not shown.versions:
        sentence(
            say(
                "No model has been trained yet. That happens once a week, for each part that has failed often enough, or at once by: "
                "hearthwatch train. Until then devices are judged by age and use."
            )
        )
        return
    note = say(
        "A champion speaks; a challenger is scored beside it, unheard, until it has shown to be better. e is evidence: from 20 on "
        "(100 for scores) something is done about it."
    )
    with card(say("At work and waiting"), note):
        standing = [one for one in shown.versions if one.role != "retired"]
        if standing:
            versions_table(say, standing, shown.looks)
        else:
            sentence(say("No version works: its devices are judged by age and use."))
    retired = [one for one in shown.versions if one.role == "retired"]
    if retired:
        with card(say("Retired")):
            versions_table(say, retired[:SHOWN_RETIRED], shown.looks)
    note = say(
        "By whom, and why; the numbers of each are in the API under {address}.", address="/api/v1/models/decisions"
    )
    with card(say("Decisions"), note):
        decisions_table(say, shown.decisions)


def versions_table(say: Speaker, versions: Sequence[ModelVersion], looks: Mapping[tuple[int, str], ModelLook]) -> None:
    """Versions with their worth and the evidence against them."""
    table(worded(say, VERSIONS), [_version(say, one, looks) for one in versions], links=("name",), badges=("role",))


def decisions_table(say: Speaker, decisions: Sequence[ModelDecision], *, named: bool = True) -> None:
    """Decisions as they were taken; ``named``: with the name of the model."""
    rows = [
        {
            "id": one.id,
            "at": moment(one.at),
            "name": one.name,
            "name_to": f"/models/{one.version_id}",
            "version": one.version_id,
            "version_to": None if named else f"/models/{one.version_id}",
            "what": say.word(one.what),
            "what_color": COLORS.get(one.what),
            "why": say.retell(one.why),
            "by": say.word(one.by) if one.by in MACHINES else one.by,
        }
        for one in decisions
    ]
    given = DECISIONS if named else tuple(column for column in DECISIONS if column[0] != "name")
    table(worded(say, given), rows, links=("name", "version"), badges=("what",), prose=("why",)).props(
        "wrap-cells" if named else ""
    )


def _version(say: Speaker, one: ModelVersion, looks: Mapping[tuple[int, str], ModelLook]) -> dict[str, Any]:
    report = one.card.get("evaluation", {})
    kept = report.get("observed_expected") or {}
    told = {name: looks.get((one.id, kind)) for name, kind in _LOOKS}
    return {
        "id": one.id,
        "name": one.name,
        "name_to": f"/models/{one.id}",
        "version": one.id,
        "role": say.word(one.role),
        "role_color": COLORS.get(one.role),
        "trained": f"{one.trained_at:%Y-%m-%d}",
        "failures": one.card.get("failures", "–"),
        "precision": " / ".join(number(report.get(part, {}).get("average_precision")) for part in ("test", "baseline")),
        "kept": number(kept.get("ratio")),
        **{name: "–" if look is None or look.e is None else evidence(look.e) for name, look in told.items()},
    }


_LOOKS = (("calibration", "calibration"), ("visits", "no_fault"), ("scores", "scores"), ("race", "race"))


def _load(context: ApiContext) -> Shown:
    with context.database.reading() as connection:
        return Shown(
            model_versions.list_versions(connection),
            model_decisions.list_decisions(connection, limit=SHOWN_DECISIONS),
            model_looks.latest(connection),
        )
