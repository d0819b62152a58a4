"""What there is to know of one trained model, as one JSON object and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection

from analytics.model_life.held_out import HeldOut, held_out
from analytics.model_life.promotion import why_unusable
from hearthwatch.records import model_decisions, model_looks, model_versions
from hearthwatch.records.model_decisions import ModelDecision
from hearthwatch.records.model_looks import ModelLook

QUESTIONS = {
    "calibration": "Do as many fail as it said?",
    "scores": "Do its scores look as on its first days at work?",
    "no_fault": "Do its visits find a fault?",
    "race": "Is it better than the champion?",
}
ALARMS = {"calibration": 20.0, "scores": 100.0, "no_fault": 20.0, "race": 20.0}
"""The evidence from which on each is acted upon."""


class Say(Protocol):
    """Says a sentence with its ``{names}`` filled in, in some language."""

    def __call__(self, sentence: str, /, **names: object) -> str:
        """The sentence."""


def in_english(sentence: str, /, **names: object) -> str:
    """The sentence as it stands."""
    return sentence.format(**names) if names else sentence


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A version with its card, what was decided of its name (newest first) and what was seen of it (oldest first).

    ``unreadable`` says why the stored model cannot be used, where it cannot. ``bytes`` is its size. ``held_out`` is what came of its
    findings that nobody outside was told of, None where there are none.
    """

    id: int
    name: str
    role: str
    trained_at: datetime
    sha256: str
    bytes: int
    revision: int
    unreadable: str | None
    card: Mapping[str, Any]
    decisions: Sequence[ModelDecision]
    looks: Sequence[ModelLook]
    held_out: HeldOut | None

    def newest(self, kind: str) -> ModelLook | None:
        """The newest look of a kind."""
        return next((look for look in reversed(self.looks) if look.kind == kind), None)


def read_report(connection: Connection, version_id: int, now: datetime) -> ModelReport:
    """The report of a version as of now. Raises `Missing`."""
    version = model_versions.get(connection, version_id)
    return ModelReport(
        version.id,
        version.name,
        version.role,
        version.trained_at,
        version.sha256,
        len(version.artifact),
        version.revision,
        why_unusable(version),
        version.card,
        model_decisions.list_decisions(connection, name=version.name),
        model_looks.list_looks(connection, version_id),
        held_out(connection, version_id, now),
    )


