"""Letters to staff about clocks: one for each receiver and round, whatever the number of tickets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from alerts.channels.addresses import channel_of
from alerts.service_levels.telling import Telling
from alerts.service_levels.words import Words, words_in
from hearthwatch.records import outbox

SHOWN = 100
"""Tickets that a letter names; of more it says how many."""


def send(connection: Connection, tellings: Sequence[Telling], *, language: str, public_url: str, now: datetime) -> int:
    """Write the letters into the outbox. Returns how many there are."""
    words = words_in(language)
    letters = 0
    for address, mine in sorted(_by_address(tellings).items()):
        payload = {
            "subject": words.subject(mine),
            "text": _text(words, mine, public_url),
            "html": "",
            "language": language,
        }
        letters += outbox.put(
            connection,
            kind="engineer",
            channel=channel_of(address) or "",
            address=address,
            payload=payload,
            key=_key(address, mine),
            now=now,
        )
    return letters


def _by_address(tellings: Sequence[Telling]) -> Mapping[str, list[Telling]]:
    """What each receiver hears, what is late first; of several steps about one clock, the last."""
    found: dict[str, dict[tuple[int, str, str], Telling]] = {}
    for telling in sorted(tellings, key=lambda one: one.alarm.at):
        for address in telling.addresses:
            about = (telling.ticket.id, telling.alarm.clock.name, telling.alarm.kind)
            found.setdefault(address, {})[about] = telling
    return {address: sorted(mine.values(), key=_urgency) for address, mine in found.items()}


def _urgency(one: Telling) -> tuple[bool, int, int]:
    return one.alarm.kind != "escalate", one.ticket.priority, one.ticket.id


def _text(words: Words, mine: Sequence[Telling], public_url: str) -> str:
    """Ticket by ticket, each with what is with it and where it is found."""
    by_ticket: dict[int, list[Telling]] = {}
    for one in mine:
        by_ticket.setdefault(one.ticket.id, []).append(one)
    lines: list[str] = []
    for ticket_id, told in list(by_ticket.items())[:SHOWN]:
        lines += [
            words.title(told[0]),
            *(words.line(one) for one in told),
            f"{public_url.rstrip('/')}/tickets/{ticket_id}",
            "",
        ]
    more = len(by_ticket) - SHOWN
    return "\n".join([*lines, *([words.more(more)] if more > 0 else [])]).rstrip() + "\n"


def _key(address: str, mine: Sequence[Telling]) -> str:
    """The same alarms to the same receiver are the same letter."""
    told = "\n".join(sorted(f"{one.ticket.id}:{':'.join(map(str, one.alarm.key))}" for one in mine))
    return "sla:" + hashlib.sha256(f"{address}\n{told}".encode()).hexdigest()[:48]
