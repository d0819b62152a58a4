"""Keeps a connection to a broker, in a thread of its own: connects, hears, sends, and begins anew when it is lost."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
import time
from typing import Protocol

from hearthwatch.errors import Unavailable
from hearthwatch.messaging.address import BrokerAddress
from hearthwatch.messaging.mqtt import LOST, Connection, Version
from hearthwatch.messaging.session import Listener, Session
from hearthwatch.messaging.tls import TlsContext

LOG = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Between two attempts; each is drawn, so that clients whom one broker's end sent away do not all come back in the same moment."""
ANSWER_SECONDS = 10.0
FAREWELL_SECONDS = 2.0
_STEP_SECONDS = 1.0


class Owner(Listener, Protocol):
    """Whose link it is. Called in the link's thread."""

    def connected(self, connection: Connection) -> None:
        """The broker accepted us."""
        ...

    def pump(self, connection: Connection) -> bool:
        """Hand over what waits to be sent; called again whenever there was something to do. Returns whether to read on."""
        ...

    def disconnected(self) -> None:
        """The connection is gone."""
        ...


class Link:
    """A connection that comes back."""

    def __init__(self, address: BrokerAddress, session: Session, owner: Owner) -> None:
        self._address = address
        self._session = session
        self._owner = owner
        if address.tls:
            TlsContext.trusting(address.ca)  # what cannot be read is told now, to whoever gave the address
        self._version: Version = "3.1.1" if address.protocol == "3.1.1" else "5"
        self._stopping = threading.Event()
        self._forget = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"mqtt {session.client_id}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def wake(self) -> None:
        """Have `Owner.pump` called soon."""
        with contextlib.suppress(BlockingIOError, OSError):  # full: it is awake already; closed: it has ended
            self._wake_out.send(b"\0")

    def stop(self, *, forget: bool = False) -> None:
        """Send what is queued, say goodbye and end the thread; ``forget``: the broker shall end the session."""
        self._forget = forget
        self._stopping.set()
        self.wake()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()
        self._wake_in.close()
        self._wake_out.close()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                reason = self._serve()
            except Exception:  # the one thread that must not end in silence
                LOG.exception("%s: the connection failed", self._address)
                reason = "an error of ours"
            if self._stopping.is_set():
                break
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause = FIRST_PAUSE_S
            drawn = drawn_pause(pause)
            LOG.warning("%s: %s; next try in %.1f s", self._address, reason, drawn)
            self._stopping.wait(drawn)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _serve(self) -> str:
        """One connection from beginning to end; returns why it ended."""
        connection = Connection(self._address, self._session, self._version, self._owner)
        try:
            connection.open(self._wake_in)
            self._await_answer(connection)
        except Unavailable as away:
            connection.close()
            return away.message
        if not connection.ready:
            connection.close()
            return self._not_accepted(connection)
        LOG.info("%s: connected as %s by MQTT %s", self._address, self._session.client_id, connection.version)
        try:
            self._owner.connected(connection)
            while not connection.lost and not self._stopping.is_set():
                read = self._owner.pump(connection)
                connection.step(_STEP_SECONDS, read=read)
            self._owner.pump(connection)
            connection.disconnect(FAREWELL_SECONDS, forget=self._forget)
            if self._forget and connection.version != "5":
                self._begin_anew()
        finally:
            connection.close()
            if self._address.protocol == "auto":
                self._version = "5"
            self._owner.disconnected()
        return connection.reason

    def _begin_anew(self) -> None:
        """End a session of MQTT 3.1.1: by a connection that begins a clean one."""
        clean = Session(self._session.client_id, expiry_s=0, receive_maximum=self._session.receive_maximum)
        connection = Connection(self._address, clean, "3.1.1", self._owner)
        try:
            connection.open(self._wake_in)
            until = time.monotonic() + FAREWELL_SECONDS
            while not connection.ready and not connection.lost and time.monotonic() < until:
                connection.step(0.1)
            connection.disconnect(FAREWELL_SECONDS)
        except Unavailable as away:
            LOG.warning("%s: the session of %s was not ended: %s", self._address, self._session.client_id, away.message)
        finally:
            connection.close()

    def _await_answer(self, connection: Connection) -> None:
        until = time.monotonic() + ANSWER_SECONDS
        while not connection.ready and not connection.lost and not self._stopping.is_set():
            if time.monotonic() > until:
                raise Unavailable(f"no answer within {ANSWER_SECONDS:.0f} s")
            connection.step(0.1)

    def _not_accepted(self, connection: Connection) -> str:
        # Brokers older than MQTT 5 say so, or hang up on what they cannot read.
        if self._address.protocol == "auto" and (connection.unsupported or connection.reason == LOST):
            self._version = "3.1.1" if self._version == "5" else "5"
        return connection.reason


def drawn_pause(pause: float) -> float:
    """Seconds to wait: from the pause to twice of it, at most the longest; then from half of the longest."""
    low = min(pause, LONGEST_PAUSE_S / 2)
    return random.uniform(low, 2 * low)  # noqa: S311  nobody gains by guessing it
