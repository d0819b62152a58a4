"""Devices: the list, and everything known about one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from nicegui import ui

from api.context import ApiContext
from api.pages import commands as command_pages
from api.pages import findings as finding_pages
from api.pages import hold_outs as hold_out_pages
from api.pages import liveness as liveness_pages
from api.pages import prognoses as prognosis_pages
from api.pages import tickets as ticket_pages
from api.pages.callers import caller_card
from api.pages.charts import Points, lines
from api.pages.frame import Visit, card, facts, sentence
from api.pages.language import Speaker, speaker
from api.pages.tables import served_table, table, worded
from api.pages.wording import day, metric, moment, since
from api.security import FIELD, Person
from hearthwatch.records import (
    aliases,
    blindness,
    command_routes,
    commands,
    customers,
    devices,
    findings,
    liveness,
    parts,
    prognoses,
    tickets,
)
from hearthwatch.records.blindness import BlindSpan
from hearthwatch.records.commands import Command
from hearthwatch.records.customers import Owner
from hearthwatch.records.liveness import Change, Liveness, ReportingPlan
from hearthwatch.records.parts import InstalledPart
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device, Finding, Ticket
from hearthwatch.wire.commands.requests import offered

PERIOD = timedelta(days=28)
SHOWN_FIRST = 4
COLUMNS = (
    ("device", "Device", "left"),
    ("model", "Device model", "left"),
    ("hardware", "Hardware", "left"),
    ("version", "Firmware", "left"),
    ("region", "Region", "left"),
    ("state", "State", "left"),
    ("last_seen", "Last seen", "left"),
)
EVENTS = (
    ("at", "At (UTC)", "left"),
    ("kind", "Kind", "left"),
    ("code", "Code", "left"),
    ("firmware", "Firmware", "left"),
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything the page of one device shows. ``daily`` and ``events`` are Arrow tables of the telemetry store."""

    device: Device
    ids: Sequence[str]
    owner: str | None
    parts: Sequence[InstalledPart]
    prognoses: Sequence[Prognosis]
    findings: Sequence[Finding]
    tickets: Sequence[Ticket]
    kinds: Sequence[str]
    asked: Sequence[Command]
    live: Liveness | None
    changes: Sequence[Change]
    plan: ReportingPlan | None
    daily: pa.Table
    events: pa.Table


def row(say: Speaker, device: Device, known: Liveness | None, now: datetime) -> dict[str, Any]:
    """A device as a row of a table."""
    return {
        "id": device.id,
        "device": device.id,
        "device_to": f"/devices/{device.id}",
        "model": device.model or "–",
        "hardware": device.hardware or "–",
        "version": device.version or device.firmware or "–",
        "region": device.region or "–",
        **liveness_pages.cells(say, known),
        "last_seen": since(say, device.last_seen, now),
    }


