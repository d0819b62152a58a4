"""The runner under test, with records that are stood in for, and how its parts are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from hearthwatch.errors import HearthwatchError
from hearthwatch.messaging.subscriber import MqttSubscriber
from hearthwatch.records.database import Database
from hearthwatch.wire.registry import Decoder
from ingest.gaps import CountingDecoder, Gaps
from ingest.identity import IdentifyingDecoder
from ingest.intake import Acknowledge, Action, Intake, Pending, Prepare, Record
from ingest.ledger import Ledger
from ingest.redelivery import CONVENTION, FirstReceipts
from ingest.runner import Runner
from tests.simulation.disk import WatchedSpool
from tests.simulation.stores import SimulatedRecords, Trouble, Unforeseen
from tests.simulation.timeline import Violation

if TYPE_CHECKING:
    from hearthwatch.wire.shared import SharedDecoder


class Make:
    """How the parts under test are made; a mutant makes one of them differently."""

    intake: type[Intake] = Intake
    first_receipts: type[FirstReceipts] = FirstReceipts
    subscriber: type[MqttSubscriber] = MqttSubscriber
    ledger: type[Ledger] = Ledger
    spool: type[WatchedSpool] = WatchedSpool

    def states(self, saved: Mapping[tuple[str, str], Any]) -> Mapping[tuple[str, str], Any]:
        """What a new process finds of what was saved."""
        return saved


class SimulatedRunner(Runner):
    """The runner with records that are stood in for."""

    def __init__(self, make: Make, records: SimulatedRecords, trouble: Trouble, **parts: Any) -> None:
        self._make = make
        self._records = records
        self._trouble = trouble
        super().__init__(database=cast(Database, None), **parts)

    def _make_intake(self, decoder: Decoder | SharedDecoder, name: str) -> Intake:
        saved = self._make.states(self._records.states())
        received = {partition: state for (convention, partition), state in saved.items() if convention == CONVENTION}
        first = self._make.first_receipts(name, 2 * self._limits.receive_maximum, received)
        counting = CountingDecoder(decoder, self._gaps) if self._gaps is not None else decoder
        return self._make.intake(
            IdentifyingDecoder(counting, decoder.forget, self._directory, name=name, saved=saved),
            self._clock,
            self._limits,
            self._ledger,
            names=frozenset(self._records.names),
            first_receipts=first,
            spooled=None if self._spool is None else self._spool.state.messages,
        )

    def _carry_out(self, action: Action) -> list[Action]:
        self._trouble.timeline.tell("ingestor", _shown(action))
        if not isinstance(action, Acknowledge):
            return super()._carry_out(action)
        self._trouble.kill(self._trouble.faults().killed_before, "before it acknowledges")
        following = super()._carry_out(action)
        self._trouble.kill(self._trouble.faults().killed_after, "after it acknowledged")
        return following

    def _write(self, action: Pending) -> Any:
        with _only_meant_errors():
            return super()._write(action)

    def _prepare(self, action: Prepare) -> set[str]:
        return self._records.prepare(action)

    def _save_session(self, states: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        self._records.save_session(states)

    def _record(self, action: Record) -> None:
        self._records.record(action)

    def _take_up_gaps(self) -> Gaps:
        return Gaps(self._ledger.gaps)

    def _write_gaps_down(self) -> None:
        """A count that begins anew, as after a kill."""

    def _hear_of_devices(self, now: datetime) -> None:
        """Nobody decides anything about devices here."""


@contextmanager
def _only_meant_errors() -> Iterator[None]:
    """The runner takes every error for an absence; one that nobody simulates is a bug."""
    try:
        yield
    except (HearthwatchError, Unforeseen):
        raise
    except Exception as error:
        raise Violation(f"{type(error).__name__}: {error}") from error


def _shown(action: Action) -> str:
    sizes: Sequence[str] = [
        f"{name}={len(part)}"
        for name in ("names", "states", "values", "receipts", "messages", "sightings", "identities", "held")
        if isinstance(part := getattr(action, name, None), Sized) and part
    ]
    return f"{type(action).__name__.lower()} {' '.join(sizes)}"
