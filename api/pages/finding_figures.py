"""What a finding about a release or a comparison rests on, in numbers with names: the watch's, or those of a roll-out that was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.pages.language import Speaker
from api.pages.wording import evidence as e_value
from api.pages.wording import number, share


def figures(say: Speaker, evidence: Mapping[str, Any]) -> dict[str, str]:
    """Names and values of a cohort finding's evidence; what is not on record has no row."""
    if evidence.get("rollout") is not None:
        return _of_gate(say, evidence)
    return _of_watch(say, evidence)


def rollout_link(evidence: Mapping[str, Any]) -> str | None:
    """Where the roll-out is shown that was stopped; None where the finding is not the gate's own."""
    rollout = evidence.get("rollout")
    return f"/rollouts/{rollout}" if isinstance(rollout, int) else None


def _of_gate(say: Speaker, told: Mapping[str, Any]) -> dict[str, str]:
    found = {
        say("Wave of the roll-out"): _count(told.get("wave")),
        say("Devices that took it"): _count(told.get("devices")),
        say("Devices that failed"): say(
            "{failed}, of which {silent} silent and {unhealthy} not healthy",
            failed=_count(told.get("events")),
            silent=_count(told.get("silent")),
            unhealthy=_count(told.get("unhealthy")),
        ),
    }
    if told.get("share") is not None:
        found[say("Share of failures")] = say(
            "{share}; at most {allowed} may fail", share=share(told["share"]), allowed=share(told.get("allowed"))
        )
    if told.get("hours") is not None:
        found[say("Watched for")] = say("{hours} h", hours=number(told["hours"], 0))
    return found


def _of_watch(say: Speaker, told: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if told.get("ratio") is not None:
        between = say(
            "{ratio} ({low} to {high})", **{name: number(told.get(name)) for name in ("ratio", "low", "high")}
        )
        found[say("Ratio, new over old")] = between
    for name, mine, others in (
        (say("Devices, new and control"), "devices", "control_devices"),
        (say("Events, new and control"), "events", "control_events"),
    ):
        if told.get(mine) is not None:
            found[name] = f"{_count(told[mine])} / {_count(told.get(others))}"
    if told.get("hours") is not None:
        found[say("Device-hours watched")] = number(told["hours"], 0)
    if told.get("e") is not None:
        found[say("Evidence e")] = e_value(float(told["e"]))
    return found


def _count(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "–"
