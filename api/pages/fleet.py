"""The fleet at a glance: what needs attention first, then every group with its vitals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui
from sqlalchemy import Connection

from analytics.vital_ratios import VITALS, ratios
from analytics.vitals import UNKNOWN
from api.context import ApiContext
from api.pages import findings as finding_pages
from api.pages import liveness as liveness_pages
from api.pages import prognoses as prognosis_pages
from api.pages.charts import lines
from api.pages.frame import Visit, card, figure, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import table, worded
from api.pages.wording import number, reasons, share
from hearthwatch.records import (
    blindness,
    devices,
    findings,
    liveness,
    notices,
    outcomes,
    prognoses,
    tickets,
    vitals,
)
from hearthwatch.records.blindness import BlindSpan
from hearthwatch.records.devices import Group
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.records.vitals import VitalsRow
from hearthwatch.values import Device, Finding

WEEK = timedelta(days=7)
CHARTED = timedelta(days=28)
SHOWN = 8
MANY = 2000
CHARTED_MODELS = 8
LEAST_HOURS = 6
"""Hours a device was heard on a day, on average, for the day to be charted."""

GroupKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows."""

    groups: Sequence[Group]
    week: Mapping[GroupKey, Mapping[str, float]]
    rows: Sequence[VitalsRow]
    open_findings: Sequence[Finding]
    by_group: Mapping[GroupKey, int]
    failures: Mapping[GroupKey, int]
    open_tickets: int
    sent: int
    riskiest: Sequence[Prognosis]
    states: Mapping[str, int]
    blind: BlindSpan | None


async def fleet_page(visit: Visit) -> None:
    """All of it on one screen."""
    say = speaker(visit.request)
    shown = await visit.load(_load)
    if not shown.groups:
        sentence(say("No devices yet. They appear here with their first message, or with an imported history."))
        return
    liveness_pages.blind_notice(say, shown.blind)
    _figures(say, shown)
    liveness_pages.chips(say, shown.states, None)
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.column().classes("grow basis-96 min-w-0"), card(say("Needs attention")):
            _attention(say, shown.open_findings)
        with (
            ui.column().classes("grow basis-[44rem] min-w-0"),
            card(
                say("Most likely to fail"), say("Within 30 days; what is known by age or use alone opens no finding.")
            ),
        ):
            _riskiest(say, shown.riskiest)
    with card(say("Groups"), say("Vitals of the last seven days. Groups with open findings come first.")):
        _groups(say, shown)
    _reboot_chart(say, shown.rows)


def _load(context: ApiContext) -> Overview:
    now = context.clock.now()
    with context.database.reading() as connection:
        rows = vitals.list_vitals(connection, now - CHARTED, now)
        standing = findings.list_findings(connection, states=("open", "acknowledged"), limit=MANY)
        return Overview(
            groups=devices.groups(connection),
            week=_sums(row for row in rows if row.day >= now - WEEK),
            rows=rows,
            open_findings=[finding for finding in standing if finding.state == "open"],
            by_group=_count_by_group(
                connection, [finding.subject for finding in standing if finding.subject_type == "device"]
            ),
            failures=_count_by_group(
                connection, [one.device_id for one in outcomes.list_outcomes(connection) if one.outcome == "failure"]
            ),
            open_tickets=len(tickets.list_tickets(connection, open_only=True, limit=MANY)),
            sent=sum(
                1
                for notice in notices.list_notices(connection, state="sent", limit=MANY)
                if notice.created_at >= now - WEEK
            ),
            riskiest=prognoses.riskiest(connection, since=now - prognoses.RECENT, limit=SHOWN),
            states=liveness.counts(connection),
            blind=blindness.current(connection, now),
        )


