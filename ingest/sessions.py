"""The sessions of one ingestor among several, each held by a lease.

::

    {client_id}-0, -1, ...   a share of what may be shared, one session for each ingestor that runs
    {client_id}-solo         everything else, for one ingestor at a time

An ingestor takes the first share that is free, so one that was restarted takes up the session that a killed one left, with all that
the broker kept in it. Whoever loses a lease lets go of its session at once; should another have it already, the broker has ended
our connection, because it knows one for each client id. A session that nobody has held for a while (there are fewer ingestors now)
is emptied and ended by one of the others: the broker would park its share in it for ever. The same is done for what waits in the spool
of a session that nobody has, by an ingestor on the machine where it waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hearthwatch.errors import HearthwatchError
from hearthwatch.ports import Clock
from hearthwatch.records import broker_sessions, leases
from hearthwatch.records.database import Database
from hearthwatch.records.leases import Lease
from ingest.ledger import Ledger
from ingest.runner import Runner

LOG = logging.getLogger(__name__)

SHARES = 64
"""Ingestors of one installation at most."""
STEP_SECONDS = 0.5
"""How often leases are confirmed: sooner than a connection that was taken over comes back (after a second)."""
NOTE_SECONDS = 10.0
LEFT_AFTER = timedelta(seconds=60)
"""A session that nobody held for so long is emptied, by an ingestor that runs for as long: longer than a restart of all of them takes."""
EMPTY_AFTER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A session to open. ``shared``: several have one like it. ``leaving``: take in what waits, nothing new."""

    client_id: str
    filters: tuple[str, ...]
    shared: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """How one installation's topics are divided: what is shared, and what one session hears alone."""

    client_id: str
    shared: tuple[str, ...]
    alone: tuple[str, ...]

    def share(self, number: int) -> Plan:
        """The session of the ingestor with this number. The group's name is the client id: two installations share nothing."""
        filters = tuple(f"$share/{self.client_id}/{one}" for one in self.shared)
        return Plan(f"{self.client_id}-{number}", filters, shared=True)

    def is_share(self, client_id: str) -> bool:
        """Whether a session is, or was, an ingestor's share."""
        name, _, number = client_id.rpartition("-")
        return name == self.client_id and number.isdigit()

    def solo(self) -> Plan:
        """The session of whoever hears everything else."""
        return Plan(f"{self.client_id}-solo", self.alone)

    def undivided(self) -> Plan:
        """The session of a platform in one process."""
        return Plan(self.client_id, (*self.shared, *self.alone))


@dataclass(frozen=True, slots=True)
class _Held:
    plan: Plan
    lease: Lease
    runner: Runner


