"""One connection to an MQTT broker; the only module that knows the client library, paho.

paho keeps the protocol: CONNECT, SUBSCRIBE, pings, TLS, DISCONNECT. The packets that come by the thousand take a shorter way
(`_LeanClient`): one read from the socket for many PUBLISH packets, one write for many PUBACKs. That way uses names that paho
does not promise, so it is taken only where they exist, and ``?client=stock`` in an address turns it off.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hearthwatch.errors import Unavailable
from hearthwatch.messaging import packets
from hearthwatch.messaging.address import BrokerAddress
from hearthwatch.messaging.packets import Delivery
from hearthwatch.messaging.session import Listener, Outgoing, Session
from hearthwatch.messaging.tls import TlsContext

Version = Literal["5", "3.1.1"]

LOST = "the connection was lost"
CONNECT_SECONDS = 5.0
_READ_BYTES = 262_144
_WRITE_BYTES = 65_536
_ALL_IDS = 65_535
_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_USED_OF_PAHO = ("_sock_recv", "_packet_handle", "_packet_queue", "_loop_rc_handle")
_PINGED_AT = "_ping_t"
LEAN_IS_POSSIBLE = all(callable(getattr(paho.Client, name, None)) for name in _USED_OF_PAHO)


class Connection:
    """A connection, driven by one thread through `step`. It is made anew for each attempt, so it remembers nothing old."""

    def __init__(self, address: BrokerAddress, session: Session, version: Version, listener: Listener) -> None:
        self.version = version
        self.ready = False
        self.session_present = False
        self.subscribed = False
        self.window = _ALL_IDS
        self.unsupported = False
        self.reason = LOST
        self._refused = False
        self._closed = False
        self._address = address
        self._session = session
        self._listener = listener
        self._sent: dict[int, int] = {}
        self._last_id = 0
        self._lean = LEAN_IS_POSSIBLE and not address.stock
        self._tls: TlsContext | None = None
        self._client = self._make_client()
        self._selector = selectors.DefaultSelector()
        self._watched = 0

    def open(self, wake: socket.socket) -> None:
        """Connect; ``wake`` becomes readable when `step` shall return early. Raises `Unavailable`."""
        client, address = self._client, self._address
        try:
            if self.version == "5":
                client.connect(
                    address.host,
                    address.port,
                    keepalive=address.keepalive_s,
                    clean_start=not self._session.persistent,
                    properties=self._connect_properties(),
                )
            else:
                client.connect(address.host, address.port, keepalive=address.keepalive_s)
        except (OSError, ValueError) as error:
            if self._tls is not None and self._tls.made is not None:
                self._tls.made.close()
            self.close()
            raise Unavailable(str(error), where=str(address)) from None
        plain = client.socket()
        if plain is None:
            raise Unavailable(self.reason, where=str(address))
        self._selector.register(wake, selectors.EVENT_READ)

    @property
    def lost(self) -> bool:
        """Whether it is over."""
        return self._refused or self._client.socket() is None

    @property
    def in_flight(self) -> int:
        """Messages sent and not acknowledged."""
        return len(self._sent)

    def step(self, timeout: float, *, read: bool = True) -> None:
        """Wait up to ``timeout`` seconds for something to do, and do it; the listener hears of it.

        With ``read`` false nothing is taken from the network, which makes the broker wait.
        """
        client = self._client
        plain = client.socket()
        if plain is None:
            return
        if not read:
            self._expect_no_answer()
        pending = read and _pending(plain)
        self._watch(plain, (selectors.EVENT_READ * read) | (selectors.EVENT_WRITE * client.want_write()))
        for key, mask in self._selector.select(0 if pending else timeout):
            if key.fileobj is not plain:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(4096)  # type: ignore[union-attr]
                continue
            pending = pending or bool(mask & selectors.EVENT_READ)
            if mask & selectors.EVENT_WRITE:
                client.loop_write()
        while pending and not self.lost:
            client.loop_read()
            pending = _pending(plain)
        client.loop_misc()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 1; `subscribed` tells when the broker agreed. Retained messages come for new filters only (MQTT 5)."""
        if self.version == "5":
            only_new = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            self._client.subscribe([(one, SubscribeOptions(qos=1, retainHandling=only_new)) for one in filters])
        else:
            self._client.subscribe([(one, 1) for one in filters])

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Give filters up; `subscribed` tells when the broker agreed. What waits in the session still comes."""
        self._client.unsubscribe(list(filters))

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """Send PUBACKs, in this order."""
        if isinstance(self._client, _LeanClient):
            self._client.send(packets.PUBACK, packets.pubacks(packet_ids))
        else:
            for packet_id in packet_ids:
                self._client.ack(packet_id, 1)

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send messages; the listener hears their numbers when the broker has them."""
        if not isinstance(self._client, _LeanClient):
            for message in messages:
                properties = _response(message) if self.version == "5" else None
                info = self._client.publish(message.topic, message.payload, 1, message.retain, properties)
                self._sent[info.mid] = message.number
            return
        joined: list[bytes] = []
        size = 0
        for message in messages:
            packet_id = self._next_id(message.number)
            packet = packets.publish(
                message.topic,
                message.payload,
                packet_id,
                retain=message.retain,
                properties=self.version == "5",
                response=message.response,
            )
            joined.append(packet)
            size += len(packet)
            if size >= _WRITE_BYTES:
                self._client.send(packets.PUBLISH, b"".join(joined))
                joined, size = [], 0
        if joined:
            self._client.send(packets.PUBLISH, b"".join(joined))

    def disconnect(self, seconds: float, *, forget: bool = False) -> None:
        """Send what is queued and say goodbye; the session stays as long as it was to stay, or ends now (MQTT 5).

        A session that is to end has ended when this returns: the broker hung up.
        """
        ending = time.monotonic() + seconds
        line = _second_hold(self._client.socket()) if forget and self.ready else None
        if self.ready:
            self._client.disconnect(*self._farewell(0 if forget else self._session.expiry_s))
        while not self.lost and self.ready and time.monotonic() < ending:
            self.step(0.05)
        if line is not None:
            _wait_until_hung_up(line, ending)
        self.close()

    def close(self) -> None:
        """Drop the connection at once."""
        self._closed = True
        plain = self._client.socket()
        if plain is not None:
            with contextlib.suppress(OSError):
                plain.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
            while self._client.socket() is not None:  # it reads what is left up to the end, and closes
                self._client.loop_read()
        self._selector.close()

    # -- inside

    def _expect_no_answer(self) -> None:
        """The answer to a ping may lie behind what we do not read: its absence is no sign that the broker is gone.

        Pings are sent all the same, so that the broker does not think so of us. This is a name that paho does not promise: without it the
        connection would be given up after two keepalives, and taken up again.
        """
        if getattr(self._client, _PINGED_AT, 0):
            setattr(self._client, _PINGED_AT, 0)

    def _watch(self, plain: Any, events: int) -> None:
        if events == self._watched:
            return
        if self._watched == 0:
            self._selector.register(plain, events)
        elif events == 0:
            self._selector.unregister(plain)
        else:
            self._selector.modify(plain, events)
        self._watched = events

    def _make_client(self) -> paho.Client:
        version = _VERSIONS[self.version]
        clean = None if self.version == "5" else not self._session.persistent
        made: paho.Client
        if self._lean:
            made = _LeanClient(self._session.client_id, clean, version, self._take, self._address.user_property)
        else:
            made = paho.Client(
                CallbackAPIVersion.VERSION2, self._session.client_id, clean, protocol=version, manual_ack=True
            )
        made.suppress_exceptions = True  # else one of them would end the loop in silence
        made.connect_timeout = CONNECT_SECONDS
        made.max_inflight_messages_set(0)  # the publisher keeps to the window itself
        made.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            self._tls = TlsContext.trusting(self._address.ca)
            made.tls_set_context(self._tls)
        made.on_connect = self._on_connect
        made.on_disconnect = self._on_disconnect
        made.on_subscribe = self._on_subscribe
        made.on_unsubscribe = self._on_unsubscribe
        made.on_message = self._on_message
        made.on_publish = self._on_publish
        return made

    def _connect_properties(self) -> Properties:
        return _properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=self._session.expiry_s,
            ReceiveMaximum=self._session.receive_maximum,
            MaximumPacketSize=self._address.max_packet_bytes,
        )

    def _farewell(self, expiry_s: int) -> tuple[()] | tuple[ReasonCode, Properties]:
        if self.version != "5":
            return ()
        stays = _properties(PacketTypes.DISCONNECT, SessionExpiryInterval=expiry_s)
        return ReasonCode(PacketTypes.DISCONNECT, identifier=0), stays

    def _on_connect(self, _client: Any, _data: Any, flags: paho.ConnectFlags, reason: ReasonCode, given: Any) -> None:
        if reason.is_failure:
            self.reason = f"the broker refused: {reason}"
            self.unsupported = str(reason) == "Unsupported protocol version"
            return
        self.window = getattr(given, "ReceiveMaximum", _ALL_IDS)
        self.session_present = flags.session_present
        self.ready = True

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _given: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.reason = f"the broker ended it: {reason}"

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[ReasonCode], _given: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self.reason = f"the broker refused a subscription: {refused[0]}"
            self._refused = True
        else:
            self.subscribed = True

    def _on_unsubscribe(self, _client: Any, _data: Any, _mid: int, _reasons: Any, _given: Any) -> None:
        self.subscribed = True  # whatever it says of each: none of them is ours any more

    def _take(self, deliveries: Sequence[Delivery], answers: Sequence[tuple[int, int]]) -> None:
        if self._closed:
            return
        if deliveries:
            self._listener.deliver(deliveries)
        if answers:
            numbers = [self._sent.pop(packet_id) for packet_id, _ in answers if packet_id in self._sent]
            self._listener.acknowledged(numbers, sum(packets.is_refusal(reason) for _, reason in answers))

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if self._closed:
            return
        given = getattr(message.properties, "UserProperty", [])
        user = next((value for key, value in reversed(given) if key == self._address.user_property), None)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"  # it then belongs to no convention
        self._listener.deliver(
            [Delivery(topic, bytes(message.payload), message.mid, message.qos, message.dup, message.retain, user)]
        )

    def _on_publish(self, _client: Any, _data: Any, packet_id: int, reason: ReasonCode, _given: Any) -> None:
        number = self._sent.pop(packet_id, None)
        if number is not None:
            self._listener.acknowledged([number], int(reason.is_failure))

    def _next_id(self, number: int) -> int:
        packet_id = self._last_id
        while True:
            packet_id = packet_id % _ALL_IDS + 1
            if packet_id not in self._sent:
                break
        self._last_id = packet_id
        self._sent[packet_id] = number
        return packet_id


