"""The network: TCP connections that keep order and lose what is under way when they break, and the ingestor's end of them.

`VirtualLink` stands where `hearthwatch.messaging.link.Link` stands; above it is the real `MqttSubscriber`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.subscriber import MqttSubscriber
from tests.simulation.broker import Broker, Copy
from tests.simulation.faults import Faults
from tests.simulation.timeline import Timeline, Violation

if TYPE_CHECKING:
    from tests.simulation.laws import Laws

KEEPALIVE_S = 6.0


class PacketId(int):
    """A packet id that knows which connection brought it, so that a stale one is known although the number fits."""

    line: Line
    copy: Copy


class Network:
    """What all connections share."""

    def __init__(
        self, timeline: Timeline, chance: random.Random, broker: Broker, laws: Laws, faults: Callable[[], Faults]
    ) -> None:
        self.timeline = timeline
        self.chance = chance
        self.broker = broker
        self.laws = laws
        self.faults = faults
        self.link: VirtualLink | None = None

    def cut(self) -> None:
        """The connection breaks, and both ends see it."""
        if self.link is not None and self.link.line is not None:
            self.link.line.cut()

    def half_open(self) -> None:
        """Nothing passes any more, and nobody sees it for a while."""
        if self.link is not None and self.link.line is not None:
            self.link.line.go_silent()


class Line:
    """One connection. To the subscriber it is what `hearthwatch.messaging.mqtt.Connection` is."""

    def __init__(self, network: Network, link: VirtualLink) -> None:
        self._network = network
        self._link = link
        self._dead = False
        self._down_at = self._up_at = 0.0
        self._unacknowledged: deque[PacketId] = deque()
        self.subscribed = False
        self.session_present = network.broker.connect(self)

    # -- the broker's end

    def send(self, copy: Copy) -> None:
        """A PUBLISH for the ingestor."""
        packet_id = PacketId(copy.number)
        packet_id.line, packet_id.copy = self, copy
        sent = copy.sent
        delivery = Delivery(sent.topic, sent.payload, packet_id, sent.qos, copy.tried, copy.retained, None)
        self._down(lambda: self._link.arrived(delivery))

    def confirm(self) -> None:
        """The SUBACK."""
        self._down(self._confirmed)

    # -- the ingestor's end

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for everything."""
        self._up(lambda: self._network.broker.subscribe(self))

    def received(self, packet_id: int) -> None:
        """The client took a PUBLISH of QoS 1 from the wire."""
        assert isinstance(packet_id, PacketId)
        self._unacknowledged.append(packet_id)
        self._network.timeline.tell("network", f"brings {packet_id.copy.sent.number} as packet {packet_id}")

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """PUBACKs go out; they are checked as a packet capture would check them."""
        network = self._network
        cut = len(packet_ids)
        if network.chance.random() < network.faults().acknowledgements_cut:
            cut = network.chance.randint(0, cut)
        for place, packet_id in enumerate(packet_ids):
            assert isinstance(packet_id, PacketId)
            if place == cut:
                self.cut()
            if packet_id.line is not self:
                raise Violation(f"PUBACK {packet_id} of an older connection is on the wire of a newer one")
            if not self._unacknowledged or self._unacknowledged[0] is not packet_id:
                raise Violation(f"PUBACK {packet_id} is not in the order of receipt")
            self._unacknowledged.popleft()
            network.laws.acknowledged(packet_id.copy.sent)
            self._up(lambda number=int(packet_id): network.broker.acknowledged(self, number))  # type: ignore[misc]

    def leave(self) -> None:
        """DISCONNECT, behind all that was sent before."""
        self._up(lambda: self._network.broker.drop(self))
        self._up(self.die)

    # -- how it ends

    def die(self) -> None:
        """Nothing passes any more."""
        self._dead = True

    def cut(self) -> None:
        """It breaks; the broker sees it at once, the ingestor in a moment."""
        if not self._dead:
            self._network.timeline.tell("network", "the connection breaks")
            self.die()
            self._network.broker.drop(self)
            self._network.timeline.after(self._network.chance.uniform(0, 0.05), lambda: self._link.lost(self))

    def go_silent(self) -> None:
        """Half-open: each end finds out by its keepalive."""
        if self._dead:
            return
        chance, timeline = self._network.chance, self._network.timeline
        timeline.tell("network", "the connection is half-open")
        self.die()
        timeline.after(chance.uniform(0.1, 1.5) * KEEPALIVE_S, lambda: self._network.broker.drop(self))
        timeline.after(chance.uniform(0.1, 1.5) * KEEPALIVE_S, lambda: self._link.lost(self))

    # -- inside

    def _confirmed(self) -> None:
        self.subscribed = True
        self._link.wake()

    def _down(self, arrival: Callable[[], None]) -> None:
        self._down_at = max(self._down_at, self._network.timeline.at + self._network.chance.uniform(0.0001, 0.003))
        self._pass(self._down_at, arrival)

    def _up(self, arrival: Callable[[], None]) -> None:
        self._up_at = max(self._up_at, self._network.timeline.at + self._network.chance.uniform(0.0001, 0.003))
        self._pass(self._up_at, arrival)

    def _pass(self, at: float, arrival: Callable[[], None]) -> None:
        if not self._dead:
            self._network.timeline.when(at, lambda: None if self._dead else arrival())


