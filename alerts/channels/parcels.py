"""Several deliveries at once, for channels whose receivers honour the key for certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hearthwatch.ports import Channel


@dataclass(frozen=True, slots=True)
class Parcel:
    """The arguments of one `Channel.deliver`."""

    address: str
    subject: str
    text: str
    html: str
    key: str


@runtime_checkable
class BulkChannel(Channel, Protocol):
    """A channel that may be given many parcels before any is marked: sent again, each still arrives once."""

    def deliver_all(self, parcels: Sequence[Parcel]) -> None:
        """Deliver all of them. After an error any part of them may have arrived; errors as of ``deliver``."""
        ...
