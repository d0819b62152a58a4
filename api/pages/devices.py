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
from api.pages.tables import served_table, table
from api.pages.wording import day, metric, moment, since
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
from hearthwatch.records.liveness import Change, Liveness, ReportingPlan
from hearthwatch.records.parts import InstalledPart
from hearthwatch.records.prognoses import Prognosis
from hearthwatch.values import Device, Finding, Ticket
from hearthwatch.wire.commands.requests import offered

PERIOD = timedelta(days=28)
SHOWN_FIRST = 4
COLUMNS = (
    ("device", "Device", "left"),
    ("model", "Model", "left"),
    ("hardware", "Hardware", "left"),
    ("version", "Firmware", "left"),
    ("region", "Region", "left"),
    ("state", "State", "left"),
    ("last_seen", "Last seen", "left"),
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything the page of one device shows. ``daily`` and ``events`` are Arrow tables of the telemetry store."""

    device: Device
    ids: Sequence[str]
    owner: str
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


def row(device: Device, known: Liveness | None, now: datetime) -> dict[str, Any]:
    """A device as a row of a table."""
    return {
        "id": device.id,
        "device": device.id,
        "device_to": f"/devices/{device.id}",
        "model": device.model or "–",
        "hardware": device.hardware or "–",
        "version": device.version or device.firmware or "–",
        "region": device.region or "–",
        **liveness_pages.cells(known),
        "last_seen": since(device.last_seen, now),
    }


async def devices_page(visit: Visit) -> None:
    """All devices, found by id, model, firmware or state."""
    names = ("model", "version", "hardware", "search", "state")
    wanted = {name: visit.request.query_params.get(name) or None for name in names}
    if wanted["state"] not in liveness.STATES:
        wanted["state"] = None
    asked = visit.request.query_params.get("incident") or ""
    incident = int(asked) if asked.isdecimal() and len(asked) < 18 else None
    counts, blind = await visit.load(_states)
    liveness_pages.blind_notice(blind)
    liveness_pages.chips(counts, wanted["state"])

    def search() -> None:
        ui.navigate.to(f"/devices?search={box.value or ''}")

    with ui.row().classes("items-center gap-2 w-full"):
        box = ui.input("Search by id", value=wanted["search"] or "").classes("w-72").props("dense outlined clearable")
        box.on("keydown.enter", search)
        ui.button("Search", on_click=search).props("no-caps outline")
        if incident is not None:
            ui.link(f"part of incident {incident}", f"/findings/{incident}").classes("hw-link")
        chosen = " · ".join(f"{name} {value}" for name, value in wanted.items() if value and name != "search")
        if chosen:
            ui.label(chosen).classes("hw-quiet")
            ui.link("show all", "/devices").classes("hw-link")

    def fetch(offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        with visit.context.database.reading() as connection:
            found, total = devices.numbered_page(connection, offset=offset, limit=limit, incident=incident, **wanted)
            known = liveness.find(connection, [device.id for device in found])
        now = visit.context.clock.now()
        return [row(device, known.get(device.id), now) for device in found], total

    await served_table(COLUMNS, fetch, links=("device",), badges=("state",))


def _states(context: ApiContext) -> tuple[dict[str, int], BlindSpan | None]:
    with context.database.reading() as connection:
        return liveness.counts(connection), blindness.current(connection, context.clock.now())


async def device_page(visit: Visit) -> None:
    """One device: who it is, how it does, what was found, what was done."""
    shown = await visit.load(_load, visit.request.path_params["device_id"])
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.column().classes("grow basis-80"), card(shown.device.id):
            _identity(visit.context, shown)
        with (
            ui.column().classes("grow basis-80 min-w-0"),
            card("Risk of failure", "Probability that a part fails, and from what that is known (docs/prognosis.md)."),
        ):
            prognosis_pages.parts_at_risk(shown.prognoses)
    liveness_pages.liveness_card(shown.live, shown.changes)
    liveness_pages.reporting_form(visit.context, visit.person, shown.device.id, shown.plan)
    await hold_out_pages.device_note(visit, shown.device.id)
    with card("Findings and tickets"):
        if shown.findings:
            table(
                finding_pages.COLUMNS,
                [finding_pages.row(one) for one in shown.findings],
                links=("what",),
                badges=("severity", "state"),
            )
        if shown.tickets:
            now = visit.context.clock.now()
            table(
                ticket_pages.COLUMNS,
                [ticket_pages.row(one, now) for one in shown.tickets],
                links=("title",),
                badges=("state",),
            )
        if not shown.findings and not shown.tickets:
            sentence("Nothing was ever found on this device.")
    command_pages.device_card(visit, shown.device, shown.kinds, shown.asked)
    caller_card(visit, shown.device.id)
    _charts(shown)
    with card("Events", "Of the last 28 days, newest first."):
        rows = [
            {
                "id": index,
                "at": moment(event["at"]),
                "kind": event["kind"],
                "code": event["code"],
                "firmware": event["firmware"] or "–",
            }
            for index, event in enumerate(reversed(shown.events.to_pylist()))
        ]
        if rows:
            table(
                (
                    ("at", "At (UTC)", "left"),
                    ("kind", "Kind", "left"),
                    ("code", "Code", "left"),
                    ("firmware", "Firmware", "left"),
                ),
                rows,
                page_size=10,
            )
        else:
            sentence("None.")


def _load(context: ApiContext, device_id: str) -> Portrait:
    now = context.clock.now()
    with context.database.reading() as connection:
        device = devices.get(connection, device_id)
        ids = aliases.ids_of(connection, device_id)
        owner = customers.owner_of(connection, device_id, now)
        route = command_routes.route_to(connection, device)
        portrait = {
            "device": device,
            "ids": ids,
            "owner": f"{owner.customer.name} ({owner.customer.id})" if owner else "not known",
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


def _identity(context: ApiContext, shown: Portrait) -> None:
    device = shown.device
    facts(
        {
            "Model": device.model or "–",
            "Hardware": device.hardware or "–",
            "Firmware": device.firmware or "–",
            "Serial": device.serial or "–",
            "Made": day(device.made),
            "Installed": day(device.installed_at or device.first_seen),
            "Region": device.region or "–",
            "Owner": shown.owner,
            "Speaks": device.convention or "–",
            "Other ids": ", ".join(one for one in shown.ids if one != device.id) or "–",
            "State": liveness_pages.standing(shown.live, device.last_seen, context.clock.now()),
            "Parts": ", ".join(f"{one.part} since {day(one.from_at)}" for one in shown.parts if one.to_at is None)
            or "–",
        }
    )


def _charts(shown: Portrait) -> None:
    by_metric: dict[str, list[tuple[datetime, float | None]]] = defaultdict(list)
    updates: dict[str, datetime] = {}
    for one in shown.daily.sort_by("day").to_pylist():
        by_metric[one["metric"]].append((one["day"], one["mean"]))
    for event in shown.events.to_pylist():
        if event["kind"] == "update":
            updates[f"update {event['firmware'] or ''}"] = event["at"]
    named = [name for finding in shown.findings for name in finding.evidence.get("metrics", ())]
    order = sorted(by_metric, key=lambda name: (name not in named, name))
    with card("Telemetry", "Daily means of the last 28 days; metrics that a finding named come first."):
        if not order:
            sentence("No telemetry in this period.")
            return
        chosen = (
            ui.select(order, multiple=True, value=order[:SHOWN_FIRST], label="Metrics")
            .classes("w-full")
            .props("use-chips dense outlined")
        )

        @ui.refreshable
        def draw() -> None:
            with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-4"):
                for name in chosen.value or []:
                    points: Points = by_metric[name]
                    with ui.column().classes("w-full gap-0"):
                        ui.label(metric(name)).classes("text-sm font-semibold")
                        lines({name: points}, height="h-48", moments=updates)

        draw()
        chosen.on_value_change(draw.refresh)
