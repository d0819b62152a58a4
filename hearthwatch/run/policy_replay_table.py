"""The answer of ``hearthwatch replay`` for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.replay.trial import summary

SHOWN = 15
WHERE = {"both": "both", "only_this": "only this policy", "only_today": "only today's", "held_back": "held back"}


def print_report(report: Mapping[str, Any]) -> None:
    """Print it."""
    console = Console(highlight=False, soft_wrap=False)
    console.print(Text(summary(report)))
    console.print(_figures(report))
    if report["difference"] is not None and not report["today"]["same"]:
        console.print(_difference(report))
    elif report["today"] is not None:
        console.print(Text("This is today's policy."))
    _list(
        console,
        "Notices",
        report["notices"],
        ("at", "customer", "device", "kind", "where", "verdict"),
    )
    _list(console, "Tickets", report["tickets"], ("at", "cause", "closing_code", "where", "verdict"))
    for line in _not_known(report["not_known"]):
        console.print(Text(line))
    console.print(
        Text(
            f"All of it: --json. {report['rounds']} looks in {report['seconds']} s. docs/replay.md says what it means."
        )
    )


def _figures(report: Mapping[str, Any]) -> Table:
    table = Table(title="What it would have done", title_justify="left")
    table.add_column("")
    table.add_column("this policy", justify="right")
    today = report["today"]["answer"] if report["today"] is not None else None
    if today is not None:
        table.add_column("today's", justify="right")
    mine = report["answer"]
    for name, words in (
        ("notices", "notices sent"), ("customers", "customers told"), ("confirmed", "later confirmed"), ("refuted", "refuted"),
        ("unknown", "nothing known"), ("lead_days_median", "days ahead (median)"), ("held_back", "held back"),
        ("news", "news of tickets, reminders"),
        ("tickets", "tickets opened"), ("tickets_confirmed", "tickets confirmed"), ("tickets_refuted", "tickets refuted"),
        ("engineers", "alerts to engineers"), ("failures", "failures in that time"), ("failures_missed", "not acted on before"),
    ):  # fmt: skip
        table.add_row(words, _told(mine[name]), *([] if today is None else [_told(today[name])]))
    table.add_row(
        f"cost, {mine['cost']['currency']}",
        _told(mine["cost"]["total"]),
        *([] if today is None else [_told(today["cost"]["total"])]),
    )
    return table


def _difference(report: Mapping[str, Any]) -> Table:
    table = Table(title="Beside today's policy", title_justify="left")
    for name in ("", "both", "only this", "only today's", "earlier", "later"):
        table.add_column(name, justify="left" if not name else "right")
    for what in ("notices", "tickets"):
        counts = report["difference"][what]
        table.add_row(what, *(str(counts[name]) for name in ("both", "only_this", "only_today", "earlier", "later")))
    return table


def _list(console: Console, title: str, rows: list[Mapping[str, Any]], columns: tuple[str, ...]) -> None:
    if not rows:
        return
    more = f" (the first {SHOWN} of {len(rows)})" if len(rows) > SHOWN else ""
    table = Table(title=title + more, title_justify="left")
    for name in columns:
        table.add_column(name.replace("_", " "))
    for row in rows[:SHOWN]:
        table.add_row(*(Text(_cell(name, row[name])) for name in columns))
    console.print(table)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "at":
        return str(value)[:16].replace("T", " ")
    text = WHERE.get(value, value) if name == "where" else value
    return "".join(one if one.isprintable() else "?" for one in str(text))[:60]


def _not_known(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    days = sum(one["count"] for one in told if one["code"] == "no_days")
    acts = sum(one["count"] for one in told if one["code"] == "no_counterpart")
    if days:
        yield f"Not known: of {days} findings only the first and the last word is stored, not what was said in between."
    if acts:
        yield f"Not known: {acts} times somebody answered a notice or worked on a ticket that this policy would not have made."


def _told(value: Any) -> str:
    return (
        "–" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    )
