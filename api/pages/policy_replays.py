"""Replays of policies: how to start one, those there were, and what one of them said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, figure, refused, sentence
from api.pages.going_on import watch
from api.pages.language import Speaker, speaker
from api.pages.policy_replay_tables import difference, lists, not_known, reasons
from api.pages.tables import table
from api.pages.wording import day, moment
from api.routes.policy_replays import NewReplay, question_of
from api.security import ENGINEERS
from hearthwatch.errors import HearthwatchError, Invalid
from hearthwatch.records import audit, policies, policy_replays
from hearthwatch.records.policies import PolicyVersion
from hearthwatch.records.policy_replays import OPEN, PolicyReplay

STATE_COLORS = {"waiting": "grey-7", "running": "primary", "done": "positive", "failed": "negative"}
PASTED = 0
"""In the choice of versions: the text below."""
USUAL = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of all replays shows."""

    versions: Sequence[PolicyVersion]
    replays: Sequence[PolicyReplay]


async def replays_page(visit: Visit) -> None:
    """All replays, the newest first, and how to start one."""
    say = speaker(visit.request)
    shown = await visit.load(_load_all)
    sentence(
        say(
            "A replay lets a policy live through the stored past, with the code that runs live, and tells what it would have sent and"
            " opened. Nothing leaves the house."
        )
    )
    if visit.person.role in ENGINEERS:
        _start(visit, say, shown)
    if shown.replays:
        columns = (
            ("policy", say("Policy"), "left"),
            ("state", say("State"), "left"),
            ("notices", say("Notices"), "right"),
            ("confirmed", say("Confirmed later"), "right"),
            ("tickets", say("Tickets"), "right"),
            ("span", say("Time"), "left"),
            ("asked", say("Asked (UTC)"), "left"),
            ("by", say("By"), "left"),
        )
        table(columns, [_row(say, one) for one in shown.replays], links=("policy",), badges=("state",))
    else:
        sentence(say("No replay yet."))
    watch(visit, {one.id: one.state for one in shown.replays if one.state in OPEN}, policy_replays.get)


async def replay_page(visit: Visit) -> None:
    """One replay: the answer in a sentence, figures, what is different from today's policy, and the lists."""
    say = speaker(visit.request)
    one = await visit.load(_load_one, number_in_path(visit.request, "replay_id"))
    _head(visit, say, one)
    if one.report is None:
        return
    _answer(say, one.report)
    difference(say, one.report)
    reasons(say, one.report)
    lists(say, one.report, one.id)
    not_known(say, one.report)
    with card(say("The text that was tried")):
        ui.code(one.text, language="toml").classes("w-full")


def _start(visit: Visit, say: Speaker, shown: Shown) -> None:
    with card(say("Try a policy")):
        choices = {one.version: _named(say, one) for one in shown.versions}
        choices[PASTED] = say("the text below")
        first = shown.versions[0].version if shown.versions else PASTED
        with ui.row().classes("items-end gap-4"):
            version = ui.select(choices, value=first, label=say("Policy")).classes("w-72 max-w-full")
            began = (visit.context.clock.now() - USUAL).date().isoformat()
            since = ui.input(say("Live since (UTC)"), value=began).props("type=date").classes("w-48")
            ui.button(say("Replay"), on_click=lambda: start()).props("no-caps unelevated")
        text = ui.textarea(say("Text (TOML)")).props("outlined autogrow").classes("w-full font-mono")
        text.bind_visibility_from(version, "value", value=PASTED)

        async def start() -> None:
            now, name = visit.context.clock.now(), visit.person.name
            try:
                asked = NewReplay(
                    text=text.value if version.value == PASTED and text.value else None,
                    version=version.value or None,
                    since=_date(since.value),
                )
                question = await visit.load(_question, asked, now)
            except HearthwatchError as error:
                refused(error)
                return
            except ValueError:
                refused(Invalid(say("paste the text of a policy, or choose a version"), where="text"))
                return

            def work(connection: Any) -> None:
                made = policy_replays.ask(connection, question, now, name)
                detail = {"version": question.policy_version, "since": question.since.isoformat()}
                audit.note(
                    connection,
                    at=now,
                    actor=name,
                    action="policy.replay",
                    object=f"policy_replay:{made.id}",
                    detail=detail,
                )

            await perform(visit.context, work, say("It waits for its turn"))


def _question(context: ApiContext, asked: NewReplay, now: datetime) -> policy_replays.Question:
    with context.database.reading() as connection:
        return question_of(connection, asked, now)


