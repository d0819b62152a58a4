"""Roll-outs: which are on their way, how far they are, and what was decided last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.frame import Visit, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table, worded
from api.pages.wording import moment, share
from hearthwatch.records import releases, rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_devices import TAKEN
from hearthwatch.records.rollout_steps import SAID
from hearthwatch.records.rollouts import Rollout, Wave
from hearthwatch.values import Release

COLORS = {
    "planned": "grey-7",
    "running": "primary",
    "held": "warning",
    "paused": "warning",
    "stopped": "negative",
    "complete": "positive",
    "continue": "positive",
    "hold": "warning",
    "stop": "negative",
}
COLUMNS = (
    ("release", "Release", "left"),
    ("status", "Status", "left"),
    ("wave", "Wave", "right"),
    ("share", "Open to", "right"),
    ("progress", "Took it", "right"),
    ("why", "Decided last", "left"),
    ("at", "At (UTC)", "left"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A roll-out as a row shows it; ``counts`` are devices by wave and outcome."""

    rollout: Rollout
    release: Release
    waves: Sequence[Wave]
    counts: Mapping[int, Mapping[str, int]]
    decision: Decision | None


async def rollouts_page(visit: Visit) -> None:
    """All roll-outs, the newest first."""
    say = speaker(visit.request)
    lines = await visit.load(_load)
    if not lines:
        sentence(say("No roll-outs yet. One is planned for a release by POST /api/v1/rollouts; see docs/rollouts.md."))
        return
    rows = [_row(say, one) for one in lines]
    wrapped(table(worded(say, COLUMNS), rows, links=("release",), badges=("status",)), "why")


def wrapped(made: ui.table, field: str) -> None:
    """Let the sentences of one column take several lines; all other columns keep to theirs."""
    for column in made.columns:
        if column["name"] == field:
            column["style"] = "white-space: normal; min-width: 14rem"
    made.update()


def status_words(say: Speaker, status: str) -> str:
    """How a roll-out stands, as people read it."""
    words = {
        "planned": say("planned"),
        "running": say("rolling out"),
        "held": say("on hold"),
        "paused": say("paused"),
        "stopped": say("stopped"),
        "complete": say("complete"),
    }
    return words.get(status, status)


def why_decided(say: Speaker, decision: Decision) -> str:
    """Why it was decided, in the reader's language; what people wrote stays as they wrote it."""
    return say.told(decision.evidence.get(SAID), decision.why)


def _row(say: Speaker, line: Line) -> dict[str, Any]:
    newest = rollouts.open_wave(line.waves)
    took = sum(count for of_wave in line.counts.values() for outcome, count in of_wave.items() if outcome in TAKEN)
    total = sum(sum(of_wave.values()) - of_wave["left"] for of_wave in line.counts.values())
    return {
        "id": line.rollout.id,
        "release": f"{line.release.model} {line.release.version}",
        "release_to": f"/rollouts/{line.rollout.id}",
        "status": status_words(say, line.rollout.status),
        "status_color": COLORS[line.rollout.status],
        "wave": say("{part} of {all}", part=newest, all=len(line.waves)),
        "share": share(line.waves[newest - 1].share if newest else 0.0, 0),
        "progress": say("{part} of {all}", part=f"{took:,}", all=f"{total:,}"),
        "why": why_decided(say, line.decision) if line.decision else say("Nothing yet: the gate looks every hour."),
        "at": moment(line.decision.at) if line.decision else "–",
    }


def _load(context: ApiContext) -> list[Line]:
    with context.database.reading() as connection:
        last = rollout_decisions.newest_of_all(connection)
        return [
            Line(
                one,
                releases.get(connection, one.release_id),
                rollouts.waves(connection, one.id),
                rollout_devices.counts(connection, one.id),
                last.get(one.id),
            )
            for one in rollouts.list_rollouts(connection)
        ]
