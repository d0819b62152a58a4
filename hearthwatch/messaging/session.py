"""What a client and a connection say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hearthwatch.messaging.packets import Delivery


@dataclass(frozen=True, slots=True)
class Session:
    """What the broker keeps for us: under which name, for how long, and how many messages it may have in flight to us."""

    client_id: str
    expiry_s: int
    receive_maximum: int

    @property
    def persistent(self) -> bool:
        """Whether the broker keeps it while we are away."""
        return self.expiry_s > 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish at QoS 1, and the publisher's number for it."""

    number: int
    topic: str
    payload: bytes
    retain: bool
    response: tuple[str, bytes] | None = None


class Listener(Protocol):
    """Who hears from a connection, in the thread that drives it."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Messages came, in this order."""
        ...

    def acknowledged(self, numbers: Sequence[int], refused: int) -> None:
        """The broker has these messages of ours; ``refused`` of them it did not want."""
        ...
