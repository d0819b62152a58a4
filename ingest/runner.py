"""The ingestor at work: brings messages to the state machine of `ingest.intake` and carries out what it says.

One thread hears, decodes and decides. With a spool the stores are asked in a second one: meanwhile the first goes on, and turns to the
spool when the answer takes too long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from hearthwatch.errors import HearthwatchError, Invalid, Unavailable
from hearthwatch.ports import Clock, Receipt, Subscriber, TelemetryStore
from hearthwatch.records import asking, decoder_states, devices, findings, late_days, metric_names, quarantine
from hearthwatch.records.database import Database
from hearthwatch.values import Message
from hearthwatch.wire.native_memory import joined
from hearthwatch.wire.registry import Decoder
from hearthwatch.wire.shared import SharedDecoder, is_shared
from ingest import gaps
from ingest.directory import Directory
from ingest.errands import Answer, Errands, attempt
from ingest.gaps import CountingDecoder, Gaps
from ingest.identity import IdentifyingDecoder
from ingest.intake import Acknowledge, Action, Intake, Pending, Prepare, Record, Release, Report, Store, Unspool
from ingest.intake import Spool as ToSpool
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.redelivery import CONVENTION, FirstReceipts, new_session
from ingest.retelling import STATE as IDENTITY_STATE
from ingest.spool import Spool
from ingest.spool_health import told

__all__ = ["Limits", "Runner"]

LOG = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
STOP_SECONDS = 4.5
MISMATCH_RELAPSE = timedelta(days=7)
LEARN_SECONDS = 2.0
CLOCKS_APART = timedelta(seconds=60)
"""How far the clocks of ingestors' machines may be apart: what another saved is looked for from so long ago."""
_IDLE_SECONDS = 1.0
_URGENT_SECONDS = 0.05

_Arrival = tuple[Message, Receipt] | tuple[bool, bool]
"""A message with its receipt, or a change of the connection (up, session present)."""


