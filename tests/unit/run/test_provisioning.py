"""``hearthwatch device``: what it says, writes and refuses. The command line runs in this process, on a SQLite file."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hearthwatch.records import aliases, audit, broker_users, devices
from hearthwatch.records.database import Database, open_database
from hearthwatch.run.cli import run
from hearthwatch.run.credentials import RESERVED, check_user
from hearthwatch.run.flashing import CONVENTIONS, Access, flash
from hearthwatch.wire.registry import CONVENTIONS as SPOKEN

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records with their schema; each test has a copy."""
    path = tmp_path_factory.mktemp("fresh") / "records.sqlite3"
    database = open_database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path


@pytest.fixture
def passwords(tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A password file as the broker has it, in a folder that is the installation's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    shutil.copy(fresh, tmp_path / "var" / "records.sqlite3")
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("HEARTHWATCH_BROKER_PASSWORD_FILE", str(tmp_path / "passwords"))
    monkeypatch.setenv("HEARTHWATCH_DEVICE_BROKER", "mqtts://mqtt.example.com")
    path = tmp_path / "passwords"
    path.write_text("hearthwatch:$7$101$AAAA$BBBB\n")
    path.chmod(0o640)
    return path


@pytest.fixture
def records(passwords: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{passwords.parent}/var/records.sqlite3")
    yield database
    database.close()


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_an_enrolled_device_is_in_the_registry_and_at_the_broker_and_its_password_nowhere(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["device", "enroll", "lamp-1", "--model", "Lamp 3", "--json"]) == 0
    (made,) = answered(capsys)["devices"]

    lines = passwords.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["hearthwatch", "lamp-1"]
    assert lines[0] == "hearthwatch:$7$101$AAAA$BBBB"
    assert len(made["password"]) >= 40
    assert passwords.stat().st_mode & 0o777 == 0o640
    with records.reading() as connection:
        assert devices.get(connection, "lamp-1").model == "Lamp 3"
        user = broker_users.find(connection, "lamp-1")
        (entry,) = audit.list_entries(connection)
    assert user is not None
    assert (user.role, user.password, user.certificate) == ("device", True, None)
    assert (entry.action, entry.object) == ("device.enroll", "device:lamp-1")
    everything = b"".join(path.read_bytes() for path in passwords.parent.rglob("*") if path.is_file())
    assert made["password"].encode() not in everything


@pytest.mark.parametrize("name", ["", "a b", "a/b", "+", "#", "x" * 65, "日本"])
def test_an_id_that_none_can_have_is_refused(name: str, passwords: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = passwords.read_text()

    assert run(["device", "enroll", name]) == 2

    assert "a device id is 1 to 64 of A-Z a-z 0-9 . _ -" in capsys.readouterr().err
    assert passwords.read_text() == before


def test_no_device_is_called_like_a_level_of_the_broker_s_rules() -> None:
    """With the name ``tele`` the rule ``%u/status/#`` would let a device write what belongs to a device called ``status``."""
    rules = (ROOT / "deploy" / "mosquitto" / "acl").read_text()
    levels = {
        level
        for line in rules.splitlines()
        if line.startswith("pattern ")
        for place, level in enumerate(line.split(" ", 2)[2].split("/"))
        if place < 2 and re.fullmatch(r"[A-Za-z0-9.]+", level) and not line.split(" ", 2)[2].startswith("%u/")
    } - {"v1"}
    assert levels <= RESERVED
    for name in RESERVED:
        with pytest.raises(Exception, match="no device may be called so"):
            check_user(name)


def test_a_device_that_is_enrolled_keeps_its_password_unless_it_shall_have_another(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["device", "enroll", "lamp-1"]) == 0
    before = passwords.read_text()

    assert run(["device", "enroll", "lamp-2", "lamp-1"]) == 2
    assert "enrolled already: lamp-1 (--again" in capsys.readouterr().err
    assert passwords.read_text() == before

    assert run(["device", "enroll", "lamp-1", "--again"]) == 0
    assert passwords.read_text() != before


def test_a_name_that_the_broker_knows_from_elsewhere_is_not_taken_over(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    passwords.write_text("lamp-1:$7$101$AAAA$BBBB\n")

    assert run(["device", "enroll", "lamp-1"]) == 2

    assert "the broker's password file has them already: lamp-1" in capsys.readouterr().err
    with records.reading() as connection:
        assert broker_users.find(connection, "lamp-1") is None


@pytest.mark.parametrize("place", ["no/such/folder/passwords", "."])
def test_a_password_file_that_can_not_be_written_is_named_and_nothing_is_enrolled(
    place: str, passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["device", "enroll", "lamp-1", "--password-file", place]) == 2

    assert "the broker's password file can not be" in capsys.readouterr().err
    with records.reading() as connection:
        assert devices.find(connection, ["lamp-1"]) == {}


def test_without_a_password_file_it_asks_where_it_is(
    passwords: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HEARTHWATCH_BROKER_PASSWORD_FILE")

    assert run(["device", "enroll", "lamp-1"]) == 2

    assert "--password-file: where is the broker's password file?" in capsys.readouterr().err


def test_many_ids_come_from_a_file_all_or_none(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = passwords.parent / "ids"
    ids.write_text("# a production line\n" + "".join(f"lamp-{number}\n" for number in range(500)) + "not an id\n")
    assert run(["device", "enroll", "--from", str(ids)]) == 2
    assert "'not an id'" in capsys.readouterr().err
    assert len(passwords.read_text().splitlines()) == 1

    ids.write_text("".join(f"lamp-{number}   # of box {number}\n\n" for number in range(500)))
    assert run(["device", "enroll", "--from", str(ids), "--json"]) == 0
    made = answered(capsys)["devices"]

    assert len({one["password"] for one in made}) == 500
    assert len(passwords.read_text().splitlines()) == 501


@pytest.mark.parametrize("ids", [["lamp-1", "lamp-1"], []])
def test_ids_that_come_twice_or_not_at_all_are_named(ids: list[str], passwords: Path) -> None:
    assert run(["device", "enroll", *ids]) == 2


def test_a_certificate_is_of_the_device_for_clients_alone_and_its_key_is_kept_nowhere(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = make_authority(passwords.parent / "authority")

    assert run(["device", "enroll", "lamp-1", "--certificate", "--authority", str(authority), "--json"]) == 0

    (made,) = answered(capsys)["devices"]
    assert made["password"] is None
    (passwords.parent / "device.crt").write_text(made["certificate"])
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-ext", "extendedKeyUsage", "-in", "device.crt"],
        cwd=passwords.parent, check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    assert "CN = lamp-1" in shown.replace("CN=lamp-1", "CN = lamp-1")
    assert "TLS Web Client Authentication" in shown
    assert "Server" not in shown
    subprocess.run(
        ["openssl", "verify", "-CAfile", str(authority / "ca.crt"), "device.crt"],
        cwd=passwords.parent, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    with records.reading() as connection:
        user = broker_users.find(connection, "lamp-1")
    assert user is not None
    assert (user.password, user.certificate) == (False, made["fingerprint"])
    assert ssl.PEM_cert_to_DER_cert(made["certificate"])
    assert "lamp-1" not in passwords.read_text()
    key = made["key"].encode()
    assert all(key not in path.read_bytes() for path in passwords.parent.rglob("*") if path.is_file())


def test_an_authority_that_is_not_there_is_named(passwords: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "enroll", "lamp-1", "--certificate", "--authority", "nowhere"]) == 2
    assert "nowhere: there is no ca.crt" in capsys.readouterr().err


def test_a_bridge_is_no_device(passwords: Path, records: Database) -> None:
    assert run(["device", "enroll", "zigbee2mqtt", "--convention", "zigbee2mqtt"]) == 0

    with records.reading() as connection:
        user = broker_users.find(connection, "zigbee2mqtt")
        assert devices.find(connection, ["zigbee2mqtt"]) == {}
    assert user is not None
    assert user.role == "bridge"


def test_a_device_whose_access_is_revoked_is_gone_from_the_file_and_stays_in_the_registry(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["device", "enroll", "lamp-1"])

    assert run(["device", "revoke", "lamp-1"]) == 0
    assert "lamp-1" not in passwords.read_text()
    with records.reading() as connection:
        assert broker_users.find(connection, "lamp-1") is None
        assert devices.get(connection, "lamp-1").id == "lamp-1"
    assert run(["device", "revoke", "lamp-1"]) == 2
    assert "the broker has no such user of ours" in capsys.readouterr().err


def test_a_person_joins_and_separates_ids(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["device", "enroll", "lamp-1"])
    capsys.readouterr()

    assert run(["device", "alias", "join", "plug-7", "nobody"]) == 2
    assert "no such device" in capsys.readouterr().err
    assert run(["device", "alias", "join", "plug-7", "lamp-1"]) == 0
    capsys.readouterr()
    assert run(["device", "show", "plug-7", "--json"]) == 0
    shown = answered(capsys)
    assert shown["device"]["id"] == "lamp-1"
    assert [one["alias"] for one in shown["aliases"]] == ["plug-7"]
    assert run(["device", "alias", "join", "plug-7", "lamp-1"]) == 0
    assert run(["device", "alias", "join", "lamp-1", "plug-7"]) == 2
    assert run(["device", "alias", "separate", "plug-7", "lamp-1"]) == 0
    with records.reading() as connection:
        assert aliases.load(connection) == {}


def test_a_broker_that_is_not_running_is_named_after_all_else_is_done(
    passwords: Path, records: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["device", "enroll", "lamp-1", "--pid-file", "none.pid", "--json"]) == 2

    told = capsys.readouterr()
    assert "was not told to read its files again" in told.err
    assert json.loads(told.out)["devices"][0]["password"]
    assert "lamp-1:" in passwords.read_text()


# -- what to flash


def access(*, password: str | None = "S3cret-word_", tls: bool = True) -> Access:
    return Access("lamp-1", "mqtt.example.com", 8883, tls, password, "ca.crt" if tls else None)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_s_settings_name_broker_user_and_password(convention: str) -> None:
    text = flash(convention, access())

    assert "mqtt.example.com" in text
    assert "8883" in text
    assert "lamp-1" in text
    assert "S3cret-word_" in text


def test_every_convention_that_is_understood_can_be_set_up() -> None:
    assert SPOKEN.keys() <= set(CONVENTIONS)


@pytest.mark.parametrize("convention", ["esphome", "zigbee2mqtt"])
@pytest.mark.parametrize("password", ["S3cret-word_", None])
def test_settings_that_are_yaml_can_be_read_as_such(convention: str, password: str | None) -> None:
    read = yaml.safe_load(flash(convention, access(password=password)))

    user = read["mqtt"].get("username") or read["mqtt"]["user"]
    assert (user, read["mqtt"].get("password")) == ("lamp-1", password)


def test_a_shelly_is_told_by_calls_that_are_json() -> None:
    text = flash("shelly_gen2", access())

    calls, rest = [], re.sub(r"(?m)^//.*\n", "", text).strip()
    while rest:
        call, end = json.JSONDecoder().raw_decode(rest)
        calls.append(call)
        rest = rest[end:].strip()
    assert [call["method"] for call in calls] == ["Shelly.PutUserCA", "MQTT.SetConfig", "Shelly.Reboot"]
    config = calls[1]["params"]["config"]
    assert (config["server"], config["user"], config["pass"], config["topic_prefix"], config["ssl_ca"]) == (
        "mqtt.example.com:8883", "lamp-1", "S3cret-word_", "lamp-1", "user_ca.pem",
    )  # fmt: skip


def test_a_tasmota_is_told_in_one_line() -> None:
    (line,) = (line for line in flash("tasmota", access()).splitlines() if line.startswith("Backlog Mqtt"))

    commands = dict(part.split(" ", 1) for part in line.removeprefix("Backlog ").split("; "))
    assert (commands["MqttUser"], commands["MqttPassword"], commands["Topic"]) == ("lamp-1", "S3cret-word_", "lamp-1")
    assert commands["SetOption103"] == "1"


def make_authority(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "30",
         "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
         "-keyout", "ca.key", "-out", "ca.crt"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder
