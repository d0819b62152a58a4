"""The process under test: the real runner, state machine, decoder, ledger and subscriber, driven by virtual time.

Only the thread's loop and the records are stood in for. It can be killed at any moment; what follows it has only what is durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

from hearthwatch.errors import Unavailable
from hearthwatch.messaging import subscriber as subscriber_module
from hearthwatch.messaging.address import parse_broker
from hearthwatch.messaging.session import Session
from hearthwatch.messaging.subscriber import MqttSubscriber
from hearthwatch.ports import Receipt
from hearthwatch.values import Message
from hearthwatch.wire.registry import Decoder, conventions
from ingest import runner as runner_module
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.redelivery import CONVENTION
from ingest.spool import Spool, SpoolBounds
from tests.simulation.disk import Disk
from tests.simulation.errands import VirtualErrands
from tests.simulation.line import Network, PacketId, VirtualLink
from tests.simulation.simulated_runner import Make, SimulatedRunner
from tests.simulation.stores import Killed, SimulatedRecords, SimulatedStore, Trouble

if TYPE_CHECKING:
    from tests.simulation.told import Sent

ADDRESS = parse_broker("mqtt://simulated")
CONVENTIONS = conventions(("native", "shelly_gen1"))


class Ingestor:
    """Processes that follow one another on one session and the same stores."""

    def __init__(
        self,
        make: Make,
        network: Network,
        store: SimulatedStore,
        records: SimulatedRecords,
        trouble: Trouble,
        limits: Limits,
        disk: Disk | None,
        bounds: SpoolBounds,
    ) -> None:
        self._make = make
        self._network = network
        self._store = store
        self._records = records
        self._trouble = trouble
        self._limits = limits
        self._disk = disk
        self._bounds = bounds
        self._spool: Spool | None = None
        self._timeline = network.timeline
        self._runner: SimulatedRunner | None = None
        self._subscriber: MqttSubscriber | None = None
        self._ledger = Ledger(self._timeline.monotonic)
        self._acting = self._doomed = False
        self.wake_at: float | None = None
        self.processes = 0

    # -- its life

    def start(self) -> None:
        """A new process, with what is durable."""
        self.processes += 1
        self._timeline.tell("ingestor", f"starts, process {self.processes}")
        self._doomed = False
        try:
            self._spool = None if self._disk is None else self._make.spool(self._disk, self._bounds, self._promised)
        except (Unavailable, Killed) as error:
            self._timeline.tell("ingestor", f"cannot open its spool: {error}")
            self._timeline.after(1.0, self.start)
            return
        states = {key: state for key, state in self._records.states().items() if key[0] != CONVENTION}
        decoder = Decoder(CONVENTIONS, self._make.states(states))
        session = Session("ingest", 3600, self._limits.receive_maximum)
        with mock.patch.object(subscriber_module, "Link", partial(VirtualLink, self._network)):
            self._subscriber = self._make.subscriber(ADDRESS, session, ["#"], self._timeline)
        self._ledger = self._make.ledger(self._timeline.monotonic)
        errands = partial(VirtualErrands, self._trouble, self._wakes, self.kill)
        with mock.patch.object(runner_module, "Errands", errands):
            self._runner = SimulatedRunner(
                self._make,
                self._records,
                self._trouble,
                subscriber=self._subscriber,
                decoder=decoder,
                store=self._store,
                clock=self._timeline,
                limits=self._limits,
                ledger=self._ledger,
                spool=self._spool,
            )
        self._subscriber.start(self._on_message, self._on_connection, self._runner._on_new_session)

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        if self._runner is None:
            return
        self._timeline.tell("ingestor", "is killed")
        if self._acting:
            self._doomed = True
        else:
            self._is_killed()

    def stop(self) -> None:
        """SIGTERM."""
        if self._runner is not None and self._runner._stop_at is None:
            self._timeline.tell("ingestor", "is told to stop")
            self._runner._stop_at = self._timeline.at + runner_module.STOP_SECONDS
            self.wake_at = self._timeline.at

    def pause(self, seconds: float) -> None:
        """Time passes while it waits for a store."""
        self._timeline.happen(self._timeline.at + seconds)
        if self._doomed:
            raise Killed

    def end(self) -> None:
        """The run is over: files are closed."""
        if self._spool is not None:
            self._spool.close()

    # -- its work

    def step(self) -> None:
        """One round of the runner's loop."""
        runner = self._runner
        if runner is None:
            return
        self._acting = True
        try:
            runner._perform(runner._answered_late())
            runner._perform(runner._hear())
            runner._perform(runner._force() if runner._is_urgent() else runner._intake.tick(self._timeline.at))
        except Killed:
            self._is_killed()
            return
        finally:
            self._acting = False
        if runner._stop_at is not None and runner._is_over():
            self._says_goodbye()
            return
        self._check_ledger()
        self._sleep()

    def is_at_rest(self) -> bool:
        """Whether it is connected and has nothing left to do."""
        runner, link = self._runner, self._network.link
        if runner is None or link is None or link.line is None or not link.line.subscribed:
            return False
        return runner._intake.idle and not runner._arrived and not link.busy

    # -- inside

    def _sleep(self) -> None:
        runner, now = self._runner, self._timeline.at
        if runner is None:
            return
        due = runner._intake.due()
        moments = [] if due is None else [max(due, now + 0.0005)]
        if runner._arrived:
            moments.append(now)
        if runner._stop_at is not None:
            moments.append(now + 0.05)
        self.wake_at = min(moments, default=None)

    def _on_message(self, message: Message, receipt: Receipt) -> None:
        runner = self._runner
        if runner is None:
            return
        assert isinstance(receipt, tuple)
        packet_id = receipt[1]
        assert isinstance(packet_id, PacketId)
        if runner._stop_at is None:
            self._network.laws.handed_over(packet_id.copy.sent)
        runner._on_message(message, receipt)
        self._wakes()

    def _on_connection(self, up: bool, session_present: bool) -> None:
        if self._runner is not None:
            self._runner._on_connection(up, session_present)
            self._wakes()

    def _wakes(self) -> None:
        soon = self._timeline.at + self._network.chance.choice((0.0, 0.0, 0.001, 0.01))
        self.wake_at = soon if self.wake_at is None else min(self.wake_at, soon)

    def _check_ledger(self) -> None:
        runner = self._runner
        if runner is not None:
            intake = runner._intake
            self._network.laws.check_ledger(self._ledger, idle=intake.idle, waiting=intake.waiting)

    def _says_goodbye(self) -> None:
        assert self._subscriber is not None
        self._timeline.tell("ingestor", "stops")
        self._subscriber.stop()
        self._is_gone()

    def _promised(self, messages: Sequence[Sent]) -> None:
        self._network.laws.promised(messages)

    def _is_killed(self) -> None:
        self._is_gone(power_cut=self._network.chance.random() < self._trouble.faults().power_cut)

    def _is_gone(self, *, power_cut: bool = False) -> None:
        if self._runner is not None:
            self._runner._errands.close()
        if self._disk is not None and self._spool is not None:
            if power_cut:
                self._disk.lose_power()
            self._spool.close()
        self._runner = self._subscriber = self._spool = None
        self.wake_at = None
        link, self._network.link = self._network.link, None
        if link is not None:
            link.vanish()
        self._network.laws.forgotten(self._network.broker.holds())
        self._timeline.after(self._network.chance.uniform(0.1, 10.0), self.start)
