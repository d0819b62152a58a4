"""A broker with one session: what waits, what was sent and not acknowledged, what is retained.

It keeps to MQTT 5: a message is sent again on a new connection only, marked DUP, under its packet id and before everything newer
(4.4, 4.6); packet ids begin anew with a session (2.2.1); retained messages come with a new subscription (3.8.4); QoS 0 is sent
to whoever is there. Like Mosquitto it counts packet ids up and around.
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.timeline import Timeline

if TYPE_CHECKING:
    from tests.simulation.laws import Laws
    from tests.simulation.line import Line
    from tests.simulation.told import Sent


@dataclass(slots=True, eq=False)
class Copy:
    """A message on its way to the session."""

    sent: Sent
    retained: bool = False
    number: int = 0
    tried: bool = False


@dataclass(slots=True)
class Session:
    """What the broker keeps for the ingestor."""

    subscribed: bool = False
    queue: deque[Copy] = field(default_factory=deque)
    in_flight: OrderedDict[int, Copy] = field(default_factory=OrderedDict)
    last_id: int = 0


class Broker:
    """``window`` may be larger than the client's receive maximum, as Mosquitto 2.0 sends; ``ids`` is how many packet ids there are."""

    def __init__(
        self, timeline: Timeline, chance: random.Random, laws: Laws, *, window: int, room: int, ids: int
    ) -> None:
        self._timeline = timeline
        self._chance = chance
        self._laws = laws
        self._window = window
        self._room = room
        self._ids = ids
        self._session: Session | None = None
        self._retained: dict[str, Sent] = {}
        self._line: Line | None = None
        self.away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether it takes no connections now."""
        return self._timeline.at < self.away_until

    @property
    def empty(self) -> bool:
        """Whether the session holds nothing."""
        session = self._session
        return session is None or not (session.queue or session.in_flight)

    # -- from devices

    def publish(self, sent: Sent) -> None:
        """A device published, and was told that we have it."""
        session = self._session
        if sent.retain:
            self._retained[sent.topic] = sent
        if session is None or not session.subscribed:
            self._laws.lost([sent], "nobody had subscribed")
        elif sent.qos == 0:
            if self._line is None:
                self._laws.lost([sent], "QoS 0, and nobody there")
            else:
                self._line.send(Copy(sent))
        elif len(session.queue) >= self._room:
            self._laws.lost([sent], "the queue was full")
        else:
            session.queue.append(Copy(sent))
            self._push()

    # -- from the ingestor

    def connect(self, line: Line) -> bool:
        """A connection; whoever had one before has none now. Returns whether there is a session."""
        self.drop(self._line)
        self._line = line
        present = self._session is not None
        if self._session is None:
            self._session = Session()
        session = self._session
        again = list(session.in_flight.values())
        for copy in again:
            copy.tried = True
        session.queue.extendleft(reversed(again))
        session.in_flight.clear()
        self._laws.given_back([copy.sent for copy in again])
        return present

    def ready(self, line: Line) -> None:
        """The ingestor knows that it is connected: what waits may go."""
        if line is self._line:
            self._push()

    def subscribe(self, line: Line) -> None:
        """The ingestor subscribed."""
        session = self._session
        if line is not self._line or session is None:
            return
        if not session.subscribed:
            session.subscribed = True
            for sent in self._retained.values():
                self._laws.copied(sent)
                session.queue.append(Copy(sent, retained=True))
        line.confirm()
        self._push()

    def acknowledged(self, line: Line, number: int) -> None:
        """A PUBACK came."""
        if line is self._line and self._session is not None:
            self._session.in_flight.pop(number, None)
            self._push()

    def drop(self, line: Line | None) -> None:
        """A connection is over, as far as we know."""
        if line is not None and line is self._line:
            self._line = None

    def wipe(self) -> None:
        """The session is forgotten, and with it what waits."""
        session, self._session = self._session, None
        if self._line is not None:
            self._line.cut()
        if session is not None:
            self._laws.wiped([copy.sent for copy in (*session.in_flight.values(), *session.queue)])

    def holds(self) -> set[int]:
        """Numbers of the messages it will send (again)."""
        session = self._session
        return set() if session is None else {one.sent.number for one in (*session.queue, *session.in_flight.values())}

    def _push(self) -> None:
        session, line = self._session, self._line
        while session is not None and line is not None and session.queue and len(session.in_flight) < self._window:
            copy = session.queue.popleft()
            if not copy.tried:
                copy.number = self._next_id(session)
            session.in_flight[copy.number] = copy
            line.send(copy)

    def _next_id(self, session: Session) -> int:
        taken = session.in_flight.keys() | {copy.number for copy in session.queue if copy.tried}
        while True:
            session.last_id = session.last_id % self._ids + 1
            if session.last_id not in taken:
                return session.last_id
