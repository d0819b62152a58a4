"""The first step of the compose file and its broker, run by hand: who may connect, and who may write what."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
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
    """A client of the broker. Paho's own thread speaks; the events say what came of it.

    With a ``certificate`` (a file of key and certificate) it comes by the listener for those.
    """

    def __init__(
        self, machine: Machine, user: str | None, password: str | None, certificate: Path | None = None
    ) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        authority = machine.volume("secrets-hearthwatch") / "ca.crt"
        context = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            context.load_cert_chain(certificate)
        self.client.tls_set_context(context)
        if user is not None:
            self.client.username_pw_set(user, password)
        self.answered, self.came = threading.Event(), threading.Event()
        self.answer, self.code, self.topics = "", "", list[str]()
        self.published, self.subscribed = threading.Event(), threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_connect = self._connected
        self.client.on_publish = self._acknowledged
        self.client.on_message = self._heard
        port = "mosquitto:8883" if certificate is None else "mosquitto:8884"
        self.client.connect("127.0.0.1", machine.port(port))
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

    def wait_for(self, topic: str) -> None:
        """Wait until a message came on a topic."""
        ends = time.monotonic() + 20
        while topic not in self.topics:
            assert time.monotonic() < ends, f"nothing came on {topic}: {self.topics}"
            self.came.wait(0.05)

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
def guest(machine: Machine, user: str | None, password: str | None, certificate: Path | None = None) -> Iterator[Guest]:
    visitor = Guest(machine, user, password, certificate)
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
    ours = platform_password(broker)

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


OWN = (
    *(f"hearthwatch/v1/{{}}/{kind}" for kind in ("telemetry", "event", "presence", "identity", "reply")),
    *("tele/{}/STATE", "stat/{}/RESULT", "{}/tele/LWT", "tasmota/discovery/{}/config"),
    *("shellies/{}/relay/0", "{}/online", "{}/events/rpc", "{}/status/switch:0", "{}/hearthwatch/rpc"),
    *("homeassistant/sensor/{}/temperature/config", "homeassistant/device/{}/config"),
    *("{}/sensor/temperature/state", "{}/status", "esphome/{}/sensor/temperature/state", "esphome/{}/status"),
    *("homie/5/{}/$state", "homie/5/{}/sensor/temperature", "homie/{}/$state"),
    *("spBv1.0/plant/NBIRTH/{}", "spBv1.0/plant/NDATA/{}", "spBv1.0/plant/DDATA/{}/sensor"),
    "acme/{}/state",
)
"""A topic of each kind that a device of each convention writes, with its own name in its place."""


def test_a_device_of_whatever_convention_writes_as_itself_and_nothing_of_it_arrives_as_another(broker: Machine) -> None:
    words = add_device(broker, "own-1", "own-2")
    ours = platform_password(broker)

    with guest(broker, "own-1", words["own-1"]) as device, guest(broker, "hearthwatch", ours) as platform:
        platform.subscribe("#")
        refused = {topic: device.publish(topic.format("own-2")) for topic in OWN}
        taken = {topic: device.publish(topic.format("own-1")) for topic in OWN}
        platform.wait_for(OWN[-1].format("own-1"))

    assert set(refused.values()) == {"Not authorized"}
    assert set(taken.values()) == {"Success"}
    assert sorted(platform.topics) == sorted(topic.format("own-1") for topic in OWN)


@pytest.mark.parametrize(
    "topic",
    [
        "zigbee2mqtt/0x00158d00018255df",
        "zigbee2mqtt/bridge/devices",
        "homeassistant/sensor/temperature/config",
        "shellies/announce",
        "homie/5/$state",
        "spBv1.0/STATE/host",
        "cmnd/own-3/POWER",
        "hearthwatch/v1/own-3/command",
    ],
)
def test_what_belongs_to_a_bridge_to_all_or_to_us_no_device_writes(broker: Machine, topic: str) -> None:
    with guest(broker, "own-3", add_device(broker, "own-3")["own-3"]) as device:
        assert device.publish(topic) == "Not authorized"


def test_a_bridge_writes_below_its_base_topic_and_nowhere_else(broker: Machine) -> None:
    password = add_device(broker, "--bridge", "zigbee2mqtt")["zigbee2mqtt"]

    with guest(broker, "zigbee2mqtt", password) as bridge:
        for topic in (
            "zigbee2mqtt/bridge/devices",
            "zigbee2mqtt/kitchen/lamp",
            "zigbee2mqtt/kitchen/lamp/availability",
        ):
            assert bridge.publish(topic) in {"Success", "No matching subscribers"}, topic
        for topic in ("hearthwatch/v1/plug-1/telemetry", "tele/plug-1/STATE", "homeassistant/sensor/plug-1/t/config"):
            assert bridge.publish(topic) == "Not authorized", topic


def test_a_device_hears_its_own_commands_in_every_convention_that_has_some(broker: Machine) -> None:
    words = add_device(broker, "ear-1", "ear-2")
    commands = ("hearthwatch/v1/{}/command", "cmnd/{}/Status", "{}/cmnd/Status", "{}/rpc", "shellies/{}/command",
                "spBv1.0/plant/NCMD/{}", "spBv1.0/plant/DCMD/{}/sensor")  # fmt: skip

    with (
        guest(broker, "ear-1", words["ear-1"]) as device,
        guest(broker, "hearthwatch", platform_password(broker)) as ours,
    ):
        device.subscribe("#")
        for topic in commands:
            assert ours.publish(topic.format("ear-2")) in {"Success", "No matching subscribers"}, topic
            assert ours.publish(topic.format("ear-1")) == "Success", topic
        device.wait_for(commands[-1].format("ear-1"))

    assert sorted(device.topics) == sorted(topic.format("ear-1") for topic in commands)


# -- certificates


def test_a_device_with_a_certificate_is_the_user_of_its_common_name(broker: Machine, tmp_path: Path) -> None:
    certificate = add_certificate(broker, tmp_path, "own-4")

    with guest(broker, None, None, certificate) as device:
        assert device.answer == "Success"
        assert device.publish("hearthwatch/v1/own-4/telemetry") in {"Success", "No matching subscribers"}
        assert device.publish("hearthwatch/v1/own-5/telemetry") == "Not authorized"


def test_a_name_beside_the_certificate_counts_for_nothing(broker: Machine, tmp_path: Path) -> None:
    certificate = add_certificate(broker, tmp_path, "own-6")

    with guest(broker, "hearthwatch", "anything", certificate) as device:
        assert device.publish("hearthwatch/v1/own-6/command") == "Not authorized"
        assert device.publish("hearthwatch/v1/own-6/telemetry") in {"Success", "No matching subscribers"}


@pytest.mark.parametrize("who", ["nobody", "an authority of their own", "the broker"])
def test_without_a_certificate_of_a_device_by_our_authority_there_is_no_connection(
    broker: Machine, tmp_path: Path, who: str
) -> None:
    context = ssl.create_default_context(cafile=str(broker.volume("secrets-hearthwatch") / "ca.crt"))
    if who == "an authority of their own":
        context.load_cert_chain(self_signed(tmp_path))
    elif who == "the broker":
        secrets = broker.volume("secrets-mosquitto")
        context.load_cert_chain(secrets / "server.crt", secrets / "server.key")

    assert is_refused(broker, context)


def is_refused(machine: Machine, context: ssl.SSLContext) -> bool:
    """Whether the listener for certificates hangs up; with TLS 1.3 it says so after the handshake."""
    place = ("127.0.0.1", machine.port("mosquitto:8884"))
    with socket.create_connection(place, timeout=20) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc")
                return connection.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True


def add_certificate(machine: Machine, folder: Path, device: str) -> Path:
    """What deploy/mosquitto/add-device.sh --certificate prints, in a file."""
    done = subprocess.run(
        [sys.executable, "deploy/init/add_devices.py", "--root", str(machine.scratch / "secrets"), "--certificate", device],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    name, _, pem = done.stdout.partition("\n")
    assert name == device
    path = folder / f"{device}.pem"
    path.write_text(pem)
    return path


def self_signed(folder: Path) -> Path:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "3",
         "-subj", "/CN=own-1", "-keyout", "key", "-out", "crt"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    path = folder / "both.pem"
    path.write_text((folder / "key").read_text() + (folder / "crt").read_text())
    return path


def platform_password(machine: Machine) -> str:
    address = (machine.volume("secrets-hearthwatch") / "hearthwatch_broker").read_text()
    return address.removeprefix("mqtts://hearthwatch:").partition("@")[0]


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
case "$*" in *" jobs "*) exec cat > {tmp_path}/registered;; esac
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
    assert asked[1:] == [
        "compose kill -s HUP mosquitto",
        "compose run --rm --no-deps -T jobs device enroll --has-access --again --from -",
    ]
    assert (tmp_path / "registered").read_text().split() == ["script-1", "script-2"]
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
