"""Findings: what stands, why, and what a person says about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import Request
from nicegui import ui

from analytics.cohorts.dimension_words import named
from api.context import ApiContext
from api.pages import hold_outs as hold_out_pages
from api.pages.actions import perform
from api.pages.finding_figures import figures, rollout_link
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.notice_why import finding_card
from api.pages.reasons import show, waiting_card
from api.pages.tables import table, worded
from api.pages.wording import COLORS, metric, mode, moment, number, share
from api.security import STAFF, Person
from hearthwatch.failure_modes import MASS_SILENCE
from hearthwatch.records import findings, prognoses
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Finding

STATES = ("open", "acknowledged", "expected", "recovered")
SHOWN = 500
LATELY = timedelta(days=2)
"""What waited longer ago was not looked at since: the job looks every day."""


def subject_link(finding: Finding) -> str:
    """Where a finding's subject is shown."""
    if finding.subject_type == "device":
        return f"/devices/{finding.subject}"
    if finding.subject_type == "release":
        return f"/releases/{finding.subject.removeprefix('release:')}"
    if finding.subject.startswith("comparison:"):
        return f"/comparisons/{finding.subject.removeprefix('comparison:')}"
    return f"/devices?incident={finding.id}" if finding.mode == MASS_SILENCE else "/"


def compared_name(say: Speaker, model: str, by: str, value: str) -> str:
    """What is in question in a comparison: ``camera-4, batch B7``."""
    return say("{model}, {value}", model=model, value=say.said(named(by, value)))


def subject_name(say: Speaker, finding: Finding) -> str:
    """What a finding is about, as a person calls it."""
    if finding.subject_type == "release" and "version" in finding.evidence:
        return f"{finding.evidence.get('model') or ''} {finding.evidence['version']}".strip()
    if finding.subject.startswith("comparison:"):
        about = finding.evidence
        if all(about.get(key) for key in ("model", "by", "treatment")):
            return compared_name(say, str(about["model"]), str(about["by"]), str(about["treatment"]))
        return str(about.get("name") or finding.subject)
    return finding.subject


def row(say: Speaker, finding: Finding) -> dict[str, Any]:
    """A finding as a row of a table, in the reader's language."""
    return {
        "id": finding.id,
        "what": say(mode(finding.mode)),
        "what_to": f"/findings/{finding.id}",
        "kind": say.word(finding.kind),
        "subject": subject_name(say, finding),
        "subject_to": subject_link(finding),
        "severity": say.word(finding.severity),
        "severity_color": COLORS.get(finding.severity),
        "state": say.word(finding.state),
        "state_color": COLORS.get(finding.state),
        "first_seen": moment(finding.first_seen),
        "last_seen": moment(finding.last_seen),
    }


COLUMNS = (
    ("severity", "Severity", "left"),
    ("what", "What", "left"),
    ("subject", "Found on", "left"),
    ("kind", "Found by", "left"),
    ("state", "State", "left"),
    ("first_seen", "First seen", "left"),
    ("last_seen", "Last seen", "left"),
)


async def findings_page(visit: Visit) -> None:
    """All findings, the open ones first."""
    state = visit.request.query_params.get("state", "open")
    say = speaker(visit.request)
    found, waiting = await visit.load(_load, state if state in STATES else None)
    waiting_card(say, waiting)
    with ui.row().classes("gap-2"):
        for name in (*STATES, "all"):
            chosen = name == state or (name == "all" and state not in STATES)
            ui.button(say.word(name), on_click=lambda name=name: ui.navigate.to(f"/findings?state={name}")).props(
                "dense no-caps unelevated" if chosen else "dense no-caps outline"
            )
    if not found:
        sentence(say("Nothing here. Findings appear when a device or a release leaves what is normal for it."))
        return
    table(
        worded(say, COLUMNS),
        [row(say, finding) for finding in found],
        links=("what", "subject"),
        badges=("severity", "state"),
    )


def _load(context: ApiContext, state: str | None) -> tuple[list[Finding], list[Prognosis]]:
    since = context.clock.now() - LATELY
    with context.database.reading() as connection:
        found = findings.list_findings(connection, state=state, limit=SHOWN)
        return found, prognoses.riskiest(connection, since=since, state="waiting", limit=SHOWN)


