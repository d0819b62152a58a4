"""A world for the intake, without I/O: a broker with a session, two stores, time, and every fault they can have."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Conflict, Invalid, Unavailable
from hearthwatch.ports import Receipt
from hearthwatch.values import Decoded, Event, Identity, Message, Presence, Reading, Rejection, WriteResult
from ingest.batch import Stored
from ingest.intake import (
    Acknowledge,
    Action,
    Intake,
    Pending,
    Prepare,
    Record,
    Release,
    Report,
    Spool,
    Store,
    Unspool,
)
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.redelivery import CONVENTION, FirstReceipts
from ingest.spool import Mark, Piece, SpoolState

START = datetime(2026, 5, 1, tzinfo=UTC)
KNOWN = frozenset({"value"})


class NumberDecoder:
    """Reads ``<number> <kind>``: the number names the message for ever, the kind says what it holds."""

    def __init__(self, count: int = 0) -> None:
        self._count = count

    def decode(self, message: Message) -> tuple[str | None, Decoded]:
        """The values of a kind."""
        number, kind = message.payload.decode().split()
        self._count += 1
        at, device = START + timedelta(seconds=int(number)), f"d{int(number) % 5}"
        reading = Reading(device, "s", at, {"value": float(number)}, "1.0", "b1", int(number))
        match kind:
            case "reading":
                return "n", Decoded((reading,))
            case "batch":
                return "n", Decoded(tuple(msgspec.structs.replace(reading, stream=f"s{part}") for part in range(3)))
            case "timeless":
                return "n", Decoded((Presence(device, f"p{number}", message.received_at, True),))
            case "event":
                return "n", Decoded((Event(device, "e", at, "reboot", "panic"),))
            case "poison":  # the store does not take it; its neighbour in the message is good
                return "n", Decoded((msgspec.structs.replace(reading, stream="bad"), reading))
            case "claim":
                return "n", Decoded((Identity(device, at, model="m", serial=number),))
            case "partly":
                return "n", Decoded(
                    (reading,), (Rejection("no number", "m.x", device, 0), Rejection("no time", "s[1]", device))
                )
            case "novel":
                return "n", Decoded((msgspec.structs.replace(reading, metrics={"value": 1.0, f"new{number}": 2.0}),))
            case "future":
                return "n", Decoded((msgspec.structs.replace(reading, at=START + timedelta(days=400)),))
            case "ignored":
                return None, Decoded(ignored="not ours")
            case "bug":
                raise ZeroDivisionError
        raise Invalid("no such kind")

    def changed(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """One state, which counts."""
        return {("n", "all"): {"count": self._count}}


KINDS = (
    "reading",
    "reading",
    "batch",
    "timeless",
    "event",
    "poison",
    "claim",
    "partly",
    "novel",
    "future",
    "ignored",
    "bug",
    "x",
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in the broker's hands."""

    number: int
    kind: str
    packet_id: int = 0
    tried: bool = False


@dataclass(slots=True)
class Broker:
    """A session: what waits, and what was sent and not acknowledged, in order."""

    window: int
    queue: deque[Sent] = field(default_factory=deque)
    in_flight: OrderedDict[int, Sent] = field(default_factory=OrderedDict)
    epoch: int = 0
    up: bool = False
    last_id: int = 0
    lost: set[int] = field(default_factory=set)  # with the session, and not in our hands either
    reached: set[int] = field(default_factory=set)

    def connect(self, session_present: bool) -> bool:
        """A new connection; with the session everything unacknowledged is sent again. Returns whether there was one."""
        self.epoch += 1
        self.up = True
        if not session_present:
            self.lost |= {one.number for one in (*self.queue, *self.in_flight.values())} - self.reached
            self.queue.clear()
            self.last_id = 0
        else:
            self.queue.extendleft(reversed([replace(one, tried=True) for one in self.in_flight.values()]))
            self.reached -= {one.number for one in self.in_flight.values()}  # we may let go of these now
        self.in_flight.clear()
        return session_present

    def deliver(self, count: int, clock: SteppedClock) -> list[tuple[Message, Receipt]]:
        """The next messages there is room for."""
        delivered: list[tuple[Message, Receipt]] = []
        while self.up and self.queue and len(self.in_flight) < self.window and len(delivered) < count:
            one = self.queue.popleft()
            if not one.tried:
                self.last_id = self.last_id % 65_535 + 1
                one = replace(one, packet_id=self.last_id)
            self.in_flight[one.packet_id] = one
            self.reached.add(one.number)
            payload = f"{one.number} {one.kind}".encode()
            message = Message("t", payload, clock.now(), packet_id=one.packet_id, redelivered=one.tried)
            delivered.append((message, (self.epoch, one.packet_id)))
        return delivered

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """Let go; receipts of older connections mean nothing."""
        for receipt in receipts:
            assert isinstance(receipt, tuple)
            epoch, packet_id = receipt
            if epoch == self.epoch and self.up:
                first = next(iter(self.in_flight))
                assert first == packet_id, "acknowledged out of order"
                del self.in_flight[packet_id]


