"""What the doctor says of brokers that are not at hand here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hearthwatch.messaging.examination import BrokerReport, Probe
from hearthwatch.run import doctor_broker
from hearthwatch.run.broker_settings import family_of, to_write
from hearthwatch.run.checks import Check
from hearthwatch.settings import Settings

GOOD = Probe("hearthwatch/v1/x/probe", 1200, 1200, 1200, "", 5, 5, 4_194_304, large_came=True)
EMQX = {"$SYS/brokers/emqx@127.0.0.1/version": "5.8.0"}


def checks(
    monkeypatch: pytest.MonkeyPatch,
    *,
    told: dict[str, str] | None = None,
    granted: dict[str, int] | None = None,
    probe: Probe = GOOD,
) -> dict[str, Check]:
    report = BrokerReport("5", granted or {}, (), told or {}, probe)
    monkeypatch.setattr(doctor_broker, "examine_broker", lambda *_args, **_named: report)
    settings = Settings(broker="mqtt://127.0.0.1:1")
    return {check.name: check for check in doctor_broker.check_broker(settings, probe=True)}


def test_a_session_that_is_cut_short_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    brief = checks(monkeypatch, told=EMQX, granted={"session_expiry_s": 300})["broker.session"]
    assert brief.level == "no"
    assert "it keeps a session for 300 s" in brief.says
    assert brief.remedy.endswith("EMQX: mqtt.session_expiry_interval = 14d")
    two_hours = checks(monkeypatch, told=EMQX, granted={"session_expiry_s": 7200})["broker.session"]
    assert two_hours.level == "advice"


@pytest.mark.parametrize(
    ("granted", "name", "level", "setting"),
    [
        ({"retain_available": 0}, "broker.retain", "no", "mqtt.retain_available = true"),
        ({"wildcards_available": 0}, "broker.wildcards", "no", "mqtt.wildcard_subscription = true"),
        ({"shared_available": 0}, "broker.shared", "advice", "mqtt.shared_subscription = true"),
        ({"maximum_qos": 0}, "broker.qos", "no", "mqtt.max_qos_allowed = 2"),
        ({"maximum_packet_size": 1_048_576}, "broker.packets", "advice", "mqtt.max_packet_size = 4264304B"),
    ],
)
def test_what_a_broker_does_not_grant_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, granted: dict[str, int], name: str, level: str, setting: str
) -> None:
    found = checks(monkeypatch, told=EMQX, granted=granted)[name]
    assert found.level == level
    assert setting in found.remedy
    assert "Mosquitto" not in found.remedy


@pytest.mark.parametrize(
    ("probe", "name", "level", "setting"),
    [
        (replace(GOOD, came=1000), "broker.queue", "no", "mqtt.max_mqueue_len = 1000000"),
        (replace(GOOD, window=32), "broker.window", "no", "mqtt.max_inflight = 5000"),
        (replace(GOOD, window=500), "broker.window", "advice", "mqtt.max_inflight = 5000"),
        (replace(GOOD, qos0_came=0), "broker.qos0", "advice", "mqtt.mqueue_store_qos0 = true"),
        (replace(GOOD, large_came=False), "broker.message_size", "no", "mqtt.max_packet_size"),
        (replace(GOOD, large_came=False, large_refused=True), "broker.message_size", "advice", "mqtt.max_packet_size"),
    ],
)
def test_what_was_tried_and_lost_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, probe: Probe, name: str, level: str, setting: str
) -> None:
    found = checks(monkeypatch, told=EMQX, probe=probe)[name]
    assert found.level == level
    assert setting in found.remedy


def test_a_broker_that_keeps_silent_gets_the_settings_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checks(monkeypatch, probe=replace(GOOD, came=1000))
    assert found["broker.dropped"].level == "advice", "what it does not tell is not passed"
    remedy = found["broker.queue"].remedy
    assert "Mosquitto: max_queued_messages 1000000 and max_queued_bytes 1073741824" in remedy
    assert "EMQX: mqtt.max_mqueue_len = 1000000" in remedy
    assert "HiveMQ: <queued-messages><max-queue-size>1000000</max-queue-size></queued-messages>" in remedy


def test_what_can_not_be_seen_is_said_whatever_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checks(monkeypatch, told=EMQX)
    unseen = {name for name, check in found.items() if "can not be seen over MQTT" in check.says}
    assert unseen == {"broker.persistence", "broker.queue_length", "broker.session_kept"}
    assert "durable_sessions.enable = true" in found["broker.persistence"].remedy


def test_brokers_are_known_by_what_they_tell() -> None:
    assert family_of("mosquitto version 2.0.11", says_more=False) == "mosquitto"
    assert family_of(None, says_more=True) == "emqx"
    assert family_of(None, says_more=False) is None
    limits: tuple[Any, ...] = ("queue", "window", "size", "session", "retain", "wildcards", "shared", "qos", "qos0")
    for limit in (*limits, "persistence", "alias"):
        said = to_write(limit, None, size=1000)
        assert all(name in said for name in ("Mosquitto: ", "EMQX: ", "HiveMQ: "))
        assert "{" not in said