def _date(text: str | None) -> datetime:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        raise Invalid("not a date: write 2026-03-01", where="since") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _named(say: Speaker, one: PolicyVersion) -> str:
    return say("{name}, version {version} ({mode})", name=one.name, version=one.version, mode=say.word(one.mode))


def _state(say: Speaker, one: PolicyReplay) -> str:
    """A state in words; a clock of a service level is "running", too, and in Chinese that is another word."""
    return say("in progress") if one.state == "running" else say.word(one.state)


def _row(say: Speaker, one: PolicyReplay) -> dict[str, Any]:
    answer: Mapping[str, Any] = (one.report or {}).get("answer") or {}
    return {
        "id": one.id,
        "policy": _title(say, one),
        "policy_to": f"/policy/replay/{one.id}",
        "state": _state(say, one),
        "state_color": STATE_COLORS[one.state],
        "notices": answer.get("notices", "–"),
        "confirmed": answer.get("confirmed", "–"),
        "tickets": answer.get("tickets", "–"),
        "span": f"{day(one.since)} – {day(one.until)}",
        "asked": moment(one.asked_at),
        "by": one.asked_by,
    }


def _title(say: Speaker, one: PolicyReplay) -> str:
    if one.policy_version is not None:
        return say("Version {number}", number=one.policy_version)
    name = ((one.report or {}).get("policy") or {}).get("name")
    return str(name) if name else say("a pasted text")


def _head(visit: Visit, say: Speaker, one: PolicyReplay) -> None:
    with card(_title(say, one)):
        with ui.row().classes("items-center gap-3"):
            ui.badge(_state(say, one), color=STATE_COLORS[one.state]).classes("text-sm q-pa-sm")
            progress = ui.label(one.progress or one.why or "").classes("min-w-0 break-words").props("role=status")
        words = say(
            "As if live from {since} to {until} UTC; asked by {person} at {at}.",
            since=moment(one.since), until=moment(one.until), person=one.asked_by, at=moment(one.asked_at),
        )  # fmt: skip
        ui.label(words).classes("hw-quiet text-sm")
    if one.state in OPEN:
        watch(visit, {one.id: one.state}, policy_replays.get, progress)


def _answer(say: Speaker, report: Mapping[str, Any]) -> None:
    answer = report["answer"]
    lead = answer["lead_days_median"]
    with card(say("The answer")):
        ui.label(
            say(
                "In {days} days this policy would have sent {notices} notices to {customers} customers; {confirmed} were later"
                " confirmed, {refuted} refuted, of {unknown} nothing is known.",
                days=f"{report['days']:g}", notices=answer["notices"], customers=answer["customers"],
                confirmed=answer["confirmed"], refuted=answer["refuted"], unknown=answer["unknown"],
            )
        ).classes("text-lg").style("overflow-wrap: anywhere")  # fmt: skip
        ui.label(
            say(
                "It would have opened {tickets} tickets. Of {failures} failures in that time it had acted on {acted} before.",
                tickets=answer["tickets"], failures=answer["failures"], acted=answer["failures_acted_on"],
            )
        )  # fmt: skip
    today = report["today"]["answer"] if report["today"] is not None and not report["today"]["same"] else None
    with ui.row().classes("w-full gap-4"):
        for name, key in (
            (say("notices sent"), "notices"),
            (say("confirmed later"), "confirmed"),
            (say("held back"), "held_back"),
            (say("tickets opened"), "tickets"),
            (say("failures not acted on"), "failures_missed"),
        ):
            beside = say("today's policy: {number}", number=today[key]) if today is not None else ""
            figure(name, str(answer[key]), beside)
        figure(say("days ahead"), "–" if lead is None else f"{lead:.1f}", say("half of the confirmed ones, or more"))
        cost = answer["cost"]
        beside = say("today's policy: {number}", number=_money(today["cost"])) if today is not None else ""
        figure(say("cost"), _money(cost), beside)


def _money(cost: Mapping[str, Any]) -> str:
    return f"{cost['total']:,.0f} {cost['currency']}"


def _load_all(context: ApiContext) -> Shown:
    with context.database.reading() as connection:
        return Shown(policies.list_versions(connection)[:50], policy_replays.list_replays(connection, limit=100))


def _load_one(context: ApiContext, replay_id: int) -> PolicyReplay:
    with context.database.reading() as connection:
        return policy_replays.get(connection, replay_id)
