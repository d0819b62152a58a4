"""Messages that came and are in no batch yet, in the order of receipt, each with a time of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from hearthwatch.clock import was_set_back
from hearthwatch.ports import Clock, Receipt
from hearthwatch.values import Message
from ingest.limits import Limits

STILL_S = 0.005
"""A stream that stood still for so long, and for ten times its usual gap, waits for acknowledgements: a broker with a small window."""
STILL_MESSAGES = 8
_TICK = timedelta(microseconds=1)


class Waiting:
    """A queue. Times called ``at`` are seconds of a clock that only runs forward; ``clock`` tells the time of day."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._messages: deque[tuple[Message, Receipt]] = deque()
        self._bytes = 0
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self._newest_at = 0.0
        # How many of the first came by an older connection, and by a session the broker has forgotten.
        self._of_older_connection = self._ours_alone = 0
        self.oldest_at = 0.0

    def __len__(self) -> int:
        return len(self._messages)

    # -- what comes and goes

    def add(self, arrived: Sequence[tuple[Message, Receipt]], at: float) -> None:
        """Messages came, in this order."""
        if not self._messages:
            self.oldest_at = at
        self._newest_at = at
        for message, receipt in arrived:
            last = self._last_stamp
            if message.received_at <= last and not was_set_back(last, message.received_at):
                message = _received_at(message, last + _TICK)  # the time may become a key, so no two have the same
            self._last_stamp = message.received_at
            self._messages.append((message, receipt))
            self._bytes += len(message.payload)

    def take(self) -> list[tuple[Message, Receipt]]:
        """The first of them, as many as make a batch."""
        taken: list[tuple[Message, Receipt]] = []
        size = 0
        while self._messages and len(taken) < self._limits.batch_messages and size < self._limits.batch_bytes:
            one = self._messages.popleft()
            size += len(one[0].payload)
            taken.append(one)
        self._bytes -= size
        self._of_older_connection = max(0, self._of_older_connection - len(taken))
        self._ours_alone = max(0, self._ours_alone - len(taken))
        return taken

    # -- the connection

    def disconnected(self) -> None:
        """The connection that brought them is gone."""
        self._of_older_connection = len(self._messages)

    def session_present(self) -> int:
        """The broker sends everything again that is not acknowledged: let it go. Returns how many were."""
        gone = self._let_go(self._of_older_connection) if self._of_older_connection else 0
        self._of_older_connection = 0
        return gone

    def session_forgotten(self) -> datetime:
        """Nobody sends again what is here. Returns when the first message of the new session came, or the next one may come."""
        self._ours_alone = max(self._ours_alone, self._of_older_connection)
        began_at = self._began_at()
        self._of_older_connection = 0
        return began_at

    def _began_at(self) -> datetime:
        if len(self._messages) > self._of_older_connection:
            return self._messages[self._of_older_connection][0].received_at
        now, last = self._clock.now(), self._last_stamp
        return now if now > last or was_set_back(last, now) else last + _TICK

    def _let_go(self, count: int) -> int:
        """Forget the first ``count``, but for those that nobody sends again."""
        first = [self._messages.popleft() for _ in range(count)]
        kept = [one for place, one in enumerate(first) if place < self._ours_alone or one[0].qos == 0]
        self._messages.extendleft(reversed(kept))
        self._ours_alone = len(kept)
        self._bytes = sum(len(message.payload) for message, _ in self._messages)
        return len(first) - len(kept)

    # -- whether they are a batch

    def is_full(self) -> bool:
        """Whether a whole batch is here."""
        return len(self._messages) >= self._limits.batch_size or self._bytes >= self._limits.batch_bytes

    def is_due(self, at: float) -> bool:
        """Whether they shall be stored now."""
        return bool(self._messages) and (self.is_full() or at >= self.due_at())

    def due_at(self) -> float:
        """When they shall be stored, however few there are."""
        full = self.oldest_at + self._limits.batch_seconds
        count = len(self._messages)
        if count < STILL_MESSAGES:
            return full
        return min(full, self._newest_at + max(STILL_S, 10 * (self._newest_at - self.oldest_at) / count))

    def any_again(self) -> bool:
        """Whether any of the next batch may have come before."""
        return any(message.redelivered for message, _ in islice(self._messages, self._limits.batch_messages))


def _received_at(message: Message, at: datetime) -> Message:
    """The same message with another time of receipt; spelled out, because a general way takes several times as long."""
    return Message(
        message.topic,
        message.payload,
        at,
        message.retain,
        message.qos,
        message.user,
        message.packet_id,
        message.redelivered,
    )