class VirtualLink:
    """The ingestor's end: connects, hears, sends, and begins anew when the connection is lost, as the real `Link` does."""

    def __init__(self, network: Network, _address: Any, _session: Any, owner: MqttSubscriber) -> None:
        self._network = network
        self._owner = owner
        self._parked: deque[Delivery] = deque()
        self._alive = True
        self._awake = False
        self.line: Line | None = None
        network.link = self

    @property
    def busy(self) -> bool:
        """Whether messages came that were not handed on yet."""
        return bool(self._parked or self._owner._waiting)

    # -- what the subscriber asks

    def start(self) -> None:
        """Begin to connect."""
        self._network.timeline.after(self._network.chance.uniform(0, 0.05), self._connect)

    def wake(self) -> None:
        """Have `pump` called soon."""
        if self._alive and not self._awake:
            self._awake = True
            self._network.timeline.after(self._network.chance.choice((0.0, 0.0, 0.0005)), self._turn)

    def stop(self, *, forget: bool = False) -> None:
        """Send what is queued and say goodbye."""
        line, self._alive = self.line, False
        if line is not None:
            self._owner.pump(line)  # type: ignore[arg-type]
            line.leave()
            self._owner.disconnected()

    def vanish(self) -> None:
        """The process is gone; the system closes its sockets."""
        line, self.line, self._alive = self.line, None, False
        if line is None:
            return
        if self._network.chance.random() < 0.5:
            line.leave()  # what was written before still arrives
        else:
            line.cut()

    # -- what the network brings

    def arrived(self, delivery: Delivery) -> None:
        """A PUBLISH is in the socket's buffer."""
        self._parked.append(delivery)
        self.wake()

    def lost(self, line: Line) -> None:
        """The connection is over, and we see it."""
        if not self._alive or line is not self.line:
            return
        line.die()
        self._network.broker.drop(line)
        self._owner.pump(line)  # type: ignore[arg-type]
        self._parked.clear()
        self.line = None  # from here on the ingestor's thread may still acknowledge what this connection brought
        self._network.timeline.after(self._network.chance.choice((0.0, 0.02, 0.5)), self._ended)

    def _ended(self) -> None:
        if self._alive:
            self._owner.disconnected()
            self._network.timeline.after(self._network.chance.uniform(0.05, 3.0), self._connect)

    def _connect(self) -> None:
        network = self._network
        if not self._alive:
            return
        if network.broker.away:
            network.timeline.after(network.chance.uniform(0.5, 3.0), self._connect)
            return
        line = self.line = Line(network, self)
        known = "with" if line.session_present else "without"
        network.timeline.tell("network", f"connected, {known} the session")
        self._owner.connected(line)  # type: ignore[arg-type]
        network.broker.ready(line)
        self.wake()

    def _turn(self) -> None:
        self._awake = False
        line = self.line
        if not self._alive or line is None:
            return
        if self._owner.pump(line) and self._parked:  # type: ignore[arg-type]
            several = [self._parked.popleft() for _ in range(min(len(self._parked), 50))]
            for one in several:
                if one.qos:
                    line.received(one.packet_id)
            self._owner.deliver(several)
            self.wake()
