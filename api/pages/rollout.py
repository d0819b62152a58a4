"""One roll-out: where it stands and why, its waves, what was decided, and what an engineer can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from alerts.rollouts.announce import Announcing
from alerts.rollouts.services import NONE
from alerts.rollouts.steering import ALLOWED, LONGEST_REASON, steer
from api.context import ApiContext
from api.pages.actions import perform
from api.pages.findings import number_in_path
from api.pages.frame import Visit, card, facts, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.rollouts import COLORS, status_words, why_decided, wrapped
from api.pages.tables import table, worded
from api.pages.wording import moment, share
from api.rollout_view import RolloutView, WaveView, view
from api.security import ENGINEERS
from hearthwatch.records import rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.rollout_decisions import GATE, Decision
from hearthwatch.records.rollout_devices import FAILURES, Member

SHOWN_DECISIONS = 100
SHOWN_DEVICES = 50
BUTTONS = (
    ("pause", "Pause", "outline"),
    ("resume", "Resume", "unelevated"),
    ("continue", "Open the next wave now", "outline"),
    ("stop", "Stop", "outline color=negative"),
)
WAVES = (
    ("number", "Wave", "left"),
    ("share", "Of each stratum", "right"),
    ("opened", "Open since", "left"),
    ("hours", "Heard for", "right"),
    ("devices", "Devices", "right"),
    ("offered", "Offered", "right"),
    ("deferred", "Put off", "right"),
    ("updated", "Updated", "right"),
    ("success", "Healthy", "right"),
    ("failed", "Failed", "right"),
    ("least", "Surely at least", "right"),
)
DECISIONS = (
    ("number", "No.", "right"),
    ("at", "At (UTC)", "left"),
    ("wave", "Wave", "right"),
    ("decision", "Decision", "left"),
    ("why", "Why", "left"),
    ("by", "Decided by", "left"),
)
DEVICES = (
    ("device", "Device", "left"),
    ("wave", "Wave", "right"),
    ("stratum", "Stratum", "left"),
    ("outcome", "Outcome", "left"),
    ("why", "Why", "left"),
    ("at", "Since (UTC)", "left"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page shows; ``failed`` are devices that fell silent or are not healthy, as many as the page holds."""

    of_it: RolloutView
    decisions: Sequence[Decision]
    failed: Sequence[Member]


async def rollout_page(visit: Visit) -> None:
    """A roll-out, for an engineer who watches it and may have to stop it."""
    say = speaker(visit.request)
    shown = await visit.load(_load, number_in_path(visit.request, "rollout_id"))
    of_it = shown.of_it
    _standing(say, shown)
    _figures(say, of_it)
    if visit.person.role in ENGINEERS and of_it.status != "complete":
        _steering(visit, say, of_it)
    with card(
        say("Waves"),
        say("Shares are cumulative. A wave passes when it was heard long enough and surely enough updates succeed."),
    ):
        table(worded(say, WAVES), [_wave(say, one) for one in of_it.waves], key="number")
    with card(say("Decisions"), say("Newest first; written once and never changed.")):
        if shown.decisions:
            rows = [_decision(say, one) for one in shown.decisions]
            wrapped(table(worded(say, DECISIONS), rows, badges=("decision",), key="number"), "why")
        else:
            sentence(say("None yet: the gate looks every hour."))
    if shown.failed:
        with card(say("Devices that failed")):
            rows = [_device(say, one) for one in shown.failed]
            wrapped(table(worded(say, DEVICES), rows, links=("device",), key="device"), "why")
    with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
        _plan(say, of_it)
        _deployment(say, of_it)


def _standing(say: Speaker, shown: Shown) -> None:
    of_it = shown.of_it
    with card(f"{of_it.release.model} {of_it.release.version}"):
        last, said = of_it.decision, _why_it_stands(say, shown)
        with ui.row().classes("items-center gap-3 no-wrap"):
            ui.badge(status_words(say, of_it.status), color=COLORS[of_it.status]).classes("text-sm q-pa-sm")
            ui.label(said).classes("text-lg").props("role=status")
        if last is not None and (why := why_decided(say, last)) != said:
            sentence(say("Decided last, {at} UTC by {who}: {why}", at=moment(last.at), who=_by(say, last.by), why=why))
        ui.link(say("Is the release worse?"), f"/releases/{of_it.release.id}").classes("hw-link")


def _why_it_stands(say: Speaker, shown: Shown) -> str:
    of_it = shown.of_it
    if of_it.reason:
        decided = next((one for one in shown.decisions if one.why == of_it.reason), None)
        return why_decided(say, decided) if decided is not None else say.retell(of_it.reason)
    says = {
        "planned": say("It waits for the gate's next look."),
        "running": say("Devices of open waves are offered the release."),
        "complete": say("All waves have passed."),
    }
    return says.get(of_it.status) or (why_decided(say, of_it.decision) if of_it.decision else "")


def _by(say: Speaker, who: str) -> str:
    """Who decided: the gate, or a person by name."""
    return say("the gate") if who == GATE else who


def _figures(say: Speaker, of_it: RolloutView) -> None:
    newest = of_it.waves[of_it.open_wave - 1] if of_it.open_wave else None
    took = sum(one.updated for one in of_it.waves)
    total = sum(one.devices for one in of_it.waves)
    with ui.row().classes("w-full gap-4"):
        waves = say("{part} of {all}", part=of_it.open_wave, all=len(of_it.waves))
        figure(say("Wave"), waves, share(newest.share, 0) if newest else say("none is open"))
        figure(say("Took it"), f"{took:,}", say("of {count} devices in waves", count=f"{total:,}"))
        if newest is not None:
            least = say(
                "of {count} that are due: surely at least {share}",
                count=f"{newest.due:,}",
                share=share(newest.success_at_least),
            )
            healthy = say("{count} healthy", count=f"{newest.successes:,}")
            figure(say("This wave"), healthy, least if newest.due else say("none is due yet"))
        failed = sum(one.counts[name] for one in of_it.waves for name in FAILURES)
        figure(say("Failed"), f"{failed:,}", say("silent or not healthy"))


