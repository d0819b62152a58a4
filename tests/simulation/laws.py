"""The laws: what was acknowledged is durable, nothing is lost or stored twice, and every value has the firmware it happened on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import Event, Presence, Reading
from ingest.ledger import Ledger
from tests.simulation.timeline import Timeline, Violation
from tests.simulation.told import Sent, Told

_BY_CLOCK = "the time lies"
_BY_BUDGET = "a new metric name beyond the budget"
_BY_STORE = "the store cannot hold this"


class Laws:
    """Knows what was published and what became of it. Raises `Violation`."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._sent: dict[int, Sent] = {}
        self._alike: defaultdict[tuple[str, bytes], list[Sent]] = defaultdict(list)  # by topic and payload
        self._naming: defaultdict[str, list[Sent]] = defaultdict(list)  # by the name of what they tell
        self._told: dict[str, Told] = {}
        self._copies: Counter[str] = Counter()
        self._rows: defaultdict[str, list[Reading | Event | Presence]] = defaultdict(list)
        self._held: defaultdict[tuple[str, bytes], dict[str, QuarantineItem]] = defaultdict(dict)
        self._acknowledged: set[int] = set()
        self._lost: set[int] = set()
        self._promised: set[int] = set()
        self._hands: dict[int, Sent] = {}
        self._must_be_stored: list[Sent] = []

    # -- what happens to messages

    def published(self, sent: Sent) -> None:
        """A device published this."""
        self._sent[sent.number] = sent
        if sent.qos == 0:  # until somebody has it
            self._lost.add(sent.number)
        self._alike[sent.topic, sent.payload].append(sent)
        for told in sent.told:
            self._naming[told.name].append(sent)
            self._told[told.name] = told
        self.copied(sent)

    def copied(self, sent: Sent) -> None:
        """The broker sends this once more on its own account."""
        for told in sent.told:
            self._copies[told.name] += 1

    def lost(self, messages: Iterable[Sent], why: str) -> None:
        """Nobody can have these any more, and that is nobody's fault here."""
        for sent in messages:
            if sent.number not in self._lost:
                self._lost.add(sent.number)
                self._timeline.tell("broker", f"lost {sent.number}: {why}")

    def handed_over(self, sent: Sent) -> None:
        """The ingestor has this in memory."""
        self._hands[sent.number] = sent
        if sent.qos == 0:
            self._lost.discard(sent.number)

    def given_back(self, messages: Iterable[Sent]) -> None:
        """The broker sends these again: the ingestor may forget them."""
        for sent in messages:
            self._hands.pop(sent.number, None)

    def wiped(self, messages: Iterable[Sent]) -> None:
        """The session is gone; what the ingestor has in memory is its own affair from now on."""
        self.lost([sent for sent in messages if sent.number not in self._hands], "with the session")

    def promised(self, messages: Iterable[Sent]) -> None:
        """The spool has these on the disk."""
        self._promised |= {sent.number for sent in messages}

    def forgotten(self, kept_by_broker: set[int]) -> None:
        """The process is gone with its memory."""
        kept = kept_by_broker | self._promised
        gone = [one for one in self._hands.values() if one.number not in kept]
        # Of a claim that makes no row nobody here can tell whether it was heard.
        silent = [one for one in gone if all(told.may_be_ignored for told in one.told)]
        gone = [*silent, *(one for one in gone if not self._is_durable(one))]
        self.lost(gone, "in the memory of the process, and with nobody else")
        self._hands.clear()

    def acknowledged(self, sent: Sent) -> None:
        """A PUBACK is on the wire."""
        if sent.number not in self._acknowledged:
            self._acknowledged.add(sent.number)
            self._timeline.tell("ingestor", f"acknowledges {sent.number}")
        if sent.number not in self._promised:
            self._check_durable(sent, f"message {sent.number} was acknowledged before it was durable")

    # -- what becomes durable

    def row(self, name: str, value: Reading | Event | Presence) -> None:
        """The telemetry store has a new row."""
        self._rows[name].append(value)
        if name not in self._told:
            raise Violation(f"stored what no device told: {name}: {value}")
        if len(self._rows[name]) > self._copies[name]:
            raise Violation(f"stored twice: {name}: {self._rows[name]}")
        self._check_firmware(name, value)
        if (
            isinstance(value, Reading)
            and not value.metrics.keys() <= self._told[name].metrics
            and (self._told[name].metrics)
        ):
            raise Violation(f"stored metrics nobody told: {value}")

    def held(self, item: QuarantineItem) -> None:
        """Quarantine has an item."""
        self._held[item.topic, item.payload][item.part] = item
        if not item.reason:
            raise Violation(f"held without a reason: {item}")
        messages = self._alike.get((item.topic, item.payload)) or self._alike_in_part(item)
        if not messages:
            raise Violation(f"held what nobody sent: {item}")
        if messages[0].malformed or item.reason.startswith((_BY_CLOCK, _BY_BUDGET)):
            if item.reason.startswith(_BY_CLOCK) and not (messages[0].malformed or self._timeline.disturbed):
                raise Violation(f"held for a clock that was right: {item}")
            return
        if not (item.reason.startswith(_BY_STORE) and any(told.bad for told in messages[0].told)):
            raise Violation(f"a good message was held: {item}")

    # -- the laws at rest

    def must_be_stored(self, messages: Sequence[Sent]) -> None:
        """These were sent when nothing was wrong any more: quarantine is no excuse."""
        self._must_be_stored += messages

    def check_at_rest(self) -> None:
        """Nothing is on its way: everything must be somewhere."""
        for sent in self._sent.values():
            if sent.number not in self._lost:
                self._check_durable(sent, f"message {sent.number} is lost")
        for sent in self._must_be_stored:
            for told in sent.told:
                if len(self._rows[told.name]) < len(self._required(told.name, self._lost)):
                    raise Violation(f"sent when nothing was wrong, and yet not stored: {sent}")

    def check_ledger(self, ledger: Ledger, *, idle: bool, waiting: int) -> None:
        """Every sample and every message is accounted for."""
        counts, messages = ledger.snapshot(), ledger.messages()
        if any(count < 0 for count in counts.values()):
            raise Violation(f"the ledger counts less than nothing: {counts}")
        if idle and counts["in_flight"]:
            raise Violation(f"the ledger does not close: {counts}")
        settled = messages["acknowledged"] + messages["returned"] + waiting
        if settled > messages["received"] or (idle and settled != messages["received"]):
            raise Violation(f"messages are not accounted for: {messages}, {waiting} waiting")

    # -- inside

    def _alike_in_part(self, item: QuarantineItem) -> list[Sent]:
        """Of what was too large only the beginning is kept."""
        same = (alike for (topic, payload), alike in self._alike.items() if topic == item.topic and payload)
        return next((alike for alike in same if alike[0].payload.startswith(item.payload)), [])

    def _check_durable(self, sent: Sent, complaint: str) -> None:
        if not self._is_durable(sent):
            raise Violation(f"{complaint}: {sent}")

    def _was_held(self, sent: Sent) -> bool:
        """Whether it was settled once, in quarantine for a wrong clock, and came again: then it has what firmware is known by then."""
        held = self._held.get((sent.topic, sent.payload), {})
        return any(item.reason.startswith(_BY_CLOCK) for item in held.values())

    def _is_durable(self, sent: Sent) -> bool:
        held = self._held.get((sent.topic, sent.payload), {})
        if sent.malformed:
            return bool(held)
        return all(told.may_be_ignored or self._is_safe(told, sent, held) for told in sent.told)

    def _is_safe(self, told: Told, sent: Sent, held: dict[str, QuarantineItem]) -> bool:
        rows = self._rows.get(told.name, [])
        by_clock = sum(item.reason.startswith(_BY_CLOCK) for item in held.values())
        if told.bad:
            return any(item.reason.startswith(_BY_STORE) for item in held.values()) or by_clock > 0
        required = self._required(told.name, self._lost, acknowledged_alone=True)
        if len(rows) + by_clock < max(1, len(required)):
            return False
        return not rows or self._has_all_metrics(told, rows[0], held)

    def _has_all_metrics(self, told: Told, row: Reading | Event | Presence, held: dict[str, QuarantineItem]) -> bool:
        if not isinstance(row, Reading):
            return True
        if any(item.reason.startswith(_BY_CLOCK) for item in held.values()):
            return True  # all of it is held as well
        missing = told.metrics - row.metrics.keys()
        return all(any(part.endswith(f" {name}") for part in held) for name in missing)

    def _required(self, name: str, lost: set[int], *, acknowledged_alone: bool = False) -> set[object]:
        """The different values of a name that must be there. What a device published twice with a time is one value."""
        required: set[object] = set()
        for sent in self._naming[name]:
            if sent.number in lost or (acknowledged_alone and sent.number not in self._acknowledged):
                continue
            told = next(told for told in sent.told if told.name == name)
            if not told.may_be_ignored:
                required.add(sent.number if _is_alike_only(name) else name)
        return required

    def _check_firmware(self, name: str, value: Reading | Event | Presence) -> None:
        expected = set()
        for sent in self._naming[name]:
            told = next(told for told in sent.told if told.name == name)
            unheard = told.relies_on is not None and (told.relies_on.number in self._lost or self._was_held(sent))
            if not told.firmware_is_sure or unheard or (sent.qos == 0 and told.relies_on is not None):
                return
            expected.add(told.firmware)
        if value.firmware not in expected:
            raise Violation(f"firmware {value.firmware} on what happened on {expected}: {value}")


def _is_alike_only(name: str) -> bool:
    """Whether different values look the same under this name: they have no time, no count."""
    return " shelly_gen1/" in name
