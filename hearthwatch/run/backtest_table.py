"""The answer of ``hearthwatch backtest`` for a person: what would have been foretold, in words and tables, and how the data are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_WIDTH = 118
_SHOWN = 5


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines to print."""
    yield f"{report['devices']:,} devices, {report['readings']:,} readings, {report['failures']:,} failures"
    yield ""
    if report["answer"] is not None:
        yield from _wrapped(" ".join(report["answer"]["words"]))
        yield ""
        yield from _budgets(report["budgets"])
        yield ""
        yield from _scores(report)
        yield from _groups(report)
        yield from _reasons(report)
        yield from _examples(report["examples"])
    yield from _refused(report["refused"])
    yield from _quality(report["quality"])
    yield ""
    yield "All figures: --json. What they mean: docs/history.md. To take this history in: hearthwatch import PATH --mapping FILE"


def table(rows: Sequence[Sequence[str]], left: int = 1) -> Iterator[str]:
    """Cells in aligned columns, the first ``left`` of them to the left."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def plain(text: Any, longest: int = 200) -> str:
    """A text of the data as a terminal may show it: no control characters, not too long."""
    shown = "".join(one if one.isprintable() else "?" for one in str(text))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        plain(text, 2000), width=_WIDTH, initial_indent=indent, subsequent_indent=indent + "  " * bool(indent)
    )


def _budgets(budgets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    head = ("alerts per 1,000 device-weeks", "foretold", "lead (days)", "false per 1,000", "right", "by age alone")
    rows = [
        (
            f"{one['budget']:g}",
            f"{one['foretold']} of {one['of']}",
            _number(one["lead_days_median"], "g"),
            _number(one["false_per_1000_device_weeks"], ".1f"),
            _number(one["precision"], ".0%"),
            str(one["by_age"]),
        )
        for one in budgets
    ]
    yield from table([head, *rows])


def _scores(report: Mapping[str, Any]) -> Iterator[str]:
    head = ("", "average precision", "AUC", "Brier", "ECE", "observed/expected")
    names = {"all devices": "test", "devices never seen in training": "unseen_devices", "by age alone": "baseline"}
    rows = [
        (
            name,
            _number(part.get("average_precision"), ".3f"),
            _number(part.get("auc"), ".3f"),
            _number(part.get("brier"), ".5f"),
            _number(part.get("ece"), ".5f"),
            _number(part.get("observed_expected"), ".2f"),
        )
        for name, key in names.items()
        if (part := report[key]) is not None
    ]
    yield from table([head, *rows])


def _groups(report: Mapping[str, Any]) -> Iterator[str]:
    for name, key in (("model", "by_model"), ("part", "by_part")):
        if not report[key]:
            continue
        yield ""
        head = (name, "foretold", "share", "lead (days)")
        rows = [
            (
                plain(one["name"] or "(none)", 40),
                f"{one['foretold']} of {one['failures']}",
                f"{one['share']:.0%}",
                _number(one["lead_days_median"], "g"),
            )
            for one in report[key]
        ]
        yield from table([head, *rows])


def _reasons(report: Mapping[str, Any]) -> Iterator[str]:
    if report["reasons"]:
        yield ""
        told = ", ".join(f"{plain(one['metric'], 63)} ({one['share']:.0%})" for one in report["reasons"])
        yield from _wrapped(f"What raises the risk of the riskiest: {told}.")


def _examples(examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for title, name in (("Foretold, for example:", "foretold"), ("Missed:", "missed"), ("False alarms:", "false")):
        if examples[name]:
            yield ""
            yield title
        for one in examples[name][:_SHOWN]:
            yield from _example(name, one)


def _example(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    device = plain(one["device"], 64) + (f" ({plain(one['model'], 40)})" if one["model"] else "")
    if name == "foretold":
        what = f"flagged {one['flagged_on']}, failed {one['failed_on']}: {_days(one['lead_days'])} ahead, risk {one['probability']:.1%}"
    elif name == "missed":
        what = f"failed {one['failed_on']}; highest risk {one['probability']:.2%} on {one['highest_on']}. Why: {one['why']}"
    else:
        what = f"flagged {one['flagged_on']} to {one['until']}, risk {one['probability']:.1%}; it did not fail within the horizon"
    yield from _wrapped(f"{device}: {what}", "  ")
    for reason in one["reasons"][:3]:
        yield from _wrapped(f"- {reason['text']}", "    ")


def _refused(refused: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if refused:
        yield ""
        yield "Not given, because there is too little to judge by:"
    for one in refused:
        yield from _wrapped(f"{one['figure']}: {one['why']}. Missing: {one['missing']}.", "  ")


def _quality(quality: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield (
        f"Data: {quality['files']} files, {quality['rows']:,} rows, {quality['readings']:,} readings taken, "
        f"{quality['rejected_rows']:,} rows and {quality['rejected_values']:,} values left out, {quality['days']} days"
    )
    yield from remark_lines(quality["remarks"])


def remark_lines(remarks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was odd about a history and what was done about it, each with a place to look at."""
    for one in remarks:
        where = " ".join(
            part
            for part in (
                plain(one["file"] or "", 80),
                f"row {one['row']}" if one["row"] else "",
                f"column {plain(one['column'], 63)}" if one["column"] else "",
                f"({plain(one['example'], 80)})" if one["example"] else "",
            )
            if part
        )
        mark = "!" if one["grave"] else "-"
        yield from _wrapped(f"{mark} {one['said']}: {one['done']}" + (f". For example {where}" if where else ""), "  ")


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