class _LeanClient(paho.Client):
    """paho with a shorter way for PUBLISH and PUBACK packets."""

    def __init__(
        self,
        client_id: str,
        clean: bool | None,
        version: MQTTProtocolVersion,
        take: Callable[[Sequence[Delivery], Sequence[tuple[int, int]]], None],
        user_property: str | None,
    ) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, clean, protocol=version, manual_ack=True)
        self._take = take
        self._user_property = user_property
        self._rest = b""

    def send(self, command: int, data: bytes) -> None:
        """Queue whole packets, joined."""
        self._packet_queue(command, data, 0, 1)

    def loop_read(self, _max_packets: int = 1) -> MQTTErrorCode:
        """Read once, and handle every whole packet that came."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            data = self._sock_recv(_READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        if self._rest:
            data = self._rest + data
        try:
            came = packets.read(
                data, properties=self._protocol == MQTTProtocolVersion.MQTTv5, user_property=self._user_property
            )
        except packets.Malformed:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        self._rest = data[came.used :]
        self._take(came.deliveries, came.answers)
        for packet in came.others:
            outcome = self._handle_other(packet)
            if outcome or self._sock is None:
                return outcome
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_other(self, packet: packets.Packet) -> MQTTErrorCode:
        self._in_packet = {
            "command": packet.header,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(packet.body),
            "packet": bytearray(packet.body),
            "to_process": 0,
            "pos": 0,
        }
        try:
            outcome = self._packet_handle()
        except Exception:  # noqa: BLE001 - paho raises anything for bytes that are no MQTT
            outcome = MQTTErrorCode.MQTT_ERR_PROTOCOL
        return self._loop_rc_handle(outcome) if outcome > 0 else outcome


def _response(message: Outgoing) -> Properties | None:
    """The same for the stock client."""
    if message.response is None:
        return None
    topic, correlation = message.response
    return _properties(PacketTypes.PUBLISH, ResponseTopic=topic, CorrelationData=correlation)


def _properties(kind: int, **values: int | str | bytes) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _pending(plain: Any) -> bool:
    """Whether a TLS socket holds bytes that no selector can see."""
    return isinstance(plain, ssl.SSLSocket) and plain.pending() > 0


def _second_hold(plain: Any) -> socket.socket | None:
    """The connection once more: paho closes its own as soon as the farewell is sent, before the broker has read it."""
    return None if plain is None else socket.socket(fileno=os.dup(plain.fileno()))


def _wait_until_hung_up(line: socket.socket, until: float) -> None:
    with line, contextlib.suppress(OSError):
        while (left := until - time.monotonic()) > 0:
            line.settimeout(left)
            if not line.recv(_WRITE_BYTES):
                return
