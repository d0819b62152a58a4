"""What to write into a broker's configuration, so that it loses nothing: by limit, for the brokers that are met most.

Sources: mosquitto.conf(5) of 2.0 and 2.1, docs.emqx.com (MQTT configuration, durable sessions), config-sample-mqtt.xml of HiveMQ Community
Edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Family = Literal["mosquitto", "emqx", "hivemq"]
Limit = Literal[
    "queue", "window", "size", "session", "retain", "wildcards", "shared", "qos", "qos0", "persistence", "alias"
]

NAMES: Mapping[Family, str] = {"mosquitto": "Mosquitto", "emqx": "EMQX", "hivemq": "HiveMQ"}

_SETTINGS: Mapping[Limit, Mapping[Family, str]] = {
    "queue": {
        "mosquitto": "max_queued_messages 1000000 and max_queued_bytes 1073741824",
        "emqx": "mqtt.max_mqueue_len = 1000000",
        "hivemq": "<queued-messages><max-queue-size>1000000</max-queue-size></queued-messages>",
    },
    "window": {
        "mosquitto": "max_inflight_messages 5000 (not 0 and not 65535: 2.1 then warns at every message), or speak MQTT 5",
        "emqx": "mqtt.max_inflight = 5000",
        "hivemq": "nothing to set: speak MQTT 5, whose clients say how much they take",
    },
    "size": {
        "mosquitto": "message_size_limit {bytes} and max_packet_size {packet} (0 is no limit)",
        "emqx": "mqtt.max_packet_size = {packet}B",
        "hivemq": "<packets><max-packet-size>{packet}</max-packet-size></packets>",
    },
    "session": {
        "mosquitto": "persistent_client_expiration 14d",
        "emqx": "mqtt.session_expiry_interval = 14d",
        "hivemq": "<session-expiry><max-interval>1209600</max-interval></session-expiry>",
    },
    "retain": {
        "mosquitto": "retain_available true",
        "emqx": "mqtt.retain_available = true and retainer.enable = true",
        "hivemq": "<retained-messages><enabled>true</enabled></retained-messages>",
    },
    "wildcards": {
        "mosquitto": "nothing to set: it always has them",
        "emqx": "mqtt.wildcard_subscription = true",
        "hivemq": "<wildcard-subscriptions><enabled>true</enabled></wildcard-subscriptions>",
    },
    "shared": {
        "mosquitto": "nothing to set: it always has them",
        "emqx": "mqtt.shared_subscription = true",
        "hivemq": "<shared-subscriptions><enabled>true</enabled></shared-subscriptions>",
    },
    "qos": {
        "mosquitto": "max_qos 2",
        "emqx": "mqtt.max_qos_allowed = 2",
        "hivemq": "<quality-of-service><max-qos>2</max-qos></quality-of-service>",
    },
    "qos0": {
        "mosquitto": "queue_qos0_messages true",
        "emqx": "mqtt.mqueue_store_qos0 = true",
        "hivemq": "nothing to set: it keeps none, so let the devices publish at QoS 1",
    },
    "persistence": {
        "mosquitto": "persistence true, persistence_location and autosave_interval 60: a broker that is killed loses what came since it"
        " last saved (2.1: the plugin persist-sqlite with flush_period 0 and sync full loses nothing)",
        "emqx": "durable_sessions.enable = true",
        "hivemq": "<persistence><mode>file</mode></persistence>",
    },
    "alias": {
        "mosquitto": "max_topic_alias 10",
        "emqx": "mqtt.max_topic_alias = 65535",
        "hivemq": "<topic-alias><enabled>true</enabled><max-per-client>5</max-per-client></topic-alias>",
    },
}
_PACKET_HEAD = 70_000
"""Bytes of a packet that are no payload, at most: a topic of 64 KiB and its properties."""


def family_of(version: str | None, *, says_more: bool) -> Family | None:
    """Which broker it is, by what it tells of its version in ``$SYS``; None where that does not say."""
    said = (version or "").lower()
    if "mosquitto" in said:
        return "mosquitto"
    return "emqx" if says_more or "emqx" in said else None


def to_write(limit: Limit, family: Family | None, *, size: int = 0) -> str:
    """The setting to write: of this broker, or of each where it is not known which it is. ``size`` is a payload's, in bytes."""
    by_family = _SETTINGS[limit]
    values = {"bytes": size, "packet": size + _PACKET_HEAD}
    if family is not None:
        return f"{NAMES[family]}: {by_family[family].format(**values)}"
    return "; ".join(f"{NAMES[one]}: {said.format(**values)}" for one, said in by_family.items())
