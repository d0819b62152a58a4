"""When a probability becomes a finding, how long the finding stands, and what waits because the week's findings are used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.decision.budget import WEEK_DAYS, admit, room, weekly_limit
from analytics.decision.rule import Line, Rule
from analytics.panel import day_number, day_start
from analytics.prognosis.known import Known, is_active
from analytics.silence import SILENT_DAYS, still_standing
from analytics.training.names import HORIZONS, JUDGED_AT
from hearthwatch.failure_modes import mode_of_part
from hearthwatch.records import findings
from hearthwatch.records.database import Database
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Observation, Severity

SOON = HORIZONS.index(7)
AHEAD = HORIZONS.index(JUDGED_AT)
METHOD = "hazard"
"""What only looks at a part's age or use finds no single device, and opens nothing."""
PLAIN = {"text_key": "many_small_signs", "text": "The sum of many small signs", "values": {}}

Reason = Mapping[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one part of a device: probabilities by horizon, and if it was explained what speaks for and against it."""

    device: str
    model: str
    part: str
    p: Sequence[float]
    version: int
    reasons: Sequence[Reason] = ()
    against: Reason | None = None

    @property
    def finding(self) -> Key:
        """What its finding is known by."""
        return self.device, mode_of_part(self.part)


@dataclass(slots=True)
class Decided:
    """What became of all that was said: findings, the state of every part above its line, and the week's account."""

    observations: list[Observation] = field(default_factory=list)
    states: dict[Key, dict[str, Any]] = field(default_factory=dict)
    waiting: int = 0
    opened_in_week: int = 0
    limit: int | None = None
    price: dict[str, float] = field(default_factory=dict)

    def account(self) -> dict[str, Any]:
        """For the result of the job. ``price``: what the last finding of today was worth, by currency; empty without costs."""
        return {
            "waiting": self.waiting,
            "week": {"opened": self.opened_in_week, "limit": self.limit},
            "price": {currency: round(worth, 2) for currency, worth in self.price.items()},
        }


def openings(database: Database, now: datetime) -> list[tuple[Key, int]]:
    """The prognoses' findings that opened or opened again today or in the six days before: device and mode, and the day."""
    with database.reading() as connection:
        opened = findings.openings(connection, kind="prognosis", since=day_start(day_number(now) - WEEK_DAYS + 1))
    return [((subject, mode), day_number(at)) for subject, mode, at in opened]


def decide(known: Known, said: Sequence[Said], rule: Rule, opened: Sequence[tuple[Key, int]], now: datetime) -> Decided:
    """Which parts of which devices are flagged, once per part: those that are and stay so, and the best new ones within the budget."""
    fleet = sum(is_active(device, now) for of in known.labels.by_model.values() for device in of)
    decided = Decided(opened_in_week=len(opened), limit=weekly_limit(rule.per_1000_and_week, fleet))
    today = {key for key, day in opened if day == day_number(now)}
    new: list[tuple[Said, Line]] = []
    for one in said:
        line = rule.line(one.model, one.part)
        state = _state(known, one, line)
        if state == "new":
            new.append((one, line))
        elif state is not None:
            _note(decided, one, line, state, now, priced=one.finding in today)
    names = [(one.device, one.part) for one, _ in new]
    admission = admit(
        [line.worth(one.p[AHEAD]) for one, line in new], names, room(decided.limit, decided.opened_in_week)
    )
    for place in admission.admitted:
        _note(decided, *new[place], "flagged", now, priced=True)
    for place in admission.waiting:
        _note(decided, *new[place], "waiting", now)
    decided.waiting = len(admission.waiting)
    decided.opened_in_week += len(admission.admitted)
    return decided


def _state(known: Known, one: Said, line: Line) -> str | None:
    """``flagged`` while an open finding stays, ``new`` where one may open, ``unconfirmed`` on the first day above the line."""
    p30 = one.p[AHEAD]
    if one.finding in known.open:
        return "flagged" if p30 >= line.close else None
    if p30 < line.threshold:
        return None
    return "new" if known.before.get((one.device, one.part), 0.0) >= line.close else "unconfirmed"


def _note(decided: Decided, one: Said, line: Line, state: str, now: datetime, *, priced: bool = False) -> None:
    told = {"state": state, **line.told(one.p[AHEAD])}
    decided.states[one.device, one.part] = told
    if state == "flagged":
        decided.observations.append(_observation(one, line, told, now))
        if priced and line.costs is not None:
            currency, worth = line.costs.currency, line.worth(one.p[AHEAD])
            decided.price[currency] = min(worth, decided.price.get(currency, worth))


def _observation(one: Said, line: Line, told: Mapping[str, Any], now: datetime) -> Observation:
    """What a probability becomes as a finding. Critical is what is likely within seven days, whatever it costs."""
    severity: Severity = "critical" if one.p[SOON] >= line.critical else "warning"
    evidence = {
        "metrics": [reason["metric"] for reason in one.reasons if reason["metric"] not in {"age", "service"}],
        "reasons": list(one.reasons) or [PLAIN],
        "against": one.against,
        "probable_part": one.part,
        "decision": {name: value for name, value in told.items() if name != "state"},
        "probabilities": {str(horizon): value for horizon, value in zip(HORIZONS, one.p, strict=True)},
        "alarm": round(line.threshold, 6),
        "day": day_start(day_number(now) - 1).date().isoformat(),
        "model_version": one.version,
    }
    return Observation(
        "prognosis", "device", one.device, one.finding[1], severity, now, evidence, one.p[AHEAD], one.part
    )


def still_in_alarm(known: Known, rows: Sequence[Prognosis], now: datetime) -> list[Observation]:
    """Open findings of devices of which nothing new can be said: silent, or without the values that the model needs."""
    said = {(row.device_id, mode_of_part(row.part)) for row in rows if row.abstained is None and row.method == METHOD}
    result = []
    for key, finding in known.open.items():
        day = finding.evidence.get("day")
        told = None if day is None else datetime.fromisoformat(day).replace(tzinfo=UTC)
        lately = told is not None and now - told < timedelta(
            days=SILENT_DAYS + 2 + sum(one > day_number(told) for one in known.blind)
        )
        days = known.labels.renewed.get((finding.subject, finding.part or ""), ())
        renewed = any(one >= day_number(finding.last_seen) for one in days)
        if key not in said and lately and not renewed:
            result.append(still_standing(finding, now, known.blind))
    return result
