"""The tables of a replay's page: the difference to today's policy, why notices were held back, notices, tickets, what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from api.pages.frame import card, sentence
from api.pages.language import Speaker
from api.pages.tables import table

WHERE_COLORS = {"both": "grey-7", "only_this": "primary", "only_today": "secondary", "held_back": "warning"}
VERDICT_COLORS = {"confirmed": "positive", "refuted": "negative", "unknown": "grey-6"}


def difference(say: Speaker, report: Mapping[str, Any]) -> None:
    """What both policies do, and what only one of them does."""
    today = report["today"]
    if today is None:
        return
    if today["same"]:
        sentence(say("This is the policy in force: there is no difference to show."))
        return
    note = say("Beside version {number}, replayed in the same way.", number=today["version"])
    with card(say("The difference to today's policy"), note):
        columns = (
            ("what", "", "left"),
            ("both", say("Both"), "right"),
            ("only_this", say("Only this one"), "right"),
            ("only_today", say("Only today's"), "right"),
            ("earlier", say("Both, this one earlier"), "right"),
            ("later", say("Both, this one later"), "right"),
        )
        rows = [
            {"id": what, "what": words, **report["difference"][what]}
            for what, words in (("notices", say("Notices")), ("tickets", say("Tickets")))
        ]
        table(columns, rows)


def reasons(say: Speaker, report: Mapping[str, Any]) -> None:
    """Why notices would have been held back."""
    why: Mapping[str, int] = report["answer"]["held_back_why"]
    if not why:
        return
    with card(say("Held back")):
        columns = (("why", say("Why"), "left"), ("count", say("Notices"), "right"))
        rows = [{"id": reason, "why": _reason(say, reason), "count": count} for reason, count in why.items()]
        table(columns, rows, prose=("why",))


def lists(say: Speaker, report: Mapping[str, Any], replay_id: int) -> None:
    """Every notice and every ticket, with what became of it."""
    with card(say("Notices")):
        _left_off(say, report["left_off"]["notices"])
        columns = (
            ("at", say("When (UTC)"), "left"),
            ("customer", say("Customer"), "left"),
            ("device", say("Device"), "left"),
            ("kind", say("Kind"), "left"),
            ("where", say("By which policy"), "left"),
            ("verdict", say("Later"), "left"),
            ("lead", say("Days ahead"), "right"),
            ("rule", say("Rule, or why not"), "left"),
        )
        rows = [_notice(say, number, one) for number, one in enumerate(report["notices"])]
        table(columns, rows, links=("device",), badges=("where", "verdict"), prose=("rule",))
        ui.link(say("as CSV"), f"/api/v1/policies/replays/{replay_id}/notices.csv").classes("hw-link")
    with card(say("Tickets")):
        _left_off(say, report["left_off"]["tickets"])
        columns = (
            ("at", say("When (UTC)"), "left"),
            ("about", say("About"), "left"),
            ("part", say("Part"), "left"),
            ("priority", say("Priority"), "right"),
            ("where", say("By which policy"), "left"),
            ("verdict", say("Later"), "left"),
            ("lead", say("Days ahead"), "right"),
            ("closed", say("Closed as"), "left"),
        )
        rows = [_ticket(say, number, one) for number, one in enumerate(report["tickets"])]
        table(columns, rows, links=("about",), badges=("where", "verdict"))
        ui.link(say("as CSV"), f"/api/v1/policies/replays/{replay_id}/tickets.csv").classes("hw-link")


def not_known(say: Speaker, report: Mapping[str, Any]) -> None:
    """What the stored history does not tell, and what nobody can know."""
    with card(say("What is not known")):
        for one in report["not_known"]:
            if one["code"] == "no_days":
                words = say(
                    "Of {count} findings only the first and the last word is stored, not what was said in between.",
                    count=one["count"],
                )
                ui.label(words)
        acts = sum(one["count"] for one in report["not_known"] if one["code"] == "no_counterpart")
        if acts:
            words = say(
                "{count} times somebody answered a notice or worked on a ticket that this policy would not have made.",
                count=acts,
            )
            ui.label(words)
        ui.label(
            say(
                "What people would have done about notices and tickets that only this policy makes, nobody knows: what happened to"
                " devices is taken as it was."
            )
        ).classes("hw-quiet")


def _left_off(say: Speaker, count: int) -> None:
    if count:
        sentence(say("{count} more are not kept here; the command prints all of them.", count=count))


def _notice(say: Speaker, number: int, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "at": _minute(one["at"]),
        "customer": one["customer"],
        "device": one["device"],
        "device_to": f"/devices/{one['device']}",
        "kind": say.word(one["kind"]),
        "where": say.word(one["where"]),
        "where_color": WHERE_COLORS[one["where"]],
        "verdict": say.word(one["verdict"]) if one["verdict"] else "",
        "verdict_color": VERDICT_COLORS.get(one["verdict"] or "", "grey-6"),
        "lead": _days(one["lead_days"]),
        "rule": _reason(say, one["reason"]) if one["reason"] else say.retell(one["rule"] or ""),
    }


def _ticket(say: Speaker, number: int, one: Mapping[str, Any]) -> dict[str, Any]:
    row = {
        "id": number,
        "at": _minute(one["at"]),
        "about": one["device"] or one["model"] or one["cause"],
        "part": say.word(one["part"]) if one["part"] else "",
        "priority": one["priority"],
        "where": say.word(one["where"]),
        "where_color": WHERE_COLORS[one["where"]],
        "verdict": say.word(one["verdict"]),
        "verdict_color": VERDICT_COLORS[one["verdict"]],
        "lead": _days(one["lead_days"]),
        "closed": say.word(one["closing_code"]) if one["closing_code"] else "",
    }
    return row | ({"about_to": f"/devices/{one['device']}"} if one["device"] else {})


def _reason(say: Speaker, reason: str) -> str:
    """A reason in the reader's language, where it is one of those without numbers."""
    return say.word(reason)


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _days(lead: float | None) -> str:
    return "–" if lead is None else f"{lead:.1f}"
