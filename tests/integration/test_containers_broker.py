"""The first step of the compose file and its broker, run by hand: who may connect, and who may write what."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.compose import ROOT, Machine, as_root
from tests.compose_services import add_device, broker_up, init_options


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A scratch machine whose first step was run; other users may reach into it, as in a container."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Machine(Path(folder))
        done = made.once("init", *init_options(made))
        assert done.returncode == 0, done.stderr
        yield made


@pytest.fixture(scope="module")
def broker(machine: Machine) -> Iterator[Machine]:
    """The broker of the compose file, running."""
    with broker_up(machine):
        yield machine


class Guest:
    """A client of the broker. Paho's own thread speaks; the events say what came of it."""

    def __init__(self, machine: Machine, user: str | None, password: str | None) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        authority = machine.volume("secrets-hearthwatch") / "ca.crt"
        self.client.tls_set_context(ssl.create_default_context(cafile=str(authority)))
        if user is not None:
            self.client.username_pw_set(user, password)
        self.answered, self.came = threading.Event(), threading.Event()
        self.answer, self.code, self.topics = "", "", list[str]()
        self.published, self.subscribed = threading.Event(), threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_connect = self._connected
        self.client.on_publish = self._acknowledged
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", machine.port("mosquitto:8883"))
        self.client.loop_start()
        assert self.answered.wait(10)

    def publish(self, topic: str) -> str:
        """Publish with QoS 1; the broker's word for what became of it."""
        self.published.clear()
        self.client.publish(topic, b"{}", qos=1)
        assert self.published.wait(10)
        return self.code

    def subscribe(self, topic: str) -> None:
        """Subscribe; returns when the broker has said so."""
        self.subscribed.clear()
        self.client.subscribe(topic, qos=1)
        assert self.subscribed.wait(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _connected(self, _client: object, _data: object, _flags: object, reason: object, _properties: object) -> None:
        self.answer = str(reason)
        self.answered.set()

    def _acknowledged(self, _client: object, _data: object, _number: int, reason: object, _properties: object) -> None:
        self.code = str(reason)
        self.published.set()

    def _heard(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.topics.append(message.topic)
        self.came.set()


@contextmanager
def guest(machine: Machine, user: str | None, password: str | None) -> Iterator[Guest]:
    visitor = Guest(machine, user, password)
    try:
        yield visitor
    finally:
        visitor.close()


def test_a_second_run_makes_nothing_new(machine: Machine) -> None:
    before = {path: path.read_bytes() for path in machine.scratch.rglob("secrets-*/*")}

    done = machine.once("init", *init_options(machine))

    assert "every secret is there" in done.stdout
    assert {path: path.read_bytes() for path in machine.scratch.rglob("secrets-*/*")} == before


def test_secrets_are_long_different_and_for_one_reader(machine: Machine) -> None:
    passwords = {
        path.read_text() for path in machine.scratch.rglob("secrets-*/*password") if "hearthwatch_" not in path.name
    }

    assert all(len(word) >= 40 for word in passwords)
    for path in machine.scratch.rglob("secrets-*/*"):
        if path.suffix != ".crt" and path.name not in {"names", "mosquitto_sub"}:
            assert path.stat().st_mode & 0o377 == 0, path
    if as_root():
        owners = {path.parent.name: path.stat().st_uid for path in machine.scratch.rglob("secrets-*/*")}
        assert owners["secrets-mosquitto"] == 1883
        assert owners["secrets-hearthwatch"] == 10001


def test_the_certificate_is_made_again_for_further_names(machine: Machine, tmp_path: Path) -> None:
    other = Machine(tmp_path)
    other.once("init", *init_options(other))
    authority = (other.volume("secrets-mosquitto") / "ca.crt").read_text()

    other.once("init", *init_options(other), MQTT_NAMES="mqtt.example.com, 192.0.2.7")

    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(other.volume("secrets-mosquitto") / "server.crt")],
        check=True, capture_output=True, text=True, timeout=20,
    ).stdout  # fmt: skip
    assert "DNS:mqtt.example.com" in shown
    assert "IP Address:192.0.2.7" in shown
    assert (other.volume("secrets-mosquitto") / "ca.crt").read_text() == authority


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    other = Machine(tmp_path)

    done = other.once("init", *init_options(other), MQTT_NAMES="mqtt;rm")

    assert done.returncode == 1
    assert "'mqtt;rm' is neither a host name nor an address" in done.stderr


def test_the_broker_takes_our_configuration_without_a_complaint(broker: Machine) -> None:
    assert "Error" not in broker.log("mosquitto")
    assert "Warning" not in broker.log("mosquitto")


def test_the_broker_is_healthy_by_the_check_of_the_file(broker: Machine) -> None:
    checked = broker.health("mosquitto")

    assert checked.returncode == 0, checked.stderr
    assert "seconds" in checked.stdout