def as_markdown(report: ModelReport) -> str:
    """For people: the card as a page of its own."""
    card = report.card
    lines = [
        f"# {report.name}, version {report.id}",
        "",
        f"{report.role}; trained {report.trained_at:%Y-%m-%d %H:%M} UTC; {card.get('method', 'model')}.",
        *([f"**It cannot be used:** {report.unreadable}.", ""] if report.unreadable else [""]),
        *_section("What it is for", [str(card["intended_use"])] if card.get("intended_use") else []),
        *_section("What not to conclude from it", [f"- {_plain(limit)}" for limit in card.get("limits", ())]),
        *_section("Made of", list(_rows(facts(report)))),
        *_section("Its test", list(_rows(worth(card)))),
        *_section("Said and came", list(_table(card.get("evaluation", {}).get("reliability", ())))),
        *_section("At work", list(_seen(report))),
        *_section("Its history", [_decided(one) for one in report.decisions]),
        *_section("Features", [", ".join(f"`{_plain(name)}`" for name in card.get("features", ()))]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def facts(report: ModelReport, say: Say = in_english) -> dict[str, str]:
    """Data cut, sizes, code, libraries and digest."""
    card, made = report.card, report.card.get("provenance", {})
    libraries = ", ".join(f"{name} {version}" for name, version in made.get("libraries", {}).items())
    commit = f", commit {made['commit'][:12]}" if made.get("commit") else ""
    told = {
        say("Data"): say("{since} to {until}", since=card.get("data_from", "?"), until=card.get("data_until", "?")),
        say("Devices"): _number(card.get("devices")),
        say("Device-days"): _number(card.get("device_days")),
        say("Rows learned from"): _number(card.get("rows")),
        say("Failures"): _number(card.get("failures")),
        say("Horizons"): say(", ").join(say("{days} d", days=days) for days in card.get("horizons_days", ())),
        say("Calibration"): say("; ").join(
            _calibrated(say, days, one) for days, one in card.get("calibration", {}).items()
        ),
        say("Code"): f"Hearthwatch {made['hearthwatch']}{commit}, Python {made['python']}" if made else "",
        say("Libraries"): libraries,
        "SHA-256": report.sha256,
        say("Size"): say("{count} bytes", count=f"{report.bytes:,}"),
    }
    return {name: text for name, text in told.items() if text}


def worth(card: Mapping[str, Any], say: Say = in_english) -> dict[str, str]:
    """The evaluation beside its baseline, in words."""
    report = card.get("evaluation", {})
    test, unseen, baseline = (report.get(part, {}) for part in ("test", "unseen_devices", "baseline"))
    told = {}
    for key, name in (("average_precision", "Average precision"), ("auc", "AUC"), ("brier", "Brier score")):
        if test.get(key) is not None:
            told[say(name)] = say(
                "{value} (unseen devices {unseen}, age alone {by_age})",
                value=f"{test[key]:.3g}",
                unseen=_short(unseen.get(key)),
                by_age=_short(baseline.get(key)),
            )
    kept = report.get("observed_expected")
    if kept and kept.get("ratio") is not None:
        told[say("Observed / expected")] = say(
            "{ratio} (95 % {low} to {high}; {count} independent failures)",
            ratio=f"{kept['ratio']:.2f}",
            low=_short(kept["low"]),
            high=_short(kept["high"]),
            count=f"{kept['independent_failures']:g}",
        )
    if report.get("rmse_days") is not None:
        told |= _of_lives(report, say)
    if report:
        if report.get("cut"):
            told[say("Tested on")] = say(
                "days from {cut} on, {count} failing devices",
                cut=report["cut"],
                count=_number(report.get("failing_devices")),
            )
        told[say("Better than age alone")] = _beats_age(card, say)
    return told


def _of_lives(report: Mapping[str, Any], say: Say) -> dict[str, str]:
    """How well remaining lives were told, each by a model that had not seen the device."""
    shares = {name: f"{report[name]:.0%}" for name in ("p10_to_p90_holds", "sooner_than_p10", "later_than_p90")}
    return {
        say("Tested on"): say(
            "{count} lives left out, {failures} of which ended",
            count=_number(report["left_out_units"]),
            failures=_number(report["left_out_failures"]),
        ),
        say("Root mean square error"): say(
            "{days} days (age alone {by_age})",
            days=f"{report['rmse_days']:g}",
            by_age=f"{report['rmse_days_by_age_alone']:g}",
        ),
        say("Within P10 to P90"): say(
            "{p10_to_p90_holds} (sooner {sooner_than_p10}, later {later_than_p90})",
            **shares,
        ),
    }


def _beats_age(card: Mapping[str, Any], say: Say) -> str:
    answer = say("yes") if card.get("beats_age_alone") else say("no")
    gain = card.get("evaluation", {}).get("gain_over_age")
    if not gain:
        return answer
    return say(
        "{answer} (squared errors less by {gain}, standard error {error})",
        answer=answer,
        gain=f"{gain['squared_error']:.3g}",
        error=f"{gain['standard_error']:.3g}",
    )


def _seen(report: ModelReport) -> Iterator[str]:
    for kind, question in QUESTIONS.items():
        look = report.newest(kind)
        if look is not None and look.e is not None:
            yield f"- {question} Evidence against it: e = {look.e:.3g} ({look.at:%Y-%m-%d}); acted upon from {ALARMS[kind]:g} on."
    if report.held_out is not None:
        held = report.held_out
        yield f"- Of {held.known} findings that were held out, {held.failed} failed without a notice; it had said {held.expected:.1f}."


def _decided(one: ModelDecision) -> str:
    return f"- {one.at:%Y-%m-%d %H:%M} UTC: version {one.version_id} {one.what} by {_plain(one.by)}: {_plain(one.why)}"


def _calibrated(say: Say, days: str, one: Any) -> str:
    if not isinstance(one, Mapping):
        return say("{days} d: {how}", days=days, how=one)
    if one.get("taken_from_days"):
        return say("{days} d: that of {other} d", days=days, other=one["taken_from_days"])
    count = f"{one['independent_failures']:g}"
    return say("{days} d: {kind} by {count} independent failures", days=days, kind=say(one["kind"]), count=count)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if any(lines) else []


def _rows(told: Mapping[str, str]) -> Iterator[str]:
    if told:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| {name} | {_plain(text)} |" for name, text in told.items())


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows:
        yield "| " + " | ".join(name.replace("_", " ") for name in rows[0]) + " |"
        yield "|" + "---|" * len(rows[0])
        yield from ("| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows)


def _plain(text: object) -> str:
    """A text from elsewhere as it may stand in a table of Markdown."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _short(value: Any) -> str:
    return "–" if value is None else f"{value:.3g}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
