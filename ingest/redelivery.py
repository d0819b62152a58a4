"""When a message that comes again came first.

A value without a time of its own takes the time its message was received, and that time is part of its key. After a crash or a
lost connection the broker sends unacknowledged messages again, under their old packet id: they must get their old time, or they
would be stored twice. So the times of such messages are kept in the records, written before the values are stored, for as many
messages as can be unacknowledged.

A decoder whose state was saved must not hear such a message once more: an older firmware would look like an update. So it is written
down, with the states, up to which generation everything is durable; what comes again of those is known without being decoded.

Packet ids begin anew with a session, so what came by an older session is never taken for what comes again by the present one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hearthwatch.values import Message

CONVENTION = "ingest/received"
"""Under this name the times stand among the decoders' states."""

_SETTLED, _SESSION = "settled", "session"

Key = tuple[int, str]
"""Packet id and digest of a message."""


def key_of(message: Message) -> Key:
    """What stays the same when a message comes again."""
    return message.packet_id, digest(message)


def digest(message: Message) -> str:
    """What a message is, but for when it came."""
    made = hashlib.blake2b(message.topic.encode("utf-8", "replace"), digest_size=12)
    made.update(b"\0" + message.payload)
    return made.hexdigest()


def new_session(owner: str, at: datetime) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The state to save before a new session hears anything: all that is remembered by then came by an older one.

    It is replaced as soon as the ingestor's thread hears of the session; a kill may come before that.
    """
    return {(CONVENTION, f"{owner}/{_SESSION}"): {"generation": None, "since": at.isoformat()}}


class FirstReceipts:
    """The latest first receipts, in generations: one generation is one batch and one saved state.

    ``owner`` tells the ingestors of one installation apart; ``saved`` are the states of `CONVENTION`, by partition.
    """

    def __init__(self, owner: str, keep: int, saved: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._owner = owner
        self._keep = keep
        self._times: dict[Key, tuple[int, datetime]] = {}  # with the generation that holds it
        self._generations: OrderedDict[int, dict[Key, None]] = OrderedDict()
        self._size = 0
        self._next = 0
        self._settled: set[int] = set()
        self._dropped: list[int] = []
        self._in_use: set[int] = set()
        self._session: tuple[int, datetime] | None = None
        self._session_is_saved = True
        for number, state in sorted(self._saved(saved or {}).items()):
            received = {(one[0], one[1]): datetime.fromisoformat(one[2]) for one in state.get("received", [])}
            self._add(number, received)
        self._take_up_session((saved or {}).get(f"{owner}/{_SESSION}"))
        marker = (saved or {}).get(f"{owner}/{_SETTLED}", {})
        self._settled |= {one for one in self._generations if one <= marker.get("generation", -1)}
        self._settled -= set(marker.get("open", ()))

    def begin_session(self, at: datetime) -> None:
        """The broker forgot the session; what is received from ``at`` on comes by a new one. To be saved, see `unsaved`."""
        self._session, self._session_is_saved = (self._next, at), False

    def first_time(self, message: Message) -> datetime | None:
        """When a redelivered message was received first; None where that is not known, or it comes for the first time."""
        known = self._known(message) if message.redelivered else None
        return None if known is None else known[1]

    def is_settled(self, message: Message) -> bool:
        """Whether a message that comes again, from the broker or from the spool, was decoded, and all that came of it is durable."""
        known = self._known(message)
        if known is None or known[0] not in self._settled:
            return False
        return message.redelivered or known[1] == message.received_at

    def settling(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """The state to save together with what the batch of the latest generation told."""
        latest = self._next - 1
        left_open = [one for one in self._generations if one != latest and one not in self._settled]
        return {(CONVENTION, f"{self._owner}/{_SETTLED}"): {"generation": latest, "open": left_open}}

    def settled(self) -> None:
        """All that came of the latest generation is durable."""
        self._settled.add(self._next - 1)
        self._in_use.clear()

    def remember(self, receipts: Mapping[Key, datetime]) -> dict[tuple[str, str], Mapping[str, Any] | None]:
        """Add a generation. Returns the states to save; None stands for one that is to be forgotten.

        One that knew a message of this very batch is kept: after a crash the batch may come once more, from the broker or from the spool.
        """
        states: dict[tuple[str, str], Mapping[str, Any] | None] = {}
        entries = [[packet_id, digest_, at.isoformat()] for (packet_id, digest_), at in receipts.items()]
        states[CONVENTION, self._partition(self._next)] = {"received": entries}
        self._add(self._next, receipts)
        for oldest in list(self._generations)[:-1]:
            if self._size > self._keep and oldest not in self._in_use:
                self._drop(oldest)
        for number in self._dropped:
            states[CONVENTION, self._partition(number)] = None
        self._dropped.clear()
        return states

    def unsaved(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """The state to save, best before anything of a new session is acknowledged; empty when that was done, see `saved`."""
        if self._session_is_saved or self._session is None:
            return {}
        generation, since = self._session
        return {(CONVENTION, f"{self._owner}/{_SESSION}"): {"generation": generation, "since": since.isoformat()}}

    def saved(self) -> None:
        """What was `unsaved` is durable."""
        self._session_is_saved = True

    def _take_up_session(self, saved: Mapping[str, Any] | None) -> None:
        """Since when the session is the one it is, and from which generation on; see `new_session` for one without."""
        if saved is None:
            return
        generation = saved["generation"]
        self._session = (self._next if generation is None else generation, datetime.fromisoformat(saved["since"]))
        self._session_is_saved = generation is not None

    def _known(self, message: Message) -> tuple[int, datetime] | None:
        """Generation and time of a message's first receipt, unless that was another message, of an older session."""
        known = self._times.get(key_of(message))
        if known is not None and self._session is not None:
            generation, since = self._session
            known = None if known[0] < generation and since <= message.received_at else known
        if known is not None:
            self._in_use.add(known[0])
        return known

    def _add(self, number: int, receipts: Mapping[Key, datetime]) -> None:
        """Add a generation; what another one holds, which was never settled or means another message now, moves to it."""
        for key, at in receipts.items():
            older = self._times.get(key)
            self._times[key] = (number, at)
            if older is not None:
                keys = self._generations[older[0]]
                del keys[key]
                self._size -= 1
                if not keys:
                    self._drop(older[0])
        self._generations[number] = dict.fromkeys(receipts)
        self._size += len(receipts)
        self._next = number + 1

    def _drop(self, number: int) -> None:
        keys = self._generations.pop(number)
        self._size -= len(keys)
        for key in keys:
            del self._times[key]
        self._settled.discard(number)
        self._dropped.append(number)

    def _partition(self, number: int) -> str:
        return f"{self._owner}/{number}"

    def _saved(self, saved: Mapping[str, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        found = {}
        for partition, state in saved.items():
            owner, _, number = partition.rpartition("/")
            if owner == self._owner and number.isdigit():
                found[int(number)] = state
        return found
