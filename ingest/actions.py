"""What the intake asks its owner to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearthwatch.ports import Receipt
from hearthwatch.records.asking import Heard, Wish
from hearthwatch.records.devices import Sighting
from hearthwatch.records.late_days import LateDay
from hearthwatch.records.quarantine import QuarantineItem
from hearthwatch.values import Identity, Message
from ingest.batch import Stored
from ingest.spool import Mark


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write down, before the values are stored, new metric names (with the device that brought them) and states."""

    names: Mapping[str, str]
    states: Mapping[tuple[str, str], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Store:
    """Store values in the telemetry store."""

    values: Sequence[Stored]


@dataclass(frozen=True, slots=True)
class Record:
    """Write down in the records, in one transaction, what else a batch told."""

    sightings: Sequence[Sighting] = ()
    identities: Sequence[Identity] = ()
    held: Sequence[QuarantineItem] = ()
    states: tuple[tuple[tuple[str, str], Mapping[str, Any]], ...] = ()
    replies: Sequence[Heard] = ()
    wishes: Sequence[Wish] = ()
    late: Sequence[LateDay] = ()

    def halves(self) -> list[Record]:
        """Two records that together say the same; none when there is nothing left to divide."""
        parts: list[Record] = [
            *(Record(sightings=(one,)) for one in self.sightings),
            *(Record(identities=(one,)) for one in self.identities),
            *(Record(held=(one,)) for one in self.held),
            *(Record(states=(one,)) for one in self.states),
            *(Record(replies=(one,)) for one in self.replies),
            *(Record(wishes=(one,)) for one in self.wishes),
            *(Record(late=(one,)) for one in self.late),
        ]
        if len(parts) < 2:
            return []
        middle = len(parts) // 2
        return [_joined(parts[:middle]), _joined(parts[middle:])]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Tell the broker that these messages are safe."""

    receipts: Sequence[Receipt]


@dataclass(frozen=True, slots=True)
class Report:
    """Something could not be written down for good; a person should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Spool:
    """Put messages at the end of the spool. Answered by `Intake.spooled` or `Intake.not_spooled`."""

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Unspool:
    """Read the oldest messages of the spool, about so many and of so many bytes; they stay there."""

    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Release:
    """Everything in the spool up to this mark is stored."""

    mark: Mark


Action = Prepare | Store | Record | Acknowledge | Report | Spool | Unspool | Release
Pending = Prepare | Store | Record | Unspool | Release
"""What a batch waits for. A `Spool` is beside it: it does not wait for a store that is away."""


def _joined(parts: Sequence[Record]) -> Record:
    return Record(
        tuple(one for part in parts for one in part.sightings),
        tuple(one for part in parts for one in part.identities),
        tuple(one for part in parts for one in part.held),
        tuple(one for part in parts for one in part.states),
        tuple(one for part in parts for one in part.replies),
        tuple(one for part in parts for one in part.wishes),
        tuple(one for part in parts for one in part.late),
    )