class Sessions:
    """Holds what leases it can get, until stopped. ``open_runner`` opens a session; ``holder`` names this process; ``spools`` tells
    the sessions of which messages wait on this machine's disk: they are taken first, or emptied when nobody has them."""

    def __init__(
        self,
        split: Split,
        open_runner: Callable[[Plan], Runner],
        database: Database,
        clock: Clock,
        ledger: Ledger,
        holder: str,
        spools: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._split = split
        self._open_runner = open_runner
        self._database = database
        self._clock = clock
        self._ledger = ledger
        self._holder = holder
        self._spools = spools
        self._started_at = clock.now()
        self._leases: dict[str, Lease] = {}
        self._share: _Held | None = None
        self._solo: _Held | None = None
        self._leaving: _Held | None = None
        self._lost: list[_Held] = []
        self._has_asked = False
        self._handled_before = 0
        self._left: list[str] = []
        self._ended = 0
        self._note_at = 0.0
        self._error: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest sessions", daemon=True)

    def start(self) -> None:
        """Begin to take sessions, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Store and acknowledge what is here, disconnect, and let the leases go, in less than ten seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        held = self._all()
        stopping = [threading.Thread(target=_stop, args=(one,)) for one in held]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        for lease in self._leases.values():
            lease.give_up()

    def health(self) -> dict[str, Any]:
        """Whether it works, and where each session stands."""
        sessions = {one.plan.client_id: one.runner.health() for one in self._all()}
        alive, complete = self._thread.is_alive(), self._has_asked and self._is_complete()
        errors = [one["last_error"] for one in sessions.values() if one["last_error"]]
        return {
            "ok": alive and complete and all(one["ok"] for one in sessions.values()),
            "running": alive and all(one["running"] for one in sessions.values()),
            "connected": complete and all(one["connected"] for one in sessions.values()),
            "store_away": any(one["store_away"] for one in sessions.values()),
            "last_error": next(iter(errors), self._error),
            "waiting_messages": sum(one["waiting_messages"] for one in sessions.values()),
            "handled_messages": self._handled_before + sum(one["handled_messages"] for one in sessions.values()),
            **{f"{name}_age_s": age for name, age in self._ledger.ages().items()},
            "samples": self._ledger.snapshot(),
            "sessions": {name: _told(one) for name, one in sessions.items()},
            "sessions_left": list(self._left),
            "sessions_ended": self._ended,
        }

    # -- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
                self._error = None
            except HearthwatchError as error:
                self._error = str(error)
                LOG.warning("sessions: %s", error)
            except Exception as error:  # a bug must not leave sessions without anybody who looks after them
                self._error = f"{type(error).__name__}: {error}"
                LOG.exception("the sessions' thread failed")
            self._stopping.wait(STEP_SECONDS)

    def _step(self) -> None:
        self._share = self._kept(self._share)
        self._solo = self._kept(self._solo)
        self._leaving = self._kept(self._leaving)
        for lost in self._take_lost():
            self._let_go(lost)
        if not self._is_complete():
            self._share = self._first_free_share()
        if self._solo is None and self._split.alone:
            self._solo = self._take(self._split.solo())
        self._has_asked = True
        if self._leaving is not None:
            self._end_when_empty(self._leaving)
        if time.monotonic() >= self._note_at:
            self._note_at = time.monotonic() + NOTE_SECONDS
            self._note()

    def _first_free_share(self) -> _Held | None:
        spooled = self._spools()  # what waits on this machine can be stored from here alone
        plans = sorted(map(self._split.share, range(SHARES)), key=lambda plan: plan.client_id not in spooled)
        return next((held for plan in plans if (held := self._take(plan))), None)

    def _take(self, plan: Plan) -> _Held | None:
        """Open a session if its lease can be had. Raises `Unavailable` when the records are away."""
        lease = self._leases.get(plan.client_id)
        if lease is None:
            lease = self._leases[plan.client_id] = leases.lease(self._database, f"ingest {plan.client_id}")
        if not lease.hold():
            return None
        try:
            with self._database.transaction(alone=False) as connection:
                if not plan.leaving:
                    broker_sessions.opened(connection, plan.client_id, plan.filters, self._holder, self._clock.now())
            runner = self._open_runner(plan)
            runner.start(wait=0.0)
        except BaseException:
            lease.give_up()
            raise
        LOG.info("session %s is %s", plan.client_id, "emptied" if plan.leaving else "ours")
        return _Held(plan, lease, runner)

    def _kept(self, held: _Held | None) -> _Held | None:
        """A session as long as its lease is ours; one whose lease is lost is let go after the others were asked for theirs."""
        if held is None or held.lease.hold():
            return held
        LOG.warning("the lease on session %s is lost; it is let go", held.plan.client_id)
        self._lost.append(held)
        return None

    def _take_lost(self) -> list[_Held]:
        lost, self._lost = self._lost, []
        return lost

    def _let_go(self, held: _Held) -> None:
        try:
            _stop(held)
        except Exception:  # it is not ours any more, however it ends
            LOG.exception("session %s did not stop in order", held.plan.client_id)
        self._count(held)

    def _is_complete(self) -> bool:
        """Whether it has its share, or there is nothing to share: then one ingestor hears everything, and the others stand by."""
        return self._share is not None or not self._split.shared

    def _end_when_empty(self, held: _Held) -> None:
        if held.runner.still_for() < EMPTY_AFTER_SECONDS:
            return
        held.runner.stop(forget=True)
        self._leaving = None
        self._count(held)
        try:
            with self._database.transaction(alone=False) as connection:
                broker_sessions.ended(connection, held.plan.client_id, self._clock.now())
        finally:
            held.lease.give_up()
        self._ended += 1
        LOG.info("session %s was left by its ingestor; it is empty now, and ended", held.plan.client_id)

    def _note(self) -> None:
        """Write down which sessions are ours, and begin with one that nobody has any more."""
        now, ours = self._clock.now(), [one.plan.client_id for one in self._all()]
        undivided = self._split.undivided()
        with self._database.transaction(alone=False) as connection:
            broker_sessions.held(connection, ours, self._holder, now)
            # A platform that once ran in one process had a session that still gets every message.
            broker_sessions.suspected(connection, undivided.client_id, undivided.filters, now - LEFT_AFTER)
            left = broker_sessions.left(connection, now - LEFT_AFTER)
        left = [one for one in left if one.client_id not in ours]
        self._left = [one.client_id for one in left]
        if self._leaving is not None or not self._is_complete() or now - self._started_at < LEFT_AFTER:
            return
        known = {session.client_id: session.filters for session in left}
        known |= {one: self._split.share(0).filters for one in self._spools() if one not in known and one not in ours}
        for client_id, had in known.items():
            filters = tuple(dict.fromkeys((*had, *undivided.filters)))
            self._leaving = self._take(Plan(client_id, filters, shared=self._split.is_share(client_id), leaving=True))
            if self._leaving is not None:
                break

    def _all(self) -> Sequence[_Held]:
        return [one for one in (self._share, self._solo, self._leaving) if one is not None]

    def _count(self, held: _Held) -> None:
        self._handled_before += int(held.runner.health()["handled_messages"])


def _stop(held: _Held) -> None:
    held.runner.stop()


def _told(health: dict[str, Any]) -> dict[str, Any]:
    """What a session's own part tells that the whole does not."""
    return {
        name: health[name] for name in ("ok", "connected", "session_present", "waiting_messages", "last_error", "spool")
    }
