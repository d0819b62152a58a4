"""Tells the maker's own systems what becomes of notices and tickets: messages in the outbox, read off the ledgers.

A ledger's events get their numbers when they are written and appear when their transaction ends, which may be in another order; the newest
ones are therefore read again for a while. The outbox takes each message once, by its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import takewhile

from sqlalchemy import Connection

from alerts.delivery.event_messages import TYPES, Event, NoticeData, NoticeEvent, TicketData, TicketEvent
from alerts.notices import replacement
from hearthwatch.errors import Invalid
from hearthwatch.records import event_feed, outbox
from hearthwatch.records.database import Database
from hearthwatch.records.event_feed import Happened, Ledger

KIND = "event"
SETTLED = timedelta(minutes=5)
"""No transaction takes longer: what is older appeared in its order."""
MOST = 2000
"""Events read at once."""
NAME_LENGTH = 30
_NOTICE = (
    "id", "kind", "cause", "state", "reason", "customer_id", "device_id", "language", "created_at", "send_after", "sent_at",
    "why",
)  # fmt: skip
_TICKET = (
    "id", "kind", "cause", "state", "priority", "customer_id", "device_id", "model", "part", "opened_at", "due_at", "closed_at",
    "closing_code",
)  # fmt: skip
_COLUMNS: Mapping[Ledger, Sequence[str]] = {"notice": _NOTICE, "ticket": _TICKET}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system that is told: its name in the settings, and what it wants to hear (``notice.*``, ``ticket.closed``)."""

    name: str
    wants: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises `Invalid` for what can not be."""
        where = f"webhooks.{self.name}"
        if not self.name.replace("-", "").replace("_", "").isalnum() or not self.name.isascii():
            raise Invalid("a webhook is named by letters, digits, - and _", where=where)
        if len(self.name) > NAME_LENGTH:
            raise Invalid(f"its name has more than {NAME_LENGTH} characters", where=where)
        for pattern in self.wants:
            if not any(fnmatchcase(one, pattern) for one in TYPES):
                raise Invalid(f"there is no event {pattern!r}; there are {', '.join(TYPES)}", where=where)

    def hears(self, kind: str) -> bool:
        """Whether it wants to be told of a type of events."""
        return any(fnmatchcase(kind, pattern) for pattern in self.wants)


def channel_of(endpoint: str) -> str:
    """The channel of an endpoint in the outbox: one each, so that one that is down holds up no other."""
    return f"webhook:{endpoint}"


def address_of(endpoint: str) -> str:
    """The address of an endpoint in the outbox; where it leads stands in the settings."""
    return f"event:{endpoint}"


def announce(database: Database, endpoints: Sequence[Endpoint], now: datetime) -> int:
    """Write what happened since the last time into the outbox. Returns how many messages."""
    written = 0
    for endpoint in endpoints:
        for ledger in _COLUMNS:
            after, more = 0, True
            while more:
                with database.transaction(alone=False) as connection:
                    told, after, more = _tell(connection, endpoint, ledger, after, now)
                written += told
    return written


def _tell(
    connection: Connection, endpoint: Endpoint, ledger: Ledger, after: int, now: datetime
) -> tuple[int, int, bool]:
    """Tell the next events after one, and after the endpoint's place. Returns how many messages, the last event, whether there are more.

    The place moves over what is settled, and never over newer events, however many there are: before one of them an event may appear yet.
    """
    place = event_feed.place(connection, endpoint.name, ledger)
    start = max(place, after)
    happened = event_feed.since(connection, ledger, start, _COLUMNS[ledger], limit=MOST)
    messages = {f"event:{endpoint.name}:{ledger}:{one.id}": message_of(ledger, one) for one in happened}
    wanted = {key: one for key, one in messages.items() if one is not None and endpoint.hears(one.type)}
    known = outbox.known(connection, wanted)
    new = {key: one for key, one in wanted.items() if key not in known}
    for key, message in new.items():
        outbox.put(
            connection,
            kind=KIND,
            channel=channel_of(endpoint.name),
            address=address_of(endpoint.name),
            payload={"subject": message.type, "text": message.model_dump_json(), "html": ""},
            key=key,
            now=now,
        )
    settled = list(takewhile(lambda one: one.at <= now - SETTLED, happened))
    if settled and start == place:
        event_feed.keep_place(connection, endpoint.name, ledger, settled[-1].id)
    return len(new), happened[-1].id if happened else start, len(happened) == MOST


def message_of(ledger: Ledger, happened: Happened) -> Event | None:
    """The message about an event; None for what nobody outside needs to hear."""
    return _of_notice(happened) if ledger == "notice" else _of_ticket(happened)


def _of_notice(happened: Happened) -> NoticeEvent | None:
    what = happened.detail.get("state") if happened.what == "written" else happened.what
    if what not in {"queued", "sent", "failed"}:
        return None
    about = dict(happened.about)
    offer = replacement.of_reasons(about.pop("why"))
    data = NoticeData(
        event=happened.id,
        customer=about.pop("customer_id"),
        device=about.pop("device_id"),
        channel=happened.detail.get("channel"),
        replacement=offer.kept if offer else None,
        **about,
    )
    return NoticeEvent.model_validate({"type": f"notice.{what}", "timestamp": happened.at, "data": data})


def _of_ticket(happened: Happened) -> TicketEvent:
    about = dict(happened.about)
    data = TicketData(
        event=happened.id,
        what=happened.what,
        customer=about.pop("customer_id"),
        device=about.pop("device_id"),
        **about,
    )
    kind = {"opened": "ticket.opened", "closed": "ticket.closed"}.get(happened.what, "ticket.changed")
    return TicketEvent.model_validate({"type": kind, "timestamp": happened.at, "data": data})