def _steering(visit: Visit, say: Speaker, of_it: RolloutView) -> None:
    context, actor = visit.context, visit.person.name
    with card(
        say("What you can do"),
        say("The reason goes into the ledger. Resuming overrules the gate until a further wave opens."),
    ):
        too_long = say("At most {most} characters", most=LONGEST_REASON)
        reason = ui.input(say("Reason"), validation={too_long: lambda said: len(said) <= LONGEST_REASON}).classes(
            "w-full"
        )

        async def act(action: str) -> None:
            given = str(reason.value or "")
            await perform(
                context,
                lambda connection: steer(
                    connection,
                    of_it.id,
                    of_it.revision,
                    action,
                    reason=given,
                    actor=actor,
                    now=context.clock.now(),
                    announce=_announcing(context),
                ),
                say("Done; it is in the ledger"),
            )

        with ui.row().classes("gap-2"):
            for action, label, look in BUTTONS:
                if of_it.status in ALLOWED[action]:
                    ui.button(say(label), on_click=lambda action=action: act(action)).props(f"no-caps {look}")


def _announcing(context: ApiContext) -> Announcing:
    return Announcing(webhook=bool(context.settings.rollout_webhook.get_secret_value()))


def _wave(say: Speaker, one: WaveView) -> dict[str, Any]:
    counts = one.counts
    enough = ""
    if one.devices < one.needed:
        enough = say(" (needs {needed}, has {devices})", needed=one.needed, devices=one.devices)
    return {
        "number": one.number,
        "share": share(one.share, 0),
        "opened": moment(one.opened_at),
        "hours": "–"
        if one.hours is None
        else say("{part} of {all} h", part=f"{one.hours:.0f}", all=f"{one.min_hours:g}"),
        "devices": one.devices,
        "offered": counts["offered"],
        "deferred": counts["deferred"],
        "updated": one.updated,
        "success": counts["success"],
        "failed": sum(counts[name] for name in FAILURES),
        "least": say("{part} of {all}", part=share(one.success_at_least, 0), all=share(one.success_share, 0)) + enough,
    }


def _decision(say: Speaker, one: Decision) -> dict[str, Any]:
    return {
        "number": one.number,
        "at": moment(one.at),
        "wave": one.wave,
        "decision": say.word(one.decision),
        "decision_color": COLORS[one.decision],
        "why": why_decided(say, one),
        "by": _by(say, one.by),
    }


def _device(say: Speaker, one: Member) -> dict[str, Any]:
    return {
        "device": one.device_id,
        "device_to": f"/devices/{one.device_id}",
        "wave": one.wave,
        "stratum": one.stratum,
        "outcome": say("fell silent") if one.outcome == "silent" else say("not healthy"),
        "why": say.retell(one.why or ""),
        "at": moment(one.decided_at),
    }


def _plan(say: Speaker, of_it: RolloutView) -> None:
    strata = say(" and ").join(say.word(name) for name in of_it.strata)
    with card(say("The plan")):
        facts(
            {
                say("A success"): say(
                    "reports the release and is healthy for {hours} h", hours=f"{of_it.healthy_hours:g}"
                ),
                say("Silent"): say(
                    "not heard for {hours} h, or three times its own interval", hours=f"{of_it.silent_hours:g}"
                ),
                say("Allowed to fall silent"): say("{share} more than the control", share=share(of_it.silence_share)),
                say("Drawn within"): strata or say("the whole fleet"),
                say("Held out"): say("{count} devices", count=f"{of_it.held_out:,}"),
                say("Error of each test"): share(of_it.alpha),
                say("Planned"): say("{at} UTC by {who}", at=moment(of_it.created_at), who=of_it.created_by),
            }
        )


def _deployment(say: Speaker, of_it: RolloutView) -> None:
    claims = {
        "open": say("too few have updated to say"),
        "followed": say("those who have it are those who were drawn"),
        "withdrawn": say("not a random choice"),
    }
    with card(say("Who deploys")):
        claim = claims[of_it.claim]
        if of_it.claim_why:
            claim = say("{claim}: {why}", claim=claim, why=say.retell(of_it.claim_why))
        told = {say("Assignment"): claim}
        if of_it.service == NONE:
            told[say("Deployed by")] = say("Hearthwatch's own offers, or a system that reads the assignment")
        else:
            told[say("Deployed by")] = say(
                "{service}, its roll-out {number}", service=of_it.service, number=of_it.service_id
            )
            told[say("State there")] = of_it.service_state or "–"
            told[say("It said")] = say(
                "{what} ({at} UTC)", what=say.retell(of_it.service_said or "–"), at=moment(of_it.service_at)
            )
        facts(told)
        ui.link(say("Assignment as JSON"), f"/api/v1/rollouts/{of_it.id}/assignment").classes("hw-link")


def _load(context: ApiContext, rollout_id: int) -> Shown:
    now = context.clock.now()
    with context.database.reading() as connection:
        return Shown(
            view(connection, rollouts.get(connection, rollout_id), now),
            rollout_decisions.list_decisions(connection, rollout_id, limit=SHOWN_DECISIONS),
            rollout_devices.page(connection, rollout_id, outcomes=FAILURES, limit=SHOWN_DEVICES),
        )