async def finding_page(visit: Visit) -> None:
    """One finding with its evidence, its history, and the three answers a visit.person can give."""
    identifier = number_in_path(visit.request, "finding_id")
    say = speaker(visit.request)
    finding, events = await visit.load(_load_one, identifier)
    with card(say(mode(finding.mode))):
        muted = say(", muted until {until}", until=moment(finding.muted_until)) if finding.muted_until else ""
        seen = say("{first} to {last} UTC", first=moment(finding.first_seen), last=moment(finding.last_seen))
        facts(
            {
                say("Found on"): subject_name(say, finding),
                say("Found by"): say.word(finding.kind),
                say("Severity"): say.word(finding.severity),
                say("State"): say.word(finding.state) + muted,
                say("Part"): say.word(finding.part) if finding.part else "–",
                say("Probability within 30 days"): share(finding.probability),
                say("First and last seen"): seen,
                say("Episode"): str(finding.episode),
            }
        )
        ui.link(say("Show the subject"), subject_link(finding)).classes("hw-link")
    await hold_out_pages.finding_card(visit, identifier)
    with card(say("Why")):
        show(say, finding.evidence)
        named = finding.evidence.get("metrics") or ()
        if named:
            metrics = say("Metrics: {names}", names=", ".join(metric(say, str(name)) for name in named))
            ui.label(metrics).classes("hw-quiet text-sm")
        numbers = figures(say, finding.evidence) if finding.kind == "cohort" else _numbers(finding)
        if numbers:
            facts(numbers)
        stopped = rollout_link(finding.evidence)
        if stopped:
            ui.link(say("The roll-out that was stopped"), stopped).classes("hw-link")
    await finding_card(visit, identifier)
    if finding.state != "recovered" and visit.person.role in STAFF:
        _answers(visit.context, visit.person, finding, say)
    with card(say("History")):
        for event in events:
            done = say("{at}  {what} by {who}", at=moment(event.at), what=say.word(event.what), who=event.actor)
            ui.label(done).classes("text-sm")


def _numbers(finding: Finding) -> dict[str, str]:
    told = {"alarm"} if finding.evidence.get("decision") else set()  # the decision's sentence says it
    return {
        name: number(value, 3)
        for name, value in finding.evidence.items()
        if isinstance(value, float) and name not in told
    }


def _answers(context: ApiContext, person: Person, finding: Finding, say: Speaker) -> None:
    with card(say("Your answer")):
        note = ui.input(say("Note")).classes("w-full").props("dense outlined")
        with ui.row().classes("gap-2"):

            async def acknowledge() -> None:
                now = context.clock.now()
                await perform(
                    context,
                    lambda c: findings.acknowledge(c, finding.id, finding.revision, person.name, now, note.value or ""),
                    say("Acknowledged"),
                )

            async def expect() -> None:
                now = context.clock.now()
                await perform(
                    context,
                    lambda c: findings.expect(c, finding.id, finding.revision, person.name, now, note.value or ""),
                    say("Marked as expected"),
                )

            async def mute() -> None:
                now = context.clock.now()
                until = now + timedelta(days=float(days.value or 7))
                await perform(
                    context,
                    lambda c: findings.mute(c, finding.id, finding.revision, until, person.name, now),
                    say("Muted until {until}", until=moment(until)),
                )

            ui.button(say("Acknowledge"), on_click=acknowledge).props("no-caps unelevated")
            ui.button(say("This is expected"), on_click=expect).props("no-caps outline")
            days = ui.number(say("Days"), value=7, min=1, max=365).classes("w-20").props("dense outlined")
            ui.button(say("Mute"), on_click=mute).props("no-caps outline")


def _load_one(context: ApiContext, identifier: int) -> tuple[Finding, list[Any]]:
    with context.database.reading() as connection:
        return findings.get(connection, identifier), list(findings.events(connection, identifier))


def number_in_path(request: Request, name: str) -> int:
    """An id out of the address; what is no number names nothing that exists."""
    from hearthwatch.errors import Missing

    text = request.path_params[name]
    if not text.isdecimal() or len(text) > 18:
        raise Missing("there is no such page", where=text)
    return int(text)
