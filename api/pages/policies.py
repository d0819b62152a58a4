"""Policy: what becomes of a finding, rule by rule in words, its versions and what is different between them, and a form for a new one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from alerts.policy import versions as policies_of_alerts
from alerts.policy.file import InvalidPolicy, Policy, parse
from api import policy_explained as explained
from api.context import ApiContext
from api.pages import hold_outs
from api.pages.actions import agreed, perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.policy_form import fault_lines, form_card
from api.pages.wording import moment
from api.security import ADMINS, ENGINEERS
from hearthwatch.records import policies, policy_decisions
from hearthwatch.records.policies import PolicyVersion

STANDING = ("open", "acknowledged")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows: the version in force, all of them, and how many findings each rule has, by outcome."""

    current: PolicyVersion | None
    versions: Sequence[PolicyVersion]
    counts: Mapping[tuple[str | None, str], int]


async def policy_page(visit: Visit) -> None:
    """The version in force, explained; its switch, its text, the others."""
    say = speaker(visit.request)
    shown = await visit.load(_load)
    if shown.current is None:
        sentence(say("No policy yet."))
        return
    _in_force(visit, say, shown.current)
    policy = _read(say, shown.current)
    if policy is not None:
        _rules(say, policy, shown.counts)
        with card(say("Limits")):
            facts(dict(explained.limits(say, policy)))
    await hold_outs.result_card(visit)
    _versions(say, shown)
    if visit.person.role in ENGINEERS:
        form_card(visit, say, shown.current.text)
    _text(say, shown.current)


async def version_page(visit: Visit) -> None:
    """One version, and what is different from the one in force."""
    say = speaker(visit.request)
    one, current = await visit.load(_load_one, number_in_path(visit.request, "version"))
    _in_force(visit, say, one)
    if current is not None and current.version != one.version:
        with card(say("Against version {version}, which is in force", version=current.version)):
            _difference(say, current.text, one.text)
    policy = _read(say, one)
    if policy is not None:
        _rules(say, policy, {})
        with card(say("Limits")):
            facts(dict(explained.limits(say, policy)))
    _text(say, one)


def _in_force(visit: Visit, say: Speaker, one: PolicyVersion) -> None:
    meaning = {
        "observe": say("Everything is decided and shown, nothing is sent and no ticket opens."),
        "live": say("Notices are sent and tickets open by themselves."),
        "retired": say("An earlier version."),
    }
    title = say("{name}, version {version}: {mode}", name=one.name, version=one.version, mode=say.word(one.mode))
    with card(title, meaning.get(one.mode, "")):
        written = say("{at} UTC by {who}", at=moment(one.created_at), who=one.created_by)
        live = (
            say("{at} UTC by {who}", at=moment(one.live_since), who=one.live_by or "–")
            if one.live_since
            else say("never was")
        )
        facts({say("Written"): written, say("Live since"): live})
        with ui.row().classes("items-center gap-3"):
            if visit.person.role in ADMINS:
                _switch(visit, say, one, meaning)
            ui.link(say("Try a policy on history"), "/policy/replay").classes("hw-link")


def _switch(visit: Visit, say: Speaker, one: PolicyVersion, meaning: Mapping[str, str]) -> None:
    target = "observe" if one.mode == "live" else "live"

    async def ask() -> None:
        question = say("Set version {version} to {mode}?", version=one.version, mode=say.word(target))
        if await agreed(say, f"{question} {meaning[target]}"):
            now = visit.context.clock.now()
            await perform(
                visit.context,
                lambda c: policies_of_alerts.set_mode(c, one.version, target, visit.person.name, now),
                say("Version {version} is in {mode}", version=one.version, mode=say.word(target)),
            )

    ui.button(say("Set to {mode}", mode=say.word(target)), on_click=ask).props("no-caps unelevated")


def _rules(say: Speaker, policy: Policy, counts: Mapping[tuple[str | None, str], int]) -> None:
    with card(say("Rules"), say("The first rule that fits a finding decides.")):
        for number, rule in enumerate(policy.rules, 1):
            with ui.column().classes("gap-0 w-full"):
                ui.label(f"{number}. {rule.name}").classes("font-semibold break-words")
                when = say(", and ").join(explained.conditions(say, rule))
                then = say("; ").join(explained.consequences(say, rule))
                ui.label(say("If {when}: it {then}.", when=when, then=then)).classes("break-words")
                _standing(say, rule.name, counts)
        unfit = sum(count for (rule_name, _), count in counts.items() if rule_name is None)
        if unfit:
            sentence(say("No rule fits {count} open findings.", count=unfit))


def _standing(say: Speaker, rule: str, counts: Mapping[tuple[str | None, str], int]) -> None:
    names = {
        "acts": say("acts on {count} open findings"),
        "silent": say("{count} are silent"),
        "held": say("{count} have not stood long enough"),
        "costs": say("{count} are not worth it"),
        "waits_for_fix": say("{count} wait for a fix"),
        "covered": say("{count} are symptoms of a release"),
        "held_out": say("{count} are held out"),
    }
    told = [
        names[outcome].format(count=count)
        for (name, outcome), count in sorted(counts.items(), key=str)
        if name == rule and outcome in names
    ]
    if told:
        ui.label(say(", ").join(told)).classes("hw-quiet text-sm")


def _versions(say: Speaker, shown: Shown) -> None:
    with card(say("Versions")):
        for one in shown.versions:
            with ui.row().classes("items-center gap-3 text-sm"):
                ui.link(say("version {version}", version=one.version), f"/policy/versions/{one.version}").classes(
                    "hw-link"
                )
                ui.label(say.word(one.mode))
                ui.label(f"{one.name} · {moment(one.created_at)} · {one.created_by}").classes(
                    "hw-quiet break-words min-w-0"
                )


def _text(say: Speaker, one: PolicyVersion) -> None:
    with (
        card(say("Text"), say("TOML. A change is a new version, and starts in observe.")),
        ui.expansion(say("Show the text")).classes("w-full"),
    ):
        ui.code(one.text, language="toml").classes("w-full")


def _difference(say: Speaker, before: str, after: str) -> None:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    if not lines:
        sentence(say("The same text."))
        return
    with ui.column().classes("w-full gap-0 overflow-x-auto"):
        for line in lines:
            color = {"+": "text-positive", "-": "text-negative", "@": "hw-quiet"}.get(line[:1], "")
            ui.label(line or " ").classes(f"font-mono text-sm whitespace-pre {color}")


def _read(say: Speaker, one: PolicyVersion) -> Policy | None:
    try:
        return parse(one.text)
    except InvalidPolicy as error:  # a policy of an earlier release may say what this one no longer reads
        with card(say("This version of the platform can not read its text")):
            fault_lines(say, error.faults, one.text)
        return None


def _load(context: ApiContext) -> Shown:
    with context.database.reading() as connection:
        counts = policy_decisions.by_outcome(connection, STANDING)
        return Shown(policies.current(connection), policies.list_versions(connection), counts)


def _load_one(context: ApiContext, version: int) -> tuple[PolicyVersion, PolicyVersion | None]:
    with context.database.reading() as connection:
        return policies.get(connection, version), policies.current(connection)
