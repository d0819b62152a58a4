"""What a message was understood to say, as plain JSON: the answer of ``hearthwatch decode``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hearthwatch.values import Decoded, Event, Identity, Presence, Reading, Reply, Value
from hearthwatch.wire.instants import spell


def describe(name: str | None, decoded: Decoded) -> dict[str, Any]:
    """``convention``, ``values``, ``rejected``, ``ignored`` and ``error``; the last two are None unless nothing came of the message."""
    refused = bool(decoded.rejected) and not decoded.values
    return {
        "convention": name,
        "values": [_SPELL[type(value)](value) for value in decoded.values],
        "rejected": [
            {"part": rejection.part, "reason": rejection.reason, "samples": rejection.samples}
            for rejection in decoded.rejected
        ],
        "ignored": decoded.ignored,
        "error": _why(decoded) if refused else None,
    }


def describe_error(name: str | None, error: str) -> dict[str, Any]:
    """The same for a message that was malformed as a whole."""
    return {"convention": name, "values": [], "rejected": [], "ignored": None, "error": error}


def _why(decoded: Decoded) -> str:
    reasons = [
        f"{rejection.part}: {rejection.reason}" if rejection.part else rejection.reason
        for rejection in decoded.rejected
    ]
    return "; ".join(reasons[:5]) + ("; ..." if len(reasons) > 5 else "")


def _head(kind: str, value: Value, firmware: str | None) -> dict[str, Any]:
    return {"type": kind, "device": value.device, "at": spell(value.at), "fw": firmware}


def _reading(value: Reading) -> dict[str, Any]:
    return _head("reading", value, value.firmware) | {
        "metrics": dict(value.metrics),
        "stream": value.stream,
        "boot": value.boot,
        "seq": value.seq,
        "clockless": value.clockless,
    }


def _event(value: Event) -> dict[str, Any]:
    return _head("event", value, value.firmware) | {
        "kind": value.kind,
        "code": value.code,
        "detail": dict(value.detail),
        "stream": value.stream,
        "boot": value.boot,
        "seq": value.seq,
    }


def _presence(value: Presence) -> dict[str, Any]:
    return _head("presence", value, value.firmware) | {
        "online": value.online,
        "stream": value.stream,
        "boot": value.boot,
    }


def _identity(value: Identity) -> dict[str, Any]:
    return _head("identity", value, value.firmware) | {
        "model": value.model,
        "hardware": value.hardware,
        "serial": value.serial,
        "hardware_address": value.hardware_address,
        "made": value.made,
        "parts": dict(value.parts),
    }


def _reply(value: Reply) -> dict[str, Any]:
    told = {"id": value.id, "ok": value.ok, "detail": dict(value.detail)}
    return _head("reply", value, None) | ({**told, "kind": value.kind} if value.kind else told)


_SPELL: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Reading: _reading,
    Event: _event,
    Presence: _presence,
    Identity: _identity,
    Reply: _reply,
}
