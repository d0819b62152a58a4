"""What a desk is told of a ticket's ledger, in words. English here; translations in ``locale/<language>/LC_MESSAGES/mirrors.po``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alerts.notices.catalogue import translations
from hearthwatch.records.tickets import TicketEvent
from hearthwatch.service_desk import DeskWord, WordKind

OPENED = "Opened by {actor}: {title}"
FACTS = "Device {device}, model {model}, firmware {firmware}"
PHRASES = {
    "joined": "A further sign of it: {mode}",
    "assigned": "Assigned to {technician_id}",
    "started": "Work has begun",
    "scheduled": "A visit is arranged for {at}",
    "visit_off": "The visit is off",
    "waiting": "Waits for: {for}",
    "resumed": "Goes on",
    "raised": "Priority {from} became {to}",
    "remedy_proposed": "Proposed remedy: {remedy}",
    "remedy_chosen": "Chosen remedy: {remedy}",
    "approval_asked": "The customer was asked about the price",
    "approved": "The customer agreed to the price",
    "declined": "The customer declined the price",
    "approval_over": "Nobody answers about the price any more",
    "diagnosed": "Taken for: {mode} ({part})",
    "recovered": "The device has been well again",
    "merged": "Goes on as ticket {into}",
    "closed": "Closed as {code} ({part})",
    "corrected": "It was not {was} but {code} ({part})",
    "reopened": "Opened again",
    "customer": "The customer wishes: {wish}",
    "owner_known": "It is the case of the device's owner from now on",
}
"""By event of the ledger. Those that are absent are not told."""
ERASED = "(erased at the person's request)"
SPOKEN: Mapping[str, WordKind] = {"note": "note", "replied": "reply", "message": "message"}
"""Events with a text of somebody."""
CODES = ("for", "remedy", "mode", "code", "was", "wish")
"""Details that are codes of ours and read as words."""


def every() -> tuple[str, ...]:
    """All sentences that need a translation."""
    return (OPENED, FACTS, ERASED, *PHRASES.values())


def word_of(
    event: TicketEvent, texts: Mapping[int, str], language: str, opening: Callable[[], Mapping[str, str]]
) -> DeskWord | None:
    """An event as a desk reads it; None for one that it need not hear of. ``opening`` gives what is known when the ticket opens."""
    say = translations(language).gettext
    if event.what == "opened":
        return DeskWord(event.id, event.at, "change", event.actor, _opened(say, event, opening()))
    if event.what in SPOKEN:
        text = texts.get(int(event.detail.get("message_id", 0)), "")
        return DeskWord(event.id, event.at, SPOKEN[event.what], _author(event.actor), text or say(ERASED))
    phrase = PHRASES.get(event.what)
    if phrase is None:
        return None
    return DeskWord(event.id, event.at, "change", _author(event.actor), say(phrase).format_map(_Details(event.detail)))


def _opened(say: Callable[[str], str], event: TicketEvent, known: Mapping[str, str]) -> str:
    lines = [say(OPENED).format(actor=event.actor, title=known["title"])]
    if known.get("device"):
        lines.append(say(FACTS).format_map(_Details(known)))
    return "\n".join([*lines, known.get("reasons", "")]).strip()


def _author(actor: str) -> str:
    """Who it was, without the number of a customer."""
    kind = actor.partition(":")[0]
    return "customer" if kind in {"customer", "reporter"} else actor


class _Details(dict[str, Any]):
    """Particulars as they are read; what an entry does not say is a dash."""

    def __init__(self, detail: Mapping[str, Any]) -> None:
        super().__init__({name: _read(name, value) for name, value in detail.items()})

    def __missing__(self, _name: str) -> str:
        return "–"


def _read(name: str, value: Any) -> str:
    if value is None or value == "":
        return "–"
    return str(value).replace("_", " ") if name in CODES else str(value)
