"""Connections to real and to awkward brokers: lost, refused, encrypted, old."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Invalid, Unavailable
from hearthwatch.messaging import link, open_publisher, open_subscriber, publisher
from hearthwatch.ports import Receipt, Subscriber, TelemetryStore
from hearthwatch.records.database import Database
from hearthwatch.values import Message
from hearthwatch.wire import native
from ingest.runner import Limits
from tests.conftest import START, free_port, needed
from tests.faults.places import Broker
from tests.integration.ingestor import ingesting

PATIENCE_S = 20.0
PLAIN = "allow_anonymous true\n"
"""Mosquitto as it is where nobody said anything else: 20 messages in flight."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path, PLAIN)
    made.start()
    yield made
    made.kill()


class Log:
    """What a subscriber heard."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.receipts: list[Receipt] = []
        self.changes: list[tuple[bool, bool]] = []
        self._changed = threading.Condition()

    def take(self, message: Message, receipt: Receipt) -> None:
        with self._changed:
            self.messages.append(message)
            self.receipts.append(receipt)
            self._changed.notify_all()

    def note(self, up: bool, session_present: bool) -> None:
        with self._changed:
            self.changes.append((up, session_present))
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S), (self.changes, len(self.messages))


def subscriber(address: str, filters: Sequence[str] = ("t",)) -> Subscriber:
    return open_subscriber(address, client_id="listener", filters=filters, session_expiry_s=3600, receive_maximum=100)


# -- brokers that are away


def test_without_a_broker_publishing_fails_and_closing_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "PATIENCE_S", 0.2)
    lonely = open_publisher(f"mqtt://127.0.0.1:{free_port()}", client_id="p")
    with pytest.raises(Unavailable):
        lonely.publish("t", b"")
    began = time.monotonic()
    lonely.close()
    assert time.monotonic() - began < 5


def test_a_broker_that_never_answers_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_S)
        log, listener = Log(), subscriber(f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        listener.start(log.take, log.note)
        for _ in range(3):
            connection, _ = silent.accept()
            connection.close()
        listener.stop()
    assert log.changes == []


def test_what_a_killed_broker_had_not_acknowledged_is_published_again(broker: Broker) -> None:
    address = f"mqtt://127.0.0.1:{broker.port}"
    sender = open_publisher(address, client_id="p")
    sender.publish("t/0", b"before", retain=True)
    sender.flush(PATIENCE_S)
    broker.freeze()
    for number in range(1, 6):
        sender.publish(f"t/{number}", b"kept", retain=True)
    with pytest.raises(Unavailable, match="5 messages"):
        sender.flush(0.1)
    broker.kill()
    broker.start()
    sender.flush(PATIENCE_S)
    log, listener = Log(), subscriber(address, filters=["t/#"])
    listener.start(log.take, log.note)
    log.wait(lambda: len(log.messages) == 5)
    assert sorted(message.topic for message in log.messages) == [f"t/{number}" for number in range(1, 6)]
    listener.stop()
    sender.close()


def test_a_subscriber_comes_back_after_its_broker_and_old_receipts_mean_nothing(broker: Broker) -> None:
    address = f"mqtt://127.0.0.1:{broker.port}"
    log, listener = Log(), subscriber(address)
    listener.start(log.take, log.note)
    log.wait(lambda: log.changes == [(True, False)])
    sender = open_publisher(address, client_id="p")
    sender.publish("t", b"1")
    log.wait(lambda: len(log.messages) == 1)
    broker.kill()
    log.wait(lambda: log.changes == [(True, False), (False, False)])
    broker.start()
    log.wait(lambda: log.changes[-1] == (True, False))
    sender.publish("t", b"2")  # the new session counts its packet ids from 1 again
    log.wait(lambda: len(log.messages) == 2)
    assert log.messages[0].packet_id == log.messages[1].packet_id
    listener.acknowledge(log.receipts[:1])
    listener.stop()
    again = Log()
    follower = subscriber(address)
    follower.start(again.take, again.note)
    again.wait(lambda: len(again.messages) == 1)
    assert again.messages[0].payload == b"2"
    follower.stop()
    sender.close()


# -- brokers that refuse


def test_a_wrong_password_is_told_without_showing_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        [needed("mosquitto_passwd"), "-b", "-c", str(passwords), "me", "right"], check=True, capture_output=True
    )
    passwords.chmod(0o644)
    guarded = Broker(tmp_path, f"allow_anonymous false\npassword_file {passwords}\nuser root\n")
    guarded.start()
    try:
        caplog.set_level(logging.DEBUG)
        log, listener = Log(), subscriber(f"mqtt://me:wr0ng@127.0.0.1:{guarded.port}")
        listener.start(log.take, log.note)
        _wait_for_log(caplog, "refused")
        listener.stop()
        assert log.changes == []
        assert "wr0ng" not in caplog.text
        welcome = subscriber(f"mqtt://me:right@127.0.0.1:{guarded.port}")
        welcome.start(log.take, log.note)
        log.wait(lambda: log.changes == [(True, False)])
        welcome.stop()
        assert "right" not in caplog.text
    finally:
        guarded.kill()


def _wait_for_log(caplog: pytest.LogCaptureFixture, word: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while word not in caplog.text:
        assert time.monotonic() < until, caplog.text
        threading.Event().wait(0.01)


CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"


class OldBroker:
    """Speaks just enough MQTT 3.1.1 to tell what it was asked; answers MQTT 5 as told."""

    def __init__(self, to_mqtt_5: bytes, suback: bytes = SUBACK) -> None:
        self.versions: list[int] = []
        self._to_mqtt_5 = to_mqtt_5
        self._suback = suback
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        version = connection.recv(4096)[8]
        self.versions.append(version)
        if version == 5:
            connection.sendall(self._to_mqtt_5)
            return
        connection.sendall(CONNACK)
        while data := connection.recv(4096):
            if data[0] & 0xF0 == 0x80:
                connection.sendall(self._suback)

    def close(self) -> None:
        self._server.close()


@pytest.mark.parametrize(
    "answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", b""], ids=["in 3.1.1", "in 5", "hangs up"]
)
def test_a_broker_older_than_mqtt_5_is_spoken_to_in_its_own_version(answer: bytes) -> None:
    old = OldBroker(answer)
    log, listener = Log(), subscriber(f"mqtt://127.0.0.1:{old.port}")
    listener.start(log.take, log.note)
    log.wait(lambda: log.changes == [(True, False)])
    listener.stop()
    assert old.versions == [5, 4]
    old.close()


def test_a_refused_subscription_is_no_connection() -> None:
    strict = OldBroker(b"", suback=b"\x90\x03\x00\x01\x80")
    log, listener = Log(), subscriber(f"mqtt://127.0.0.1:{strict.port}?protocol=3.1.1")
    listener.start(log.take, log.note)
    until = time.monotonic() + PATIENCE_S
    while len(strict.versions) < 2:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    listener.stop()
    assert log.changes == []
    strict.close()


def test_a_session_that_was_new_on_a_connection_that_broke_at_once_is_told_as_new_by_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        log, listener = Log(), subscriber(f"mqtt://127.0.0.1:{server.getsockname()[1]}?protocol=3.1.1")
        listener.start(log.take, log.note)
        first, _ = server.accept()
        first.recv(4096)
        first.sendall(CONNACK)  # a new session
        first.recv(4096)  # the subscription, which is not answered
        first.close()
        second, _ = server.accept()
        second.recv(4096)
        second.sendall(
            b"\x20\x02\x01\x00"
        )  # the session is present, and what the forgotten one held is still not in it
        log.wait(lambda: len(log.changes) == 1)
        second.close()
        third, _ = server.accept()
        third.recv(4096)
        third.sendall(b"\x20\x02\x01\x00")
        log.wait(lambda: len(log.changes) == 3)
        third.close()
        listener.stop()
    assert log.changes[:3] == [(True, False), (False, False), (True, True)]


# -- encryption


def test_tls_is_checked_against_the_authorities_we_trust(tmp_path: Path) -> None:
    openssl = needed("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    secure = Broker(tmp_path, f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\nuser root\n")
    secure.start()
    try:
        log = Log()
        distrustful = subscriber(f"mqtts://localhost:{secure.port}")
        distrustful.start(log.take, log.note)
        trusting = subscriber(f"mqtts://localhost:{secure.port}?ca={certificate}")
        trusted = Log()
        trusting.start(trusted.take, trusted.note)
        trusted.wait(lambda: trusted.changes == [(True, False)])
        sender = open_publisher(f"mqtts://localhost:{secure.port}?ca={certificate}", client_id="p")
        sent = [bytes([number]) * 40_000 for number in range(60)]  # more than one TLS record each
        for payload in sent:
            sender.publish("t", payload)
        sender.flush(PATIENCE_S)
        trusted.wait(lambda: len(trusted.messages) == 60)
        assert [message.payload for message in trusted.messages] == sent
        for one in (trusting, distrustful):
            one.stop()
        sender.close()
        assert log.changes == []
    finally:
        secure.kill()


def test_authorities_that_cannot_be_read_are_named() -> None:
    with pytest.raises(Invalid, match=r"/no/such/file"):
        open_subscriber(
            "mqtts://localhost?ca=/no/such/file", client_id="l", filters=["t"], session_expiry_s=0, receive_maximum=10
        )


# -- brokers with a small window


def test_a_broker_with_mosquittos_own_defaults_takes_a_burst_of_a_publisher(tmp_path: Path) -> None:
    small = Broker(tmp_path, PLAIN)  # 20 in flight: to send more would cost the connection
    small.start()
    try:
        sender = open_publisher(f"mqtt://127.0.0.1:{small.port}", client_id="p")
        for number in range(1000):
            sender.publish("t", b"%d" % number)
        sender.flush(PATIENCE_S)
        sender.close()
    finally:
        small.kill()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_ingestor_does_not_starve_on_a_broker_with_a_small_window(
    tmp_path: Path, store: TelemetryStore, database: Database, protocol: str
) -> None:
    small = Broker(tmp_path, "allow_anonymous true\nmax_queued_messages 100000\n")
    small.start()
    clock = SteppedClock(START)
    address = f"mqtt://127.0.0.1:{small.port}?protocol={protocol}"
    try:
        sender = open_publisher(address, client_id="p")
        limits = Limits(batch_seconds=2.0)  # by age alone 600 messages would take a minute
        with ingesting(address, store, database, clock, limits=limits, spoken=["native"]) as ingestor:
            for number in range(600):
                sender.publish(*native.telemetry(f"d{number}", [(START, {"temperature_c": 20.0})]))
            sender.flush(PATIENCE_S)
            ingestor.runner.drain(600, 45.0)
            assert ingestor.ledger.snapshot()["stored"] == 600
        sender.close()
    finally:
        small.kill()