def test_an_anonymous_client_is_refused(broker: Machine) -> None:
    with guest(broker, None, None) as visitor:
        assert visitor.answer == "Not authorized"


def test_a_wrong_password_is_refused(broker: Machine) -> None:
    with guest(broker, "hearthwatch", "wrong") as visitor:
        assert visitor.answer == "Not authorized"


def test_a_client_that_does_not_know_our_authority_does_not_connect(broker: Machine) -> None:
    place = ("127.0.0.1", broker.port("mosquitto:8883"))

    with socket.create_connection(place) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_device_writes_as_itself_and_as_nobody_else(broker: Machine) -> None:
    password = add_device(broker, "plug-1")["plug-1"]

    with guest(broker, "plug-1", password) as device:
        assert device.answer == "Success"
        assert device.publish("hearthwatch/v1/plug-1/telemetry") in {"Success", "No matching subscribers"}
        assert device.publish("tele/plug-1/STATE") in {"Success", "No matching subscribers"}
        for topic in (
            "hearthwatch/v1/plug-2/telemetry",
            "hearthwatch/v1/plug-1/command",
            "tele/plug-2/STATE",
            "plug-2/events/rpc",
            "$SYS/broker/uptime",
        ):
            assert device.publish(topic) == "Not authorized", topic


def test_a_device_hears_its_commands_and_nothing_else(broker: Machine) -> None:
    words = add_device(broker, "-", given="lamp-1\nlamp-2\n")
    address = (broker.volume("secrets-hearthwatch") / "hearthwatch_broker").read_text()
    ours = address.removeprefix("mqtts://hearthwatch:").partition("@")[0]

    with guest(broker, "lamp-1", words["lamp-1"]) as device, guest(broker, "hearthwatch", ours) as platform:
        device.subscribe("#")
        platform.subscribe("hearthwatch/v1/+/reply")
        device.publish("hearthwatch/v1/lamp-1/reply")
        assert platform.came.wait(10)
        assert platform.publish("hearthwatch/v1/lamp-2/command") != "Not authorized"
        assert platform.publish("hearthwatch/v1/lamp-1/telemetry") == "Not authorized"
        assert platform.publish("hearthwatch/v1/lamp-1/command") == "Success"
        assert device.came.wait(10)
        assert device.topics == ["hearthwatch/v1/lamp-1/command"]


def test_a_device_that_was_removed_is_refused(broker: Machine) -> None:
    password = add_device(broker, "old-1")["old-1"]
    with guest(broker, "old-1", password) as device:
        assert device.answer == "Success"

    add_device(broker, "--remove", "old-1")

    with guest(broker, "old-1", password) as device:
        assert device.answer == "Not authorized"


def test_the_script_for_devices_runs_in_the_container_and_tells_the_broker(broker: Machine, tmp_path: Path) -> None:
    """With a stand-in for docker: it runs here what the script asks to be run in the container."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
[ "$2" = run ] || exit 0
while [ "$1" != init ]; do shift; done
shift 2
exec {sys.executable} {ROOT}/deploy/init/add_devices.py --root {broker.scratch}/secrets "$@"
"""
    )
    docker.chmod(0o755)

    done = subprocess.run(
        [str(ROOT / "deploy" / "mosquitto" / "add-device.sh"), "-"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True, capture_output=True, text=True, input="script-1\nscript-2\n", timeout=60,
    )  # fmt: skip

    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].startswith(
        "compose run --rm --no-deps -T --entrypoint python init /opt/hearthwatch/init/add_devices.py"
    )
    assert asked[1:] == ["compose kill -s HUP mosquitto"]
    broker.running["mosquitto"].send_signal(1)
    words = dict(line.split("\t") for line in done.stdout.splitlines())
    with guest(broker, "script-2", words["script-2"]) as device:
        assert device.answer == "Success"


@pytest.mark.parametrize("name", ["hearthwatch", "health", "a/b", "a+", "#", "", "x" * 65, "a\nb"])
def test_names_that_would_be_more_than_a_device_are_refused(machine: Machine, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "deploy/init/add_devices.py", "--root", str(machine.scratch / "secrets"), name],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert "cannot be a device's id" in done.stderr


def test_a_burst_for_an_absent_session_is_kept(broker: Machine) -> None:
    """Mosquitto's defaults keep 1,000 messages; ours keep what an outage brings."""
    from hearthwatch.messaging.examination import examine_broker

    address = (broker.volume("secrets-hearthwatch") / "hearthwatch_broker").read_text()

    report = examine_broker(address, ["hearthwatch/v1/+/telemetry", "tele/+/+"], receive_maximum=2000, probe=True)

    assert report.refused_filters == []
    assert report.probe is not None
    assert report.probe.refused == ""
    assert report.probe.sent == report.probe.came > 1000
    assert report.probe.window >= 1000