class Runner:
    """Reads messages until stopped. ``name`` tells the sessions of one installation apart.

    With a `SharedDecoder` it learns every few seconds what other sessions remembered of the same devices. The ``spool`` is this session's
    own; it is closed with the runner.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        decoder: Decoder | SharedDecoder,
        store: TelemetryStore,
        database: Database,
        clock: Clock,
        limits: Limits,
        ledger: Ledger,
        *,
        name: str = "ingest",
        spool: Spool | None = None,
    ) -> None:
        self._subscriber = subscriber
        self._store = store
        self._database = database
        self._clock = clock
        self._limits = limits
        self._ledger = ledger
        self._name = name
        self._spool = spool
        self._shared = decoder if isinstance(decoder, SharedDecoder) else None
        self._directory = Directory(limits.admission, ask=limits.join_devices == "ask")
        self._learned_at = clock.now()
        self._learn_next = time.monotonic() + LEARN_SECONDS
        self._gaps = None if isinstance(decoder, SharedDecoder) else self._take_up_gaps()
        self._intake = self._make_intake(decoder, name)
        if spool is not None:
            ledger.spool_opened(name, lambda: spool.state)
        self._arrived: deque[_Arrival] = deque()
        self._wake = threading.Event()
        self._sleeping = False
        self._stop_at: float | None = None
        self._target: int | None = None
        self._done = threading.Condition()
        self._handled = 0
        self._connected = threading.Event()
        self._session_present: bool | None = None
        self._moved_at = time.monotonic()
        self._last_error: str | None = None
        self._errands = Errands("ingest stores", self._wake.set)
        self._underway: Pending | None = None
        self._patient_until = float("inf")
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self, *, wait: float = CONNECT_SECONDS) -> None:
        """Begin to read. Returns when the broker has taken us; a broker that is away is waited for in the background."""
        self._thread.start()
        self._subscriber.start(self._on_message, self._on_connection, self._on_new_session)
        if not self._connected.wait(wait) and wait > 0:
            LOG.warning("the broker is away; it is tried again until it answers")

    def stop(self, *, forget: bool = False) -> None:
        """Take in nothing more, store and acknowledge what is here, and disconnect, in at most ten seconds.

        What cannot be stored by then stays with the broker, unless it is to ``forget`` the session.
        """
        self._stop_at = time.monotonic() + STOP_SECONDS
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._subscriber.stop(forget=forget)
        self._write_gaps_down()
        if self._spool is not None:
            self._errands.close()
            self._ledger.spool_closed(self._name)
            self._spool.close()

    def drain(self, messages: int, timeout: float) -> None:
        """Wait until so many messages since the start were handled to the end, without waiting for a batch to fill up.

        Raises `Unavailable` after ``timeout`` seconds.
        """
        with self._done:
            self._target = messages
            self._wake.set()
            reached = self._done.wait_for(lambda: self._handled >= messages, timeout)
            self._target = None
        if not reached:
            missing = f"{self._handled} of {messages} messages were handled after {timeout:g} s"
            raise Unavailable(f"{missing}; last error: {self._last_error or 'none'}", where="ingest")

    def still_for(self) -> float:
        """Seconds for which it has been connected with nothing coming and nothing left to do."""
        at_rest = self._connected.is_set() and self._intake.idle and not self._arrived
        return time.monotonic() - self._moved_at if at_rest else 0.0

    def health(self) -> dict[str, Any]:
        """Whether it works, and where it stands."""
        alive = self._thread.is_alive()
        connected = self._connected.is_set()
        stuck = self._intake.stuck
        spool = None if self._spool is None else told(self._spool.state, self._spool.bounds, self._clock.now())
        return {
            "ok": alive and connected and not stuck and (spool is None or spool["ok"]),
            "running": alive,
            "connected": connected,
            "session_present": self._session_present,
            "store_away": stuck,
            "last_error": self._last_error,
            "spool": spool,
            "waiting_messages": self._intake.waiting + len(self._arrived),
            "handled_messages": self._handled,
            **{f"{name}_age_s": age for name, age in self._ledger.ages().items()},
            "samples": self._ledger.snapshot(),
            "devices": self._directory.told(),
            "gaps": None if self._gaps is None else self._ledger.gaps.told(),
        }

    # -- called from the subscriber's thread

    def _on_message(self, message: Message, receipt: Receipt) -> None:
        if self._stop_at is not None:
            return  # unacknowledged, it stays with the broker
        self._arrived.append((message, receipt))
        self._moved_at = time.monotonic()
        if self._sleeping:
            self._wake.set()

    def _on_connection(self, up: bool, session_present: bool) -> None:
        self._arrived.append((up, session_present))
        self._moved_at = time.monotonic()
        if up:
            self._session_present = session_present
            self._connected.set()
        else:
            self._connected.clear()
        self._wake.set()

    def _on_new_session(self) -> None:
        """Write down that all that is remembered came by an older session: a kill may come before our own thread hears of it."""
        try:
            self._save_session(new_session(self._name, self._clock.now()))
        except Exception as error:  # noqa: BLE001  the ingestor's thread tries again; a message is rarely taken for another
            LOG.warning("that the session is new could not be written down: %s", error)

    # -- the ingestor's thread

    def _run(self) -> None:
        while not self._is_over():
            self._sleep()
            try:
                self._learn()
                self._perform(self._answered_late())
                self._perform(self._hear())
                self._perform(self._force() if self._is_urgent() else self._intake.tick(time.monotonic()))
            except Exception:  # a bug must not end the ingestor in silence; what is unacknowledged comes again
                LOG.exception("the ingestor failed")
                self._wake.wait(_IDLE_SECONDS)

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        return (self._intake.safe and not self._arrived) or time.monotonic() > self._stop_at

    def _sleep(self) -> None:
        due = self._intake.due()
        wait = _IDLE_SECONDS if due is None else min(_IDLE_SECONDS, due - time.monotonic())
        if self._is_urgent():
            wait = 0.0 if not self._intake.stuck else _URGENT_SECONDS
        if self._stop_at is not None:
            wait = min(wait, _URGENT_SECONDS)
        self._sleeping = True
        if not self._arrived and wait > 0:
            self._wake.wait(wait)
        self._sleeping = False
        self._wake.clear()

    def _hear(self) -> list[Action]:
        """Bring what arrived to the state machine, in order."""
        actions: list[Action] = []
        messages: list[tuple[Message, Receipt]] = []
        at = time.monotonic()
        for _ in range(len(self._arrived)):
            one = self._arrived.popleft()
            if isinstance(one[0], Message):
                messages.append((one[0], one[1]))
                continue
            actions += self._intake.received(messages, at)
            messages = []
            actions += self._intake.connected(bool(one[1]), at) if one[0] else self._intake.disconnected(at)
        self._note_session()
        return actions + self._intake.received(messages, at)

    def _note_session(self) -> None:
        """Write down that the broker forgot our session, before anything of the new one is acknowledged."""
        states = self._intake.first_receipts.unsaved()
        if not states:
            return
        try:
            self._save_session(states)
        except Exception as error:  # noqa: BLE001  tried again in the next round; a message is rarely taken for another
            LOG.warning("that the broker forgot the session could not be written down: %s", error)
        else:
            self._intake.first_receipts.saved()

    def _is_urgent(self) -> bool:
        """Whether somebody waits for what is here."""
        if self._intake.waiting == 0 or self._underway is not None:
            return False
        target = self._target
        enough = target is not None and self._intake.handled + self._intake.waiting >= target
        return enough or self._stop_at is not None

    def _force(self) -> list[Action]:
        at = time.monotonic()
        return self._intake.tick(at) if self._intake.stuck else self._intake.flush(at)

    def _perform(self, actions: Iterable[Action]) -> None:
        todo = deque(actions)
        while todo:
            todo.extend(self._carry_out(todo.popleft()))
            if self._handled != self._intake.handled:
                with self._done:
                    self._handled = self._intake.handled
                    self._done.notify_all()

    def _carry_out(self, action: Action) -> list[Action]:
        if isinstance(action, Acknowledge):
            self._subscriber.acknowledge(action.receipts)
            return []
        if isinstance(action, Report):
            LOG.error(action.text)
            return []
        if isinstance(action, ToSpool):
            return self._put_into_spool(action)
        errand = partial(self._write, action)
        if self._spool is None or isinstance(action, Unspool | Release):
            return self._answered(action, attempt(errand))
        answer = self._errands.run(errand, 0.0)  # meanwhile messages are heard, and the next batch is decoded
        if answer is not None:
            return self._answered(action, answer)
        self._underway, self._patient_until = action, time.monotonic() + self._limits.spool_after_seconds
        return []

    def _answered_late(self) -> list[Action]:
        """What follows from the answer of what is under way, when it is there."""
        action = self._underway
        if action is None:
            return []
        answer = self._errands.late()
        if answer is None:
            self._note_silence(action)
            return []
        self._underway = None
        return self._answered(action, answer)

    def _note_silence(self, action: Pending) -> None:
        if time.monotonic() > self._patient_until:
            self._patient_until = float("inf")
            self._last_error = f"{_name(action)}: no answer for {self._limits.spool_after_seconds:g} s"
            LOG.warning(self._last_error)

    def _answered(self, action: Pending, answer: Answer) -> list[Action]:
        if answer.error is not None:  # a store's bug is treated like its absence: the batch stays, and is tried again
            if not isinstance(answer.error, HearthwatchError):
                LOG.error("a store failed", exc_info=answer.error)
            self._last_error = str(answer.error)
            LOG.warning("%s: %s", _name(action), answer.error)
            return self._intake.failed(answer.error, time.monotonic())
        self._last_error = None
        at = time.monotonic()
        match action:
            case Store():
                return self._intake.stored(answer.result, at)
            case Prepare():
                return self._intake.prepared(answer.result, at)
            case Record():
                return self._intake.recorded(at)
            case Unspool():
                return self._intake.unspooled(answer.result, at)
            case Release():
                return self._intake.released(answer.result, at)

    def _put_into_spool(self, action: ToSpool) -> list[Action]:
        try:
            mark = self._its_spool().append(action.messages)
        except Exception as error:  # whatever it is, nothing was acknowledged, and the broker keeps it
            if not isinstance(error, HearthwatchError):
                LOG.exception("the spool failed")
            if not self._intake.spool_full:
                LOG.warning("%s; nothing is acknowledged until there is room, or the store is back", error)
            return self._intake.not_spooled(error, time.monotonic())
        return self._intake.spooled(mark, time.monotonic())

    def _its_spool(self) -> Spool:
        if self._spool is None:
            raise Invalid("the intake asked for a spool although there is none")
        return self._spool

    def _write(self, action: Pending) -> Any:
        """Carry out what a batch waits for. Returns what the state machine is to hear; may run in the errands' thread."""
        match action:
            case Store():
                began = time.monotonic()
                result = self._store.write(action.values)
                self._ledger.stored_in(time.monotonic() - began)
                return result
            case Prepare():
                return self._prepare(action)
            case Record():
                return self._record(action)
            case Unspool():
                return self._its_spool().read(action.messages, action.size)
            case Release():
                return self._its_spool().release(action.mark)

    # -- the records

    def _make_intake(self, decoder: Decoder | SharedDecoder, name: str) -> Intake:
        with self._database.reading() as connection:
            names = metric_names.load(connection)
            saved = decoder_states.load(connection, conventions=[CONVENTION])
            identified = decoder_states.load(connection, conventions=[IDENTITY_STATE])
            self._directory.load(connection, self._clock.now())
        received = {partition: state for (_, partition), state in saved.items()}
        first_receipts = FirstReceipts(name, 2 * self._limits.receive_maximum, received)
        spooled = None if self._spool is None else self._spool.state.messages
        counting: CountingDecoder | Decoder | SharedDecoder = decoder
        if self._gaps is not None and isinstance(decoder, Decoder):
            counting = CountingDecoder(decoder, self._gaps)
        return Intake(
            IdentifyingDecoder(counting, decoder.forget, self._directory, name=name, saved=identified),
            self._clock,
            self._limits,
            self._ledger,
            names=names,
            first_receipts=first_receipts,
            spooled=spooled,
        )

    def _take_up_gaps(self) -> Gaps:
        """Go on counting where the last life ended in good order. It is forgotten at once: after a kill it would be old."""
        key = (gaps.CONVENTION, self._name)
        with self._database.transaction(alone=False) as connection:
            saved = decoder_states.load(connection, conventions=[gaps.CONVENTION]).get(key)
            if saved is not None:
                decoder_states.save(connection, {key: None}, self._clock.now())
        return Gaps(self._ledger.gaps, saved)

    def _write_gaps_down(self) -> None:
        if self._gaps is None:
            return
        try:
            self._save_session({(gaps.CONVENTION, self._name): self._gaps.saved()})
        except Exception as error:  # noqa: BLE001  the count begins anew then, as after a kill
            LOG.warning("how far devices had counted could not be written down: %s", error)

    def _prepare(self, action: Prepare) -> set[str]:
        now = self._clock.now()
        admitted: set[str] = set()
        with self._database.transaction(alone=bool(action.names)) as connection:
            for device in dict.fromkeys(action.names.values()):
                wanted = [metric for metric, first in action.names.items() if first == device]
                admitted |= metric_names.admit(connection, wanted, device, now, self._limits.metric_budget)
            decoder_states.save(connection, action.states, now)
        return admitted

    def _save_session(self, states: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        with self._database.transaction(alone=False) as connection:
            decoder_states.save(connection, states, self._clock.now())

    def _record(self, action: Record) -> None:
        # What other ingestors write at the same time is joined row by row; only identities are decided by what is there.
        wishes = action.wishes if self._limits.ask_devices else ()
        with self._database.transaction(alone=bool(action.identities or action.replies or wishes)) as connection:
            new = self._directory.note(connection, action.sightings, action.identities, self._clock.now())
            devices.see(connection, action.sightings)
            late_days.mark(connection, action.late)
            contradictions = devices.apply_identities(connection, action.identities)
            contradictions += self._directory.learn(connection, action.identities, self._clock.now())
            for observation in contradictions:
                findings.observe(connection, observation, relapse=MISMATCH_RELAPSE)
            quarantine.hold(connection, action.held)
            self._save(connection, dict(action.states))
            asking.hear(connection, action.replies)
            asking.wish(connection, wishes, self._clock.now())
        self._directory.noted(new)

    def _save(self, connection: Connection, states: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        now = self._clock.now()
        ours = {key: state for key, state in states.items() if not is_shared(key)}
        decoder_states.save(connection, ours, now)
        if len(ours) < len(states):
            several = {key: state for key, state in states.items() if is_shared(key)}
            decoder_states.join(connection, several, joined, now)

    def _learn(self) -> None:
        """Hear what people decided of devices, and what other sessions remembered, since the last time."""
        if time.monotonic() < self._learn_next:
            return
        self._learn_next = time.monotonic() + LEARN_SECONDS
        now = self._clock.now()
        self._hear_of_devices(now)
        if self._shared is None:
            return
        try:
            with self._database.reading() as connection:
                since = self._learned_at - CLOCKS_APART
                saved = decoder_states.load(connection, conventions=self._shared.names, since=since)
        except HearthwatchError as error:
            LOG.debug("nothing was learned of other sessions: %s", error)
            return
        self._shared.learn(saved)
        self._learned_at = now

    def _hear_of_devices(self, now: datetime) -> None:
        self._directory.exchange(self._database, now)


def _name(action: Pending) -> str:
    return type(action).__name__.lower()
