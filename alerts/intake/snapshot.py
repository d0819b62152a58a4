"""What we know of a device at the moment something is reported about it, so that nobody is asked for it. Nothing in it names a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hearthwatch.errors import Missing
from hearthwatch.records import customers, devices, findings, liveness, models, prognoses, tickets, warranties
from hearthwatch.records.findings import UNRECOVERED
from hearthwatch.values import Device, Event, Finding

PERIOD = timedelta(days=7)
MOST = 20
"""Findings, events and changes of each kind that are kept; the newest."""


def standing(connection: Connection, device_id: str) -> list[Finding]:
    """The findings that stand on a device, newest first."""
    return [one for one in findings.list_findings(connection, subject=device_id) if one.state in UNRECOVERED]


def of_device(connection: Connection, device_id: str, now: datetime, events: Sequence[Event] = ()) -> dict[str, Any]:
    """The device as JSON: identity, firmware, warranty, whether it is there, and what was found and seen within the last 7 days.

    ``events`` are those that the telemetry store has of it. Raises `Missing`.
    """
    device = devices.get(connection, device_id)
    owner = customers.owner_of(connection, device_id, now)
    return {
        "at": now.isoformat(),
        "device": _identity(connection, device),
        "warranty": _warranty(connection, device_id, now),
        "state": _state(connection, device),
        "findings": _findings(connection, device_id, now),
        "prognoses": _prognoses(connection, device_id),
        "events": _events(events, now),
        "changes": _changes(connection, device_id, now),
        "open_tickets": [one.id for one in tickets.list_tickets(connection, device_id=device_id, open_only=True)],
        "language": owner.customer.language if owner else None,
    }


def _identity(connection: Connection, device: Device) -> dict[str, Any]:
    product, kind = device.model, None
    if device.model:
        try:
            model = models.get(connection, device.model)
            product, kind = model.name, model.device_class
        except Missing:
            pass
    return {
        "id": device.id,
        "model": device.model,
        "product": product,
        "device_class": kind,
        "hardware": device.hardware,
        "firmware": device.firmware,
        "version": device.version,
        "serial": device.serial,
        "installed_at": _iso(device.installed_at or device.first_seen),
    }


def _warranty(connection: Connection, device_id: str, now: datetime) -> dict[str, Any]:
    known = warranties.of_devices(connection, [device_id])[device_id]
    return {"until": _iso(known.until), "basis": known.basis, "covered": known.covers(now)}


def _state(connection: Connection, device: Device) -> dict[str, Any]:
    known = liveness.find(connection, [device.id]).get(device.id)
    return {
        "state": known.state if known else "unknown",
        "since": _iso(known.since) if known else None,
        "flapping": known.flapping if known else False,
        "power": known.power if known else None,
        "last_seen": _iso(device.last_seen),
    }


def _findings(connection: Connection, device_id: str, now: datetime) -> list[dict[str, Any]]:
    since = now - PERIOD
    found = findings.list_findings(connection, subject=device_id)
    recent = [one for one in found if one.state in UNRECOVERED or one.last_seen >= since]
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "mode": one.mode,
            "part": one.part,
            "severity": one.severity,
            "state": one.state,
            "probability": one.probability,
            "first_seen": _iso(one.first_seen),
            "last_seen": _iso(one.last_seen),
            "evidence": _told(one.evidence),
        }
        for one in recent[:MOST]
    ]


def _told(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a finding's evidence that become sentences."""
    return {name: evidence[name] for name in ("reasons", "against", "probable_part", "metrics") if evidence.get(name)}


def _prognoses(connection: Connection, device_id: str) -> list[dict[str, Any]]:
    return [
        {
            "part": one.part,
            "at": _iso(one.at),
            "p30": one.p30,
            "abstained": one.abstained,
            "rul_p50": one.rul_p50,
            "reasons": list(one.reasons)[:3],
        }
        for one in prognoses.of_device(connection, device_id)
    ]


def _events(events: Sequence[Event], now: datetime) -> list[dict[str, Any]]:
    recent = sorted((one for one in events if one.at >= now - PERIOD), key=lambda one: one.at, reverse=True)
    return [{"at": _iso(one.at), "kind": one.kind, "code": one.code, "firmware": one.firmware} for one in recent[:MOST]]


def _changes(connection: Connection, device_id: str, now: datetime) -> list[dict[str, Any]]:
    changes = liveness.changes(connection, device_id, limit=MOST)
    return [{"at": _iso(one.at), "state": one.state} for one in changes if one.at >= now - PERIOD]


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