@dataclass(slots=True)
class Disk:
    """A spool with room for some records; what is in it stays when the process dies."""

    room: int
    records: deque[tuple[int, list[Message]]] = field(default_factory=deque)
    last: int = 0

    def append(self, messages: Sequence[Message]) -> Mark:
        """Raises `Unavailable` when there is no room."""
        if len(self.records) >= self.room:
            raise Unavailable("the spool is full")
        self.last += 1
        self.records.append((self.last, list(messages)))
        return Mark(0, self.last)

    def read(self, messages: int) -> Piece:
        found: list[Message] = []
        mark = 0
        for number, record in self.records:
            if found and len(found) + len(record) > messages:
                break
            found += record
            mark = number
        return Piece(found, Mark(0, mark))

    def release(self, mark: Mark) -> int:
        while self.records and self.records[0][0] <= mark.offset:
            self.records.popleft()
        return self.messages

    @property
    def messages(self) -> int:
        return sum(len(record) for _, record in self.records)

    @property
    def numbers(self) -> set[int]:
        """Of the messages that wait."""
        return {int(message.payload.split()[0]) for _, record in self.records for message in record}

    def state(self) -> SpoolState:
        return SpoolState(self.messages, len(self.records))


class World:
    """Everything around an intake. ``faults`` is the share of actions that fail; ``spool`` the room of its spool, if it has one.

    A store that is `away` stays so until it is taken out.
    """

    def __init__(
        self, seed: int, *, faults: float = 0.0, limits: Limits | None = None, spool: int | None = None
    ) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.limits = limits or Limits(batch_messages=7, receive_maximum=12, metric_budget=4, batch_seconds=0.25)
        self.clock = SteppedClock(START + timedelta(days=1))
        self.at = 0.0
        self.broker = Broker(self.limits.receive_maximum)
        self.disk = None if spool is None else Disk(spool)
        self.away: set[str] = set()
        self.kinds: dict[int, str] = {}
        # what is durable
        self.rows: Counter[str] = Counter()
        self.held: set[tuple[str, str]] = set()
        self.claims: set[str] = set()
        self.names = set(KNOWN)
        self.states: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.reports: list[str] = []
        self.ledger = Ledger(lambda: self.at)
        self.intake = self._new_intake()
        self.spooled_at_all = 0

    def _new_intake(self) -> Intake:
        saved = {partition: state for (convention, partition), state in self.states.items() if convention == CONVENTION}
        first = FirstReceipts("ingest", 2 * self.limits.receive_maximum, saved)
        count = self.states.get(("n", "all"), {"count": 0})["count"]
        if self.disk is not None:
            self.ledger.spool_opened("ingest", self.disk.state)
        return Intake(
            NumberDecoder(count),
            self.clock,
            self.limits,
            self.ledger,
            names=self.names,
            first_receipts=first,
            spooled=None if self.disk is None else self.disk.messages,
        )

    # -- what happens

    def publish(self, kind: str) -> None:
        """Someone publishes."""
        number = len(self.kinds) + 1
        self.kinds[number] = kind
        self.broker.queue.append(Sent(number, kind))

    def connect(self, session_present: bool = True) -> None:
        """The broker takes us."""
        had = self.broker.connect(session_present)
        early = self.broker.deliver(self.random.randint(0, 2), self.clock)  # these may come before we hear of it
        self.perform(self.intake.received(early, self.at))
        self.perform(self.intake.connected(had, self.at))

    def disconnect(self) -> None:
        """The connection breaks."""
        self.broker.up = False
        self.perform(self.intake.disconnected(self.at))

    def crash(self) -> None:
        """The process dies; what is durable stays, and so does the session."""
        self.broker.up = False
        self.ledger = Ledger(lambda: self.at)
        self.intake = self._new_intake()

    def deliver(self, count: int = 1000) -> None:
        """Messages come."""
        self.perform(self.intake.received(self.broker.deliver(count, self.clock), self.at))

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.at += seconds
        self.clock.advance(timedelta(seconds=seconds))
        self.perform(self.intake.tick(self.at))

    # -- carrying out

    def perform(self, actions: Sequence[Action]) -> None:
        """Carry actions out, with faults, and check the laws after each."""
        todo = deque(actions)
        while todo:
            todo.extend(self._carry_out(todo.popleft()))
            self.check()

    def _carry_out(self, action: Action) -> list[Action]:
        if isinstance(action, Acknowledge):
            self._check_durable(action.receipts)
            self.broker.acknowledge(action.receipts)
            return []
        if isinstance(action, Report):
            self.reports.append(action.text)
            return []
        fault = self.random.random()
        if isinstance(action, Spool):
            return self._spool(action, fault)
        if fault < self.faults or self._needs(action) in self.away:  # before anything was done
            return self.intake.failed(Unavailable("away"), self.at)
        try:
            answer = self._write(action)
        except (Conflict, Invalid) as error:
            return self.intake.failed(error, self.at)
        if fault < 2 * self.faults:  # it was done, but the answer was lost
            return self.intake.failed(Unavailable("timeout", retry_after=0.1), self.at)
        return answer(self.at)

    @staticmethod
    def _needs(action: Pending) -> str:
        if isinstance(action, Store):
            return "telemetry"
        return "records" if isinstance(action, Prepare | Record) else "disk"

    def _spool(self, action: Spool, fault: float) -> list[Action]:
        assert self.disk is not None
        try:
            if fault < self.faults:
                raise Unavailable("the disk is slow today")
            mark = self.disk.append(action.messages)
        except Unavailable as error:
            return self.intake.not_spooled(error, self.at)
        self.spooled_at_all += len(action.messages)
        return self.intake.spooled(mark, self.at)

    def _write(self, action: Pending) -> Callable[[float], list[Action]]:
        if isinstance(action, Store):
            result = self._store(action.values)
            return lambda at: self.intake.stored(result, at)
        if isinstance(action, Prepare):
            self._save(action.states)
            room = self.limits.metric_budget - len(self.names)
            admitted = set(list(action.names)[: max(0, room)])
            self.names |= admitted
            return lambda at: self.intake.prepared(admitted, at)
        if isinstance(action, Unspool):
            assert self.disk is not None
            piece = self.disk.read(action.messages)
            return lambda at: self.intake.unspooled(piece, at)
        if isinstance(action, Release):
            assert self.disk is not None
            left = self.disk.release(action.mark)
            return lambda at: self.intake.released(left, at)
        if any(claim.serial == "13" for claim in action.identities):
            raise Conflict("the records do not allow this")
        self.claims |= {str(claim.serial) for claim in action.identities}
        self.held |= {(item.payload.decode(), item.part) for item in action.held}
        self._save(dict(action.states))
        return lambda at: self.intake.recorded(at)

    def _store(self, values: Sequence[Stored]) -> WriteResult:
        if any(value.stream == "bad" for value in values):
            raise Invalid("a bad value")
        new = 0
        for value in values:
            key = f"{value.device} {value.stream} {value.at.isoformat()}"
            if key not in self.rows:
                new += 1
                self.rows[key] += 1
        return WriteResult(new, len(values) - new)

    def _save(self, states: Mapping[tuple[str, str], Mapping[str, Any] | None]) -> None:
        for key, state in states.items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state

    # -- laws

    def check(self) -> None:
        """The ledger closes at every moment."""
        counts = self.ledger.snapshot()
        assert all(count >= 0 for count in counts.values()), counts
        if self.intake.idle:
            assert counts["in_flight"] == counts["spooled"] == 0, counts
        messages = self.ledger.messages()
        assert messages["acknowledged"] + messages["returned"] <= messages["received"]

    def _check_durable(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            assert isinstance(receipt, tuple)
            sent = self.broker.in_flight.get(receipt[1]) if receipt[0] == self.broker.epoch else None
            if sent is not None:
                spooled = self.disk is not None and sent.number in self.disk.numbers
                assert spooled or self.is_durable(sent.number), f"{sent} was acknowledged too early"

    def expected(self, number: int) -> list[str]:
        """Keys of the rows a message makes, as far as they are known beforehand."""
        device, at = f"d{number % 5}", (START + timedelta(seconds=number)).isoformat()
        match self.kinds[number]:
            case "reading" | "poison" | "partly" | "novel":
                return [f"{device} s {at}"]
            case "batch":
                return [f"{device} s{part} {at}" for part in range(3)]
            case "event":
                return [f"{device} e {at}"]
        return []

    def is_durable(self, number: int) -> bool:
        """Whether everything a message holds is where it belongs."""
        kind = self.kinds[number]
        if kind == "timeless":
            return any(f" p{number} " in key for key in self.rows)
        if kind in {"poison", "partly", "future", "bug", "x"}:
            held = any(payload.split()[0] == str(number) for payload, _ in self.held)
            return held and all(key in self.rows for key in self.expected(number))
        if kind == "claim":
            return str(number) in self.claims or number == 13
        return all(key in self.rows for key in self.expected(number))

    def finish(self) -> None:
        """Everything heals, and there is time enough."""
        self.faults = 0.0
        self.away.clear()
        if not self.broker.up:
            self.connect()
        for _ in range(2000):
            self.deliver()
            if not self.broker.queue and self.intake.idle:
                break
            self.wait(1.0)
        assert self.intake.idle
        assert not self.broker.queue
        assert not self.broker.in_flight
        assert self.disk is None or not self.disk.records

    def check_the_end(self) -> None:
        """Nothing lost, nothing twice."""
        lost = self.broker.lost
        missing = [number for number in self.kinds if number not in lost and not self.is_durable(number)]
        assert missing == [], f"lost: {missing}"
        timeless = Counter(key.split()[1] for key in self.rows if " p" in key)
        twice = [name for name, count in timeless.items() if count > 1]
        assert twice == [], f"stored twice: {twice}"
        keys = {key for number in self.kinds for key in self.expected(number)}
        strange = {key for key in self.rows if " p" not in key} - keys
        assert strange == set()
        counts = self.ledger.snapshot()
        gone = counts["stored"] + counts["duplicate"] + counts["quarantined"] + counts["ignored"] + counts["spooled"]
        assert counts["received"] == gone