async def devices_page(visit: Visit) -> None:
    """All devices, found by id, model, firmware or state."""
    say = speaker(visit.request)
    names = ("model", "version", "hardware", "search", "state")
    wanted = {name: visit.request.query_params.get(name) or None for name in names}
    if wanted["state"] not in liveness.STATES:
        wanted["state"] = None
    asked = visit.request.query_params.get("incident") or ""
    incident = int(asked) if asked.isdecimal() and len(asked) < 18 else None
    counts, blind = await visit.load(_states)
    liveness_pages.blind_notice(say, blind)
    liveness_pages.chips(say, counts, wanted["state"])

    def search() -> None:
        ui.navigate.to(f"/devices?search={box.value or ''}")

    with ui.row().classes("items-center gap-2 w-full"):
        box = (
            ui.input(say("Search by id"), value=wanted["search"] or "")
            .classes("w-72")
            .props("dense outlined clearable")
        )
        box.on("keydown.enter", search)
        ui.button(say("Search"), on_click=search).props("no-caps outline")
        if incident is not None:
            ui.link(say("part of incident {number}", number=incident), f"/findings/{incident}").classes("hw-link")
        chosen = " · ".join(_chosen(say, name, value) for name, value in wanted.items() if value and name != "search")
        if chosen:
            ui.label(chosen).classes("hw-quiet")
            ui.link(say("show all"), "/devices").classes("hw-link")

    def fetch(offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        with visit.context.database.reading() as connection:
            found, total = devices.numbered_page(connection, offset=offset, limit=limit, incident=incident, **wanted)
            known = liveness.find(connection, [device.id for device in found])
        now = visit.context.clock.now()
        return [row(say, device, known.get(device.id), now) for device in found], total

    await served_table(worded(say, COLUMNS), fetch, links=("device",), badges=("state",))


def _chosen(say: Speaker, name: str, value: str) -> str:
    label = next(label for field, label, _ in COLUMNS if field == name)
    return say("{what}: {value}", what=say(label), value=say.word(value) if name == "state" else value)


def _states(context: ApiContext) -> tuple[dict[str, int], BlindSpan | None]:
    with context.database.reading() as connection:
        return liveness.counts(connection), blindness.current(connection, context.clock.now())


async def device_page(visit: Visit) -> None:
    """One device: who it is, how it does, what was found, what was done."""
    say = speaker(visit.request)
    shown = await visit.load(_load, visit.person, visit.request.path_params["device_id"])
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.column().classes("grow basis-80"), card(shown.device.id):
            _identity(visit.context, say, shown)
        with (
            ui.column().classes("grow basis-80 min-w-0"),
            card(
                say("Risk of failure"),
                say("Probability that a part fails, and from what that is known (docs/prognosis.md)."),
            ),
        ):
            prognosis_pages.parts_at_risk(say, shown.prognoses)
    liveness_pages.liveness_card(say, shown.live, shown.changes)
    liveness_pages.reporting_form(visit.context, say, visit.person, shown.device.id, shown.plan)
    await hold_out_pages.device_note(visit, shown.device.id)
    _findings_and_tickets(say, shown, visit.context.clock.now())
    command_pages.device_card(visit, shown.device, shown.kinds, shown.asked)
    caller_card(visit, shown.device.id)
    _charts(say, shown)
    _events(say, shown)


def _findings_and_tickets(say: Speaker, shown: Portrait, now: datetime) -> None:
    with card(say("Findings and tickets")):
        if shown.findings:
            table(
                worded(say, finding_pages.COLUMNS),
                [finding_pages.row(say, one) for one in shown.findings],
                links=("what",),
                badges=("severity", "state"),
            )
        if shown.tickets:
            table(
                worded(say, ticket_pages.COLUMNS),
                [ticket_pages.row(one, now, say) for one in shown.tickets],
                links=("title",),
                badges=("state",),
            )
        if not shown.findings and not shown.tickets:
            sentence(say("Nothing was ever found on this device."))


def _events(say: Speaker, shown: Portrait) -> None:
    with card(say("What it reported"), say("Of the last 28 days, newest first.")):
        rows = [
            {
                "id": index,
                "at": moment(event["at"]),
                "kind": say.word(event["kind"]),
                "code": say.word(event["code"]),
                "firmware": event["firmware"] or "–",
            }
            for index, event in enumerate(reversed(shown.events.to_pylist()))
        ]
        if rows:
            table(worded(say, EVENTS), rows, page_size=10)
        else:
            sentence(say("None."))


def _owner(owner: Owner | None, person: Person) -> str | None:
    """Whose it is; by name for those who may know people by their names."""
    if owner is None or person.role not in FIELD:
        return owner.customer.id if owner else None
    return f"{owner.customer.name} ({owner.customer.id})"


def _load(context: ApiContext, person: Person, device_id: str) -> Portrait:
    now = context.clock.now()
    with context.database.reading() as connection:
        device = devices.get(connection, device_id)
        ids = aliases.ids_of(connection, device_id)
        owner = customers.owner_of(connection, device_id, now)
        route = command_routes.route_to(connection, device)
        portrait = {
            "device": device,
            "ids": ids,
            "owner": _owner(owner, person),
            "parts": parts.parts_of(connection, device_id),
            "prognoses": prognoses.of_device(connection, device_id),
            "findings": findings.list_findings(connection, subject=device_id),
            "tickets": tickets.list_tickets(connection, device_id=device_id),
            "live": liveness.find(connection, [device_id]).get(device_id),
            "plan": liveness.plans(connection).get(("device", device_id)),
            "changes": liveness.changes(connection, device_id, limit=liveness_pages.SHOWN),
            "kinds": list(offered(route)) if route is not None else [],
            "asked": commands.list_commands(connection, device_id=device_id, limit=command_pages.SHOWN),
        }
    until = max(now, device.last_seen) if device.last_seen else now
    if device.last_seen is not None and device.last_seen < now - PERIOD:
        until = device.last_seen + timedelta(hours=1)  # history that ended long ago is still worth a look
    return Portrait(
        daily=context.store.daily(until - PERIOD, until + timedelta(days=1), devices=ids),
        events=context.store.events(until - PERIOD, until + timedelta(hours=1), devices=ids),
        **portrait,  # type: ignore[arg-type]
    )


def _identity(context: ApiContext, say: Speaker, shown: Portrait) -> None:
    device = shown.device
    fitted = [
        say("{part} since {day}", part=prognosis_pages.part_name(say, one.part), day=day(one.from_at))
        for one in shown.parts
        if one.to_at is None
    ]
    facts(
        {
            say("Device model"): device.model or "–",
            say("Hardware"): device.hardware or "–",
            say("Firmware"): device.firmware or "–",
            say("Serial number"): device.serial or "–",
            say("Made"): day(device.made),
            say("Installed"): day(device.installed_at or device.first_seen),
            say("Region"): device.region or "–",
            say("Owner"): shown.owner or say("not known"),
            say("Speaks"): device.convention or "–",
            say("Other ids"): ", ".join(one for one in shown.ids if one != device.id) or "–",
            say("State"): liveness_pages.standing(say, shown.live, device.last_seen, context.clock.now()),
            say("Parts"): say(", ").join(fitted) or "–",
        }
    )


def _charts(say: Speaker, shown: Portrait) -> None:
    by_metric: dict[str, list[tuple[datetime, float | None]]] = defaultdict(list)
    updates: dict[str, datetime] = {}
    for one in shown.daily.sort_by("day").to_pylist():
        by_metric[one["metric"]].append((one["day"], one["mean"]))
    for event in shown.events.to_pylist():
        if event["kind"] == "update":
            updates[say("update {version}", version=event["firmware"] or "–")] = event["at"]
    named = [name for finding in shown.findings for name in finding.evidence.get("metrics", ())]
    order = sorted(by_metric, key=lambda name: (name not in named, name))
    with card(say("Telemetry"), say("Daily means of the last 28 days; metrics that a finding named come first.")):
        if not order:
            sentence(say("No telemetry in this period."))
            return
        chosen = (
            ui.select(order, multiple=True, value=order[:SHOWN_FIRST], label=say("Metrics"))
            .classes("w-full")
            .props("use-chips dense outlined")
        )

        @ui.refreshable
        def draw() -> None:
            with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
                for name in chosen.value or []:
                    points: Points = by_metric[name]
                    with ui.column().classes("w-full gap-0"):
                        ui.label(metric(say, name)).classes("text-sm font-semibold")
                        lines({name: points}, height="h-48", moments=updates, label=metric(say, name))

        draw()
        chosen.on_value_change(draw.refresh)
