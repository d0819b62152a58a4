"""The doctor examines real servers: what would lose data is found wanting, what is fit passes."""

from __future__ import annotations

import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from hearthwatch.clock import SystemClock
from hearthwatch.messaging import open_subscriber
from hearthwatch.records import access, audit
from hearthwatch.records.database import open_database
from hearthwatch.records.tables import devices
from hearthwatch.run import doctor
from hearthwatch.run.doctor import examine, printed
from hearthwatch.run.doctor_stores import BACKUP
from hearthwatch.settings import Settings
from hearthwatch.telemetry import open_store
from hearthwatch.values import Message, Reading
from tests.conftest import free_port, needed, wait_for_port
from tests.influxdb_server import Influxd
from tests.mappings import EXAMPLE

Broker = Callable[[str], str]
SUBSCRIBED = "$SYS/broker/clients/disconnected"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Starts a Mosquitto with further lines of configuration, and gives its address."""
    running: list[subprocess.Popen[bytes]] = []

    def start(lines: str) -> str:
        program = needed("mosquitto", "/usr/sbin/mosquitto")
        port = free_port()
        config = tmp_path / f"{port}.conf"
        config.write_text(f"listener {port} 127.0.0.1\nuser root\nsys_interval 1\n{lines}\n")
        process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.append(process)
        wait_for_port(port, process)
        return f"mqtt://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)


def settings_for(tmp_path: Path, **options: Any) -> Settings:
    return Settings(**{"data_dir": tmp_path / "var", "broker": "local://nobody", **options})


def checks_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for check in report["checks"]:
        assert check["ok"] == (check["level"] != "no")
        assert bool(check["remedy"]) == (check["level"] != "ok"), check
        assert "\n" not in check["remedy"]
    return {check["name"]: check for check in report["checks"]}


def examined(settings: Settings, *, probe: bool = True) -> dict[str, dict[str, Any]]:
    return checks_of(examine(settings, probe=probe))


# -- the broker


def test_a_mosquitto_with_its_default_limits_is_found_wanting(tmp_path: Path, broker: Broker) -> None:
    address = broker("allow_anonymous true")
    report = examine(settings_for(tmp_path, broker=address))
    checks = checks_of(report)
    assert not report["ok"]
    assert checks["broker.queue"]["level"] == "no"
    assert "1000 came" in checks["broker.queue"]["says"]
    assert "max_queued_messages" in checks["broker.queue"]["remedy"]
    assert checks["broker.window"]["level"] == "ok"  # MQTT 5: the receive maximum we ask for counts


def test_its_window_of_twenty_is_found_by_mqtt_3(tmp_path: Path, broker: Broker) -> None:
    checks = examined(settings_for(tmp_path, broker=broker("allow_anonymous true") + "?protocol=3.1.1"))
    assert checks["broker.window"]["level"] == "no"
    assert "sends 20 messages" in checks["broker.window"]["says"]
    assert checks["broker.session"]["level"] == "advice"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_mosquitto_with_our_limits_is_fine(tmp_path: Path, broker: Broker, protocol: str) -> None:
    lines = "allow_anonymous true\nmax_inflight_messages 5000\nmax_queued_messages 1000000"
    checks = examined(settings_for(tmp_path, broker=broker(lines) + f"?protocol={protocol}"))
    assert {name: check["level"] for name, check in checks.items() if name in {"broker", "broker.queue", "broker.window"}} == {
        "broker": "ok", "broker.queue": "ok", "broker.window": "ok",
    }  # fmt: skip


def test_the_probe_leaves_no_session_behind(tmp_path: Path, broker: Broker) -> None:
    address = broker("allow_anonymous true\nmax_queued_messages 0")
    examined(settings_for(tmp_path, broker=address))
    none_left = threading.Event()

    def take(message: Message, _receipt: object) -> None:
        # The broker tells it once a second: what it told last may be older than the probe's end.
        if message.payload == b"0":
            none_left.set()

    subscriber = open_subscriber(
        address, client_id="watcher", filters=[SUBSCRIBED], session_expiry_s=0, receive_maximum=10, clock=SystemClock()
    )
    subscriber.start(take, lambda _up, _kept: None)
    gone = none_left.wait(10)
    subscriber.stop()
    assert gone


def test_without_the_probe_nothing_is_published(tmp_path: Path, broker: Broker) -> None:
    checks = examined(settings_for(tmp_path, broker=broker("allow_anonymous true")), probe=False)
    assert checks["broker.queue"]["says"] == "not tried"
    assert "broker.window" not in checks


def test_dropped_messages_are_told(tmp_path: Path, broker: Broker) -> None:
    settings = settings_for(tmp_path, broker=broker("allow_anonymous true"))
    examined(settings)  # the probe itself is dropped here
    time.sleep(1.5)  # the broker says so once a second
    assert "200 messages dropped" in examined(settings, probe=False)["broker.dropped"]["says"]


def test_a_broker_that_is_away_or_refuses_us_is_said_plainly(tmp_path: Path, broker: Broker) -> None:
    away = examined(settings_for(tmp_path, broker=f"mqtt://127.0.0.1:{free_port()}"))
    assert away["broker"]["level"] == "no"
    refusing = examined(settings_for(tmp_path, broker=broker("allow_anonymous false")))
    assert "refused" in refusing["broker"]["says"].lower() or "authorized" in refusing["broker"]["says"].lower()


def test_a_broker_that_does_not_let_us_try_is_no_fault(tmp_path: Path, broker: Broker) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read hearthwatch/v1/+/telemetry\ntopic read $SYS/#\n")
    checks = examined(settings_for(tmp_path, broker=broker(f"allow_anonymous true\nacl_file {acl}")))
    assert checks["broker.queue"]["level"] == "advice"
    assert "does not allow" in checks["broker.queue"]["says"]


def test_limits_that_lose_data_are_named_with_what_to_write_and_what_can_not_be_seen_is_not_passed(
    tmp_path: Path, broker: Broker
) -> None:
    lines = (
        "allow_anonymous true\nmax_queued_messages 1000000\nmax_queued_bytes 300000\nmax_packet_size 100000\n"
        "retain_available false\nqueue_qos0_messages true\npersistent_client_expiration 1h\nmax_topic_alias 7"
    )
    checks = examined(settings_for(tmp_path, broker=broker(lines)))
    assert checks["broker.queue"]["level"] == checks["broker.retain"]["level"] == "no"
    assert "max_queued_bytes 1073741824" in checks["broker.queue"]["remedy"]
    assert "Mosquitto: retain_available true" in checks["broker.retain"]["remedy"]
    assert "packets of at most 100000 bytes" in checks["broker.packets"]["says"]
    assert "max_packet_size" in checks["broker.packets"]["remedy"]
    assert "not tried" in checks["broker.message_size"]["says"]
    assert checks["broker.qos0"]["level"] == "ok"
    assert "7 topic aliases" in checks["broker.alias"]["says"]
    for name, setting in (
        ("broker.persistence", "autosave_interval 60"),
        ("broker.queue_length", "max_queued_messages 1000000"),
        ("broker.session_kept", "persistent_client_expiration 14d"),
    ):
        assert checks[name]["level"] == "advice"
        assert "can not be seen over MQTT" in checks[name]["says"]
        assert setting in checks[name]["remedy"]


def test_a_message_that_is_acknowledged_and_thrown_away_is_found_by_mqtt_3(tmp_path: Path, broker: Broker) -> None:
    lines = "allow_anonymous true\nmax_queued_messages 1000000\nmax_inflight_messages 5000\nmessage_size_limit 100000"
    checks = examined(settings_for(tmp_path, broker=broker(lines) + "?protocol=3.1.1"))
    assert checks["broker.message_size"]["level"] == "no"
    assert "acknowledged to its sender and never came" in checks["broker.message_size"]["says"]
    assert checks["broker.features"]["level"] == "advice", "MQTT 3.1.1 does not tell what a broker can do"


# -- mapping files


def test_a_mapping_is_named_and_so_is_what_it_takes_from_others(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(EXAMPLE.read_text(encoding="utf-8").replace("acme/{device}/state", "tele/{device}/STATE"))
    checks = examined(settings_for(tmp_path, mappings=(own,)))
    assert checks["mappings.acme"]["level"] == "advice"
    assert "tele/+/STATE (tasmota)" in checks["mappings.acme"]["says"]
    alone = examined(settings_for(tmp_path, mappings=(EXAMPLE,)))["mappings.acme"]
    assert (alone["level"], alone["says"].split(": ")[1].split(", ")[0]) == ("ok", "acme/+/state")
    own.write_text("name = 'own'")
    wrong = examined(settings_for(tmp_path, mappings=(own,)))["mappings"]
    assert wrong["level"] == "no"
    assert "topics: it is missing" in wrong["says"]


# -- embedded stores


def test_a_fresh_folder_is_fit_and_stays_untouched(tmp_path: Path) -> None:
    report = examine(settings_for(tmp_path))
    assert report["ok"], list(printed(report))
    assert list(tmp_path.iterdir()) == []


def test_old_schemas_open_keys_and_missing_backups_are_found(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, host="0.0.0.0")
    database = open_database(settings.records_address)
    database.upgrade()
    now = datetime.now(UTC)
    with database.transaction() as connection:
        connection.execute(sa.insert(devices).values(id="d-1", first_seen=now - timedelta(days=30)))
    (settings.data_dir / "secret.key").write_text("x" * 40)
    (settings.data_dir / "secret.key").chmod(0o644)
    checks = examined(settings)
    assert {name for name, check in checks.items() if check["level"] == "no"} == {
        "accounts", "backups", "secret_key", "public_url",
    }  # fmt: skip
    with database.transaction() as connection:
        access.create_user(connection, "ada", "correct horse battery", "admin", now)
        audit.note(connection, at=now - timedelta(days=3), actor="x", action=BACKUP, object="backup:x")
    (settings.data_dir / "secret.key").chmod(0o600)
    checks = examined(settings_for(tmp_path, host="0.0.0.0", public_url="https://care.example.com"))
    assert {name for name, check in checks.items() if check["level"] == "no"} == set()
    assert "3 days old" in checks["backups"]["says"]
    database.downgrade("base")
    database.close()
    assert "db upgrade" in examined(settings)["records.schema"]["remedy"]


def test_stores_that_another_process_holds_are_asked_about_there(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, port=free_port())
    with holding(settings.data_dir / "telemetry.duckdb"):
        checks = examined(settings)
    assert "hearthwatch up is running (PID" in checks["telemetry"]["says"]
    assert "does not answer" in checks["telemetry"]["says"]


def test_a_telemetry_file_of_a_newer_format_is_said_plainly(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    path = settings.data_dir / "telemetry.duckdb"
    open_store(settings.telemetry_address).close()
    claim_format(path, 1000)
    says = examined(settings)["telemetry"]["says"]
    assert str(path) in says
    assert "storage version number 1000" in says


def claim_format(path: Path, version: int) -> None:
    """Let a DuckDB file say that it is of another format: the number stands behind the checksum and the magic word."""
    image = bytearray(path.read_bytes())
    image[12:20] = version.to_bytes(8, "little")
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", image[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    image[:8] = checksum.to_bytes(8, "little")
    path.write_bytes(image)


@contextmanager
def holding(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"open\n"
        yield
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


# -- the rest


def test_a_mail_server_that_is_away_is_found(tmp_path: Path) -> None:
    port = free_port()
    checks = examined(settings_for(tmp_path, mail_server=SecretStr(f"mailto://u:opensesame@127.0.0.1:{port}")))
    assert checks["mail_server"]["level"] == "no"
    assert "opensesame" not in str(checks)
    assert checks["public_url"]["level"] == "no"  # customers would get links to 127.0.0.1


@pytest.mark.parametrize("tls", [True, False])
def test_a_mail_server_is_spoken_to_as_letters_will_be(
    tmp_path: Path, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server(tmp_path, tls=tls) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mail.crt"))
        address = f"mailtos://u:p@127.0.0.1:{port}?mode={'ssl' if tls else 'starttls'}"
        checks = examined(settings_for(tmp_path, mail_server=SecretStr(address)))
        assert checks["mail_server"]["level"] == "ok", checks["mail_server"]
        wrong = f"mailtos://u:p@127.0.0.1:{port}?mode={'starttls' if tls else 'ssl'}"
        checks = examined(settings_for(tmp_path, mail_server=SecretStr(wrong)))
        assert checks["mail_server"]["level"] == "no"


@contextmanager
def mail_server(folder: Path, *, tls: bool) -> Iterator[int]:
    """A server that greets and says yes to everything (RFC 5321), in plain text or with TLS from the first byte (RFC 8314)."""

    class Dialogue(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"220 mail.test\r\n")
                while verb := self.rfile.readline().strip():
                    self.wfile.write(b"221 bye\r\n" if verb.upper() == b"QUIT" else b"250 mail.test\r\n")

    class Server(socketserver.ThreadingTCPServer):
        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            connection.settimeout(10)
            return (context.wrap_socket(connection, server_side=True) if tls else connection), address

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls:
        key, certificate = folder / "mail.key", folder / "mail.crt"
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.test -addext subjectAltName=IP:127.0.0.1"
        )
        subprocess.run(
            [*command.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
        context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), Dialogue) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mail_server", "mailto://u:opensesame@host:abc"),
        ("public_url", "http://["),
        ("mail_server", "mailto://["),
        ("mail_server", "mailto://u:p@host?mode=tls"),
    ],
)
def test_an_address_that_can_not_be_read_is_one_line_of_the_report(tmp_path: Path, option: str, value: str) -> None:
    checks = examined(settings_for(tmp_path, **{option: SecretStr(value) if option == "mail_server" else value}))
    assert checks[option]["level"] == "no"
    assert "opensesame" not in str(checks)


# -- servers


def test_a_postgresql_that_fits_passes_and_one_that_is_away_does_not(tmp_path: Path, postgresql: str) -> None:
    settings = settings_for(tmp_path, records=postgresql)
    checks = examined(settings)
    for name in ("records", "records.connections", "records.schema", "clock.records"):
        assert checks[name]["level"] == "ok", checks[name]
    assert "PostgreSQL 15" in checks["records"]["says"]
    password = postgresql.split(":")[2].split("@")[0]
    assert password not in str(checks)
    with_another = postgresql.replace(password, "wrong")
    assert examined(settings_for(tmp_path, records=with_another))["records"]["level"] == "no"
    nowhere = postgresql.rsplit("@", 1)[0] + f"@127.0.0.1:{free_port()}/x"
    checks = examined(settings_for(tmp_path, records=nowhere))
    assert checks["records"]["level"] == "no"
    assert "clock.records" not in checks


def test_a_clock_that_differs_from_the_server_s_is_found(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "postgresql_time", lambda _: datetime.now(UTC) - timedelta(seconds=90))
    check = examined(settings_for(tmp_path, records=postgresql))["clock.records"]
    assert check["level"] == "no"
    assert "-90." in check["says"]


def test_an_influxdb_needs_its_buckets_its_rights_and_its_retention(tmp_path: Path, influxd: Influxd) -> None:
    bucket = "doctor"
    settings = settings_for(tmp_path, telemetry=influxd.address(bucket))
    checks = examined(settings)
    assert checks["telemetry"]["level"] == "ok"
    assert checks["clock.telemetry"]["level"] == "ok"
    assert "no such bucket" in checks["telemetry.doctor"]["says"]
    with httpx.Client(base_url=influxd.url, headers={"Authorization": f"Token {influxd.token}"}) as client:
        organisation = client.get("/api/v2/orgs").json()["orgs"][0]["id"]
        days = {bucket: 30, f"{bucket}_rollups": 30, f"{bucket}_state": 0}
        made = {name: make_bucket(client, organisation, name, kept) for name, kept in days.items()}
        checks = examined(settings)
        assert checks["telemetry.doctor"]["level"] == "ok", checks
        assert checks["telemetry.doctor_state"]["level"] == "ok"
        assert checks["telemetry.doctor_rollups"]["level"] == "no"  # rollups are to be kept for two years
        assert "retention 730d" in checks["telemetry.doctor_rollups"]["remedy"]
        read_only = make_token(client, organisation, made[bucket], ["read"])
        write_only = make_token(client, organisation, made[bucket], ["write"])
    for token, says in ((read_only, "writing is refused"), (write_only, "may see"), ("none", "not known")):
        address = f"{influxd.address(bucket).split('?')[0]}?token={token}"
        checks = examined(settings_for(tmp_path, telemetry=address))
        assert says in checks["telemetry.doctor"]["says"], token
        assert token == "none" or token not in str(checks)


def test_the_retention_that_the_store_sets_itself_is_fine(tmp_path: Path, influxd: Influxd) -> None:
    settings = settings_for(tmp_path, telemetry=influxd.address("set-by-itself"))
    now = datetime.now(UTC)
    with closing(open_store(settings.telemetry_address)) as store:
        store.write([Reading("d-1", "native", now, {"temperature_c": 20.0}, "1.0")])
        store.expire(
            raw_before=now - timedelta(days=settings.raw_days),
            rollups_before=now - timedelta(days=settings.rollup_days),
        )
    checks = examined(settings)
    for name, option in (("set-by-itself", "raw_days"), ("set-by-itself_rollups", "rollup_days")):
        assert checks[f"telemetry.{name}"]["level"] == "ok", checks[f"telemetry.{name}"]
        assert option in checks[f"telemetry.{name}"]["says"]


def make_bucket(client: httpx.Client, organisation: str, name: str, days: int) -> str:
    rules = [{"type": "expire", "everySeconds": days * 86_400}]
    made = client.post("/api/v2/buckets", json={"orgID": organisation, "name": name, "retentionRules": rules})
    return str(made.json()["id"])


def make_token(client: httpx.Client, organisation: str, bucket: str, actions: list[str]) -> str:
    rights = [{"action": one, "resource": {"type": "buckets", "id": bucket, "orgID": organisation}} for one in actions]
    made = client.post("/api/v2/authorizations", json={"orgID": organisation, "permissions": rights})
    return str(made.json()["token"])


def test_an_influxdb_that_is_away_is_found(tmp_path: Path) -> None:
    checks = examined(settings_for(tmp_path, telemetry=f"influxdb://127.0.0.1:{free_port()}/o/b?token=t"))
    assert checks["telemetry"]["level"] == "no"
    assert "clock.telemetry" not in checks