def _sums(rows: Any) -> dict[GroupKey, dict[str, float]]:
    total: dict[GroupKey, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        for name, value in row.sums.items():
            total[row.model, row.hardware, row.firmware][name] += value
    return total


def _count_by_group(connection: Connection, ids: Sequence[str]) -> Mapping[GroupKey, int]:
    known = devices.find(connection, ids)
    return Counter(_key(known[one]) for one in ids if one in known)


def _key(thing: Device | Group) -> GroupKey:
    return (thing.model or UNKNOWN, thing.hardware or UNKNOWN, thing.version or UNKNOWN)


def _figures(say: Speaker, shown: Overview) -> None:
    total = sum(group.devices for group in shown.groups)
    there = shown.states.get("online", 0) + shown.states.get("asleep", 0)
    critical = sum(finding.severity == "critical" for finding in shown.open_findings)
    whole: dict[str, float] = defaultdict(float)
    for sums in shown.week.values():
        for name, value in sums.items():
            whole[name] += value
    measured = ratios(whole)
    with ui.row().classes("w-full gap-4"):
        lately = say("last seven days")
        figure(say("Devices"), f"{total:,}", say("{count} online or asleep", count=f"{there:,}"))
        figure(say("Open findings"), f"{len(shown.open_findings):,}", say("{count} critical", count=critical))
        figure(say("Open tickets"), f"{shown.open_tickets:,}")
        figure(say("Notices sent"), f"{shown.sent:,}", lately)
        figure(say("Crash-free hours"), share(measured.get("crash_free_hours"), 2), lately)
        figure(say("Connectivity"), share(measured.get("connectivity"), 1), lately)


def _attention(say: Speaker, standing: Sequence[Finding]) -> None:
    if not standing:
        sentence(say("Nothing stands open."))
        return
    order = {"critical": 0, "warning": 1, "info": 2}
    gravest = sorted(standing, key=lambda finding: (order[finding.severity], finding.subject_type == "device"))[:SHOWN]
    table(
        worded(say, [column for column in finding_pages.COLUMNS if column[0] in {"severity", "what", "subject"}]),
        [finding_pages.row(say, finding) for finding in gravest],
        links=("what", "subject"),
        badges=("severity",),
    ).props("wrap-cells")
    if len(standing) > SHOWN:
        ui.link(say("All {count}", count=len(standing)), "/findings").classes("hw-link")


def _riskiest(say: Speaker, known: Sequence[Prognosis]) -> None:
    if not known:
        sentence(say("No prognosis yet: it needs failures to learn from (hearthwatch import, or closed tickets)."))
        return
    table(
        (
            ("device", say("Device"), "left"),
            ("part", say("Part"), "left"),
            ("p30", say("{days} days", days=30), "right"),
            ("origin", say("Known from"), "left"),
            ("why", say("Why"), "left"),
        ),
        [
            {
                "id": f"{one.device_id}/{one.part}",
                "device": one.device_id,
                "device_to": f"/devices/{one.device_id}",
                "part": prognosis_pages.part_name(say, one.part),
                "p30": share(one.p30),
                "origin": prognosis_pages.origin(say, one),
                "why": "".join(reasons({"reasons": one.reasons}, brief=True, language=say.reasons)[:1]),
            }
            for one in known
        ],
        links=("device",),
        prose=("why",),
    ).props("wrap-cells")


def _groups(say: Speaker, shown: Overview) -> None:
    rows = sorted(
        (_group_row(say, group, shown) for group in shown.groups), key=lambda row: (-row["findings"], -row["devices"])
    )
    table(
        (
            ("model", say("Device model"), "left"),
            ("hardware", say("Hardware"), "left"),
            ("version", say("Firmware"), "left"),
            ("devices", say("Devices"), "right"),
            ("online", say("Online"), "right"),
            ("findings", say("Findings"), "right"),
            ("failures", say("Failures so far"), "right"),
            *((vital.name, say(vital.heading), "right") for vital in VITALS),
        ),
        rows,
        links=("model",),
        page_size=40,
    )


def _group_row(say: Speaker, group: Group, shown: Overview) -> dict[str, Any]:
    key = _key(group)
    measured = ratios(shown.week.get(key, {}))
    return {
        "id": "/".join(key),
        "model": group.model or say("unknown"),
        "model_to": f"/devices?model={group.model or ''}&version={group.version or ''}",
        "hardware": group.hardware or "–",
        "version": group.version or "–",
        "devices": group.devices,
        "online": group.online,
        "findings": shown.by_group.get(key, 0),
        "failures": shown.failures.get(key, 0),
        **{
            vital.name: share(measured.get(vital.name), 2) if vital.unit == "%" else number(measured.get(vital.name))
            for vital in VITALS
        },
    }


def _reboot_chart(say: Speaker, rows: Sequence[VitalsRow]) -> None:
    daily: dict[tuple[str, datetime], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    devices_of: Counter[str] = Counter()
    for row in rows:
        if row.sums.get("hours", 0.0) < LEAST_HOURS * row.devices:
            continue  # heard too little for a rate by the hour: the daily summaries of an import, or a day that just began
        name = f"{row.model} {row.firmware}".strip()
        devices_of[name] += row.devices
        for summed, value in row.sums.items():
            daily[name, row.day][summed] += value
    largest = [name for name, _ in devices_of.most_common(CHARTED_MODELS)]
    series = {
        name: [
            (day, ratios(sums).get("unexpected_reboots"))
            for (one, day), sums in sorted(daily.items(), key=lambda item: item[0][1])
            if one == name
        ]
        for name in largest
    }
    with card(say("Unexpected reboots by firmware"), say("Per 1,000 device-hours and day.")):
        if any(value for points in series.values() for _, value in points):
            lines(series, label=say("Unexpected reboots by firmware"))
        else:
            sentence(say("None were reported."))
