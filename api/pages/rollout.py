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
from api.pages.rollouts import COLORS, wrapped
from api.pages.tables import table
from api.pages.wording import moment, share
from api.rollout_view import RolloutView, WaveView, view
from api.security import ENGINEERS
from hearthwatch.records import rollout_decisions, rollout_devices, rollouts
from hearthwatch.records.rollout_decisions import Decision
from hearthwatch.records.rollout_devices import FAILURES, Member

SHOWN_DECISIONS = 100
SHOWN_DEVICES = 50
BUTTONS = (
    ("pause", "Pause", "outline"),
    ("resume", "Resume", "unelevated"),
    ("continue", "Open the next wave now", "outline"),
    ("stop", "Stop", "outline color=negative"),
)
SAYS = {
    "planned": "It waits for the gate's next look.",
    "running": "Devices of open waves are offered the release.",
    "complete": "All waves have passed.",
}
WAVES = (
    ("number", "Wave", "left"),
    ("share", "Of each stratum", "right"),
    ("opened", "Opened", "left"),
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
    ("by", "By", "left"),
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
    shown = await visit.load(_load, number_in_path(visit.request, "rollout_id"))
    of_it = shown.of_it
    _standing(of_it)
    _figures(of_it)
    if visit.person.role in ENGINEERS and of_it.status != "complete":
        _steering(visit, of_it)
    with card(
        "Waves", "Shares are cumulative. A wave passes when it was heard long enough and surely enough updates succeed."
    ):
        table(WAVES, [_wave(one) for one in of_it.waves], key="number")
    with card("Decisions", "Newest first; written once and never changed."):
        if shown.decisions:
            rows = [_decision(one) for one in shown.decisions]
            wrapped(table(DECISIONS, rows, badges=("decision",), key="number"), "why")
        else:
            sentence("None yet: the gate looks every hour.")
    if shown.failed:
        with card("Devices that failed"):
            wrapped(table(DEVICES, [_device(one) for one in shown.failed], links=("device",), key="device"), "why")
    with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
        _plan(of_it)
        _deployment(of_it)


def _standing(of_it: RolloutView) -> None:
    with card(f"{of_it.release.model} {of_it.release.version}"):
        with ui.row().classes("items-center gap-3 no-wrap"):
            ui.badge(of_it.status, color=COLORS[of_it.status]).classes("text-sm q-pa-sm")
            said = of_it.reason or SAYS.get(of_it.status) or (of_it.decision.why if of_it.decision else "")
            ui.label(said).classes("text-lg").props("role=status")
        last = of_it.decision
        if last is not None and last.why != said:
            sentence(f"Decided last, {moment(last.at)} UTC by {last.by}: {last.why}")
        ui.link("Is the release worse?", f"/releases/{of_it.release.id}").classes("hw-link")


def _figures(of_it: RolloutView) -> None:
    newest = of_it.waves[of_it.open_wave - 1] if of_it.open_wave else None
    took = sum(one.updated for one in of_it.waves)
    total = sum(one.devices for one in of_it.waves)
    with ui.row().classes("w-full gap-4"):
        figure("Wave", f"{of_it.open_wave} of {len(of_it.waves)}", share(newest.share, 0) if newest else "none is open")
        figure("Took it", f"{took:,}", f"of {total:,} devices in waves")
        if newest is not None:
            least = f"of {newest.due:,} that are due: surely at least {share(newest.success_at_least)}"
            figure("This wave", f"{newest.successes:,} healthy", least if newest.due else "none is due yet")
        failed = sum(one.counts[name] for one in of_it.waves for name in FAILURES)
        figure("Failed", f"{failed:,}", "silent or not healthy")


def _steering(visit: Visit, of_it: RolloutView) -> None:
    context, actor = visit.context, visit.person.name
    with card(
        "What you can do", "The reason goes into the ledger. Resuming overrules the gate until a further wave opens."
    ):
        reason = ui.input("Reason", validation={"Too long": lambda said: len(said) <= LONGEST_REASON}).classes("w-full")

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
                "Done; it is in the ledger",
            )

        with ui.row().classes("gap-2"):
            for action, label, look in BUTTONS:
                if of_it.status in ALLOWED[action]:
                    ui.button(label, on_click=lambda action=action: act(action)).props(f"no-caps {look}")


def _announcing(context: ApiContext) -> Announcing:
    return Announcing(webhook=bool(context.settings.rollout_webhook.get_secret_value()))


def _wave(one: WaveView) -> dict[str, Any]:
    counts = one.counts
    enough = "" if one.devices >= one.needed else f" (needs {one.needed}, has {one.devices})"
    return {
        "number": one.number,
        "share": share(one.share, 0),
        "opened": moment(one.opened_at),
        "hours": "–" if one.hours is None else f"{one.hours:.0f} of {one.min_hours:g} h",
        "devices": one.devices,
        "offered": counts["offered"],
        "deferred": counts["deferred"],
        "updated": one.updated,
        "success": counts["success"],
        "failed": sum(counts[name] for name in FAILURES),
        "least": f"{share(one.success_at_least, 0)} of {share(one.success_share, 0)}{enough}",
    }


def _decision(one: Decision) -> dict[str, Any]:
    return {
        "number": one.number,
        "at": moment(one.at),
        "wave": one.wave,
        "decision": one.decision,
        "decision_color": COLORS[one.decision],
        "why": one.why,
        "by": one.by,
    }


def _device(one: Member) -> dict[str, Any]:
    return {
        "device": one.device_id,
        "device_to": f"/devices/{one.device_id}",
        "wave": one.wave,
        "stratum": one.stratum,
        "outcome": one.outcome,
        "why": one.why or "",
        "at": moment(one.decided_at),
    }


def _plan(of_it: RolloutView) -> None:
    with card("The plan"):
        facts(
            {
                "A success": f"reports the release and is healthy for {of_it.healthy_hours:g} h",
                "Silent": f"not heard for {of_it.silent_hours:g} h, or three times its own interval",
                "Allowed to fall silent": f"{share(of_it.silence_share)} more than the control",
                "Drawn within": " and ".join(of_it.strata) or "the whole fleet",
                "Held out": f"{of_it.held_out:,} devices",
                "Error of each test": share(of_it.alpha),
                "Planned": f"{moment(of_it.created_at)} UTC by {of_it.created_by}",
            }
        )


def _deployment(of_it: RolloutView) -> None:
    claims = {
        "open": "too few have updated to say",
        "followed": "those who have it are those who were drawn",
        "withdrawn": "not a random choice",
    }
    with card("Who deploys"):
        told = {"Assignment": f"{claims[of_it.claim]}{f': {of_it.claim_why}' if of_it.claim_why else ''}"}
        if of_it.service == NONE:
            told["Deployed by"] = "Hearthwatch's own offers, or a system that reads the assignment"
        else:
            told["Deployed by"] = f"{of_it.service}, its roll-out {of_it.service_id}"
            told["State there"] = of_it.service_state or "–"
            told["It said"] = f"{of_it.service_said or '–'} ({moment(of_it.service_at)} UTC)"
        facts(told)
        ui.link("Assignment as JSON", f"/api/v1/rollouts/{of_it.id}/assignment").classes("hw-link")


def _load(context: ApiContext, rollout_id: int) -> Shown:
    now = context.clock.now()
    with context.database.reading() as connection:
        return Shown(
            view(connection, rollouts.get(connection, rollout_id), now),
            rollout_decisions.list_decisions(connection, rollout_id, limit=SHOWN_DECISIONS),
            rollout_devices.page(connection, rollout_id, outcomes=FAILURES, limit=SHOWN_DEVICES),
        )
