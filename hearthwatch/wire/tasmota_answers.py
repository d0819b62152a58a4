"""Answers of Tasmota to commands, which carry no id: they are told by their topic, and belong to the command that waits.

Source: ``CmndStatusResponse`` in tasmota/tasmota_support/support_command.ino, and tasmota.github.io/docs/Commands. ``Status 0`` is answered
part by part (STATUS, STATUS1, ... STATUS11), ``Status0`` by one STATUS0; each part has its own key inside, so they can be laid together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hearthwatch.wire.answers import kept
from hearthwatch.wire.draft import Draft, text_or_none
from hearthwatch.wire.instants import spell

TOGETHER = timedelta(seconds=20)
"""Parts of one answer come within this time; what comes later was asked for by another question."""
_LAST = 11
_PREFIXES = frozenset({"tele", "stat"})


def learn_command_topic(draft: Draft) -> None:
    """Remember where the device listens, unless that is ``cmnd/<device>``: its own topic may have levels, or come before the prefix."""
    *levels, _ = draft.message.topic.split("/")
    listens = "/".join(("cmnd", *levels[1:]) if levels[0] in _PREFIXES else (*levels[:-1], "cmnd"))
    draft.keep("cmnd", listens if listens != default_command_topic(draft.device) else None)


def default_command_topic(device: str) -> str:
    """Where a device with the usual FullTopic listens: ``cmnd/<topic>``."""
    return f"cmnd/{device}"


def hear_answer(draft: Draft, kind: str, parts: Mapping[str, Any]) -> None:
    """A ``Status`` answer. What a broker kept answers nobody."""
    if draft.message.retain or not parts:
        return
    number = kind.removeprefix("STATUS")
    if number == "0":
        draft.reply(ok=True, detail=parts, kind="diagnostics")
    elif number == "" or number.isdigit():
        _hear_part(draft, int(number or 0), parts)


def _hear_part(draft: Draft, number: int, parts: Mapping[str, Any]) -> None:
    """One part of several: the last one completes the answer. A part out of order stands for itself."""
    begun = None if number == 0 else _begun(draft, number)
    if number != 0 and begun is None:
        draft.keep("answer", None)
        if number == 2:
            draft.reply(ok=True, detail=parts, kind="device_info")
        return
    together = kept({**(begun or {}), **parts})
    if number == _LAST:
        draft.keep("answer", None)
        draft.reply(ok=True, detail=together, kind="diagnostics")
    else:
        draft.keep("answer", {"at": spell(draft.message.received_at), "last": number, "parts": together})


def _begun(draft: Draft, number: int) -> Mapping[str, Any] | None:
    """The parts before this one, if it goes on with them."""
    known = draft.recall("answer")
    if not isinstance(known, Mapping):
        return None
    since, last, parts = known.get("at"), known.get("last"), known.get("parts")
    if not isinstance(since, str) or not isinstance(last, int) or not isinstance(parts, Mapping):
        return None
    late = draft.message.received_at - datetime.fromisoformat(since) > TOGETHER
    return None if late or number <= last else parts


def hear_upgrade(draft: Draft, given: Mapping[str, Any]) -> None:
    """``{"Upgrade": "Version 14.2.0 from http://..."}``: the device begins, or says why not."""
    said = text_or_none(given.get("Upgrade"))
    if said is not None and not draft.message.retain:
        draft.reply(ok=said.startswith("Version"), detail={"Upgrade": said}, kind="update")
