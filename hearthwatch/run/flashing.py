"""What to put into a device so that it reports to this broker: for each convention the settings in the form its firmware takes.

Sources: tasmota.github.io/docs (Commands: Backlog, MqttHost, MqttPort, MqttUser, MqttPassword, Topic, SetOption3, SetOption19,
SetOption103, FullTopic), shelly-api-docs.shelly.cloud (gen1: /settings; gen2: MQTT.SetConfig, Shelly.PutUserCA),
esphome.io/components/mqtt, www.zigbee2mqtt.io/guide/configuration/mqtt.html, homieiot.github.io (5.0), Sparkplug 3.0 (topics).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Convention = Literal[
    "native",
    "tasmota",
    "shelly_gen1",
    "shelly_gen2",
    "esphome",
    "home_assistant",
    "zigbee2mqtt",
    "homie",
    "sparkplug",
    "mapped",
]
"""Ways to set up a device; ESPHome speaks Home Assistant discovery, and has a file format of its own."""
CONVENTIONS: tuple[str, ...] = get_args(Convention)


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What a device needs to know. ``password`` is None where it has a certificate; ``ca`` is the file of the authority to trust."""

    device: str
    host: str
    port: int
    tls: bool
    password: str | None
    ca: str | None


def flash(convention: str, access: Access) -> str:
    """The settings as text, ready to be pasted; lines that begin with ``#`` or ``//`` explain."""
    return _SPELL[convention](access).rstrip() + "\n"


def _shown(access: Access) -> str:
    return access.password if access.password is not None else ""


def _native(access: Access) -> str:
    root = f"hearthwatch/v1/{access.device}"
    lines = {
        "host": access.host,
        "port": access.port,
        "tls": "yes, 1.2 or later" if access.tls else "no",
        "ca": access.ca or "the system's",
        "client id": access.device,
        "user": access.device,
        "password": access.password or "none: the client certificate and its key",
        "publish (QoS 1)": ", ".join(f"{root}/{kind}" for kind in ("telemetry", "event", "reply")),
        "publish retained": f"{root}/identity, {root}/presence",
        "last will, retained": f'{root}/presence {{"online": false, "boot": "<boot>"}}',
        "subscribe (QoS 1)": f"{root}/command",
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _tasmota(access: Access) -> str:
    # SetOption103: TLS, in builds that have it; FullTopic as the broker's rules want it; Status 5 tells the hardware address.
    parts = [
        f"MqttHost {access.host}",
        f"MqttPort {access.port}",
        f"MqttUser {access.device}",
        f"MqttPassword {_shown(access)}",
        f"MqttClient {access.device}",
        f"Topic {access.device}",
        "FullTopic %prefix%/%topic%/",
        "SetOption19 1",
        f"SetOption103 {int(access.tls)}",
        *(["SetOption132 1"] if access.tls and access.ca else []),
        "SetOption3 1",
    ]
    tls = "# It knows public authorities alone: the broker is known by its fingerprint (tasmota.github.io/docs/TLS).\n"
    return (
        "# In the device's console; TLS needs a build with USE_MQTT_TLS. It restarts by itself.\n"
        f"{tls if access.tls and access.ca else ''}"
        f"Backlog {'; '.join(parts)}\n"
        "# Once it is back: tells its hardware address and its offset from UTC.\n"
        "Backlog Status 5; Status 7"
    )


def _shelly_gen1(access: Access) -> str:
    # Firmware of the first generation has no TLS for MQTT.
    given = {
        "mqtt_enable": True,
        "mqtt_server": f"{access.host}:{access.port}",
        "mqtt_user": access.device,
        "mqtt_pass": _shown(access),
        "mqtt_id": access.device,
        "mqtt_retain": True,
        "mqtt_update_period": 30,
    }
    query = "&".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()
    )
    note = (
        "# This generation speaks MQTT without TLS only: give it a listener of its own in a network you trust.\n"
        if access.tls
        else ""
    )
    return f"{note}# Open once, then restart the device (/reboot):\nhttp://<address of the device>/settings?{query}"


def _shelly_gen2(access: Access) -> str:
    config = {
        "enable": True,
        "server": f"{access.host}:{access.port}",
        "client_id": access.device,
        "user": access.device,
        "pass": _shown(access),
        "topic_prefix": access.device,
        "ssl_ca": ("user_ca.pem" if access.ca else "ca.pem") if access.tls else None,
        "rpc_ntf": True,
        "status_ntf": False,
        "enable_rpc": True,
    }
    call = {"id": 1, "method": "MQTT.SetConfig", "params": {"config": config}}
    steps: list[str] = ["// POST each to http://<address of the device>/rpc"]
    if access.tls and access.ca:
        authority = {"id": 0, "method": "Shelly.PutUserCA", "params": {"data": "<PEM>"}}
        steps += [f"// the text of {access.ca} in place of <PEM>", json.dumps(authority)]
    return "\n".join([*steps, json.dumps(call, indent=1), json.dumps({"id": 2, "method": "Shelly.Reboot"})])


def _esphome(access: Access) -> str:
    lines = [
        "esphome:",
        f"  name: {json.dumps(access.device.lower())}",
        "mqtt:",
        f"  broker: {json.dumps(access.host)}",
        f"  port: {access.port}",
        f"  username: {json.dumps(access.device)}",
        *([f"  password: {json.dumps(access.password)}"] if access.password is not None else _certificate_lines()),
        f"  client_id: {json.dumps(access.device)}",
        f"  topic_prefix: {json.dumps(access.device)}",
        "  discovery: true",
        "  discovery_unique_id_generator: mac",
        *(_authority_lines(access) if access.tls else []),
    ]
    note = (
        ""
        if access.device == access.device.lower()
        else "# ESPHome's names are in lower case; so should the device's id be.\n"
    )
    return note + "\n".join(lines)


def _authority_lines(access: Access) -> list[str]:
    signed_by = access.ca or "the authority that signed for the broker"
    return [f"  # the text of {signed_by}", "  certificate_authority: |", "    <PEM>"]


def _certificate_lines() -> list[str]:
    return ["  client_certificate: |", "    <PEM>", "  client_certificate_key: |", "    <PEM>"]


def _home_assistant(access: Access) -> str:
    return (
        f"broker   {access.host}:{access.port} ({'TLS, authority ' + (access.ca or 'of the system') if access.tls else 'no TLS'})\n"
        f"user     {access.device}\n"
        f"password {access.password or 'none: the client certificate and its key'}\n"
        f"describe homeassistant/<component>/{access.device}/<object>/config, retained, with the hardware's address in the device's\n"
        '         "connections": [["mac", "aa:bb:cc:dd:ee:ff"]]\n'
        f"speak    {access.device}/<component>/<object>/state, presence {access.device}/status (online, offline; the last will)"
    )


def _zigbee2mqtt(access: Access) -> str:
    scheme = "mqtts" if access.tls else "mqtt"
    lines = [
        "# configuration.yaml",
        "mqtt:",
        f"  base_topic: {json.dumps(access.device)}",
        f"  server: {json.dumps(f'{scheme}://{access.host}:{access.port}')}",
        f"  user: {json.dumps(access.device)}",
        *(
            [f"  password: {json.dumps(access.password)}"]
            if access.password is not None
            else ["  cert: client.crt", "  key: client.key"]
        ),
        f"  client_id: {json.dumps(access.device)}",
        "  version: 5",
        *([f"  ca: {json.dumps(access.ca)}"] if access.tls and access.ca else []),
        "availability: {enabled: true}",
        "advanced: {last_seen: ISO_8601}",
    ]
    if access.device != "zigbee2mqtt":
        lines += [
            f'# and in Hearthwatch\'s settings: conventions = [..., "zigbee2mqtt@{access.device}"]',
            "# and in the broker's acl, then reload it:",
            f"#   user {access.device}",
            f"#   topic readwrite {access.device}/#",
        ]
    return "\n".join(lines)


def _homie(access: Access) -> str:
    return (
        f"broker   {access.host}:{access.port} ({'TLS, authority ' + (access.ca or 'of the system') if access.tls else 'no TLS'})\n"
        f"user     {access.device}\n"
        f"password {access.password or 'none: the client certificate and its key'}\n"
        f"device   homie/5/{access.device}/... (version 5) or homie/{access.device}/... (3 and 4)\n"
        f"last will homie/5/{access.device}/$state = lost, retained"
    )


def _sparkplug(access: Access) -> str:
    return (
        f"broker    {access.host}:{access.port} ({'TLS, authority ' + (access.ca or 'of the system') if access.tls else 'no TLS'})\n"
        f"user      {access.device}\n"
        f"password  {access.password or 'none: the client certificate and its key'}\n"
        f"edge node {access.device}, in any group: spBv1.0/<group>/NBIRTH/{access.device}\n"
        f"last will spBv1.0/<group>/NDEATH/{access.device} with bdSeq, QoS 1\n"
        f"listen    spBv1.0/<group>/NCMD/{access.device}, spBv1.0/<group>/DCMD/{access.device}/+"
    )


def _mapped(access: Access) -> str:
    return (
        f"broker   {access.host}:{access.port} ({'TLS, authority ' + (access.ca or 'of the system') if access.tls else 'no TLS'})\n"
        f"user     {access.device}\n"
        f"password {access.password or 'none: the client certificate and its key'}\n"
        f"# Its topics are those of the mapping file, with {access.device} where the file has the device.\n"
        "# In the broker's acl, once for all devices:\n"
        "#   pattern write <first level>/%u/#"
    )


_SPELL: Mapping[str, Callable[[Access], str]] = {
    "native": _native,
    "tasmota": _tasmota,
    "shelly_gen1": _shelly_gen1,
    "shelly_gen2": _shelly_gen2,
    "esphome": _esphome,
    "home_assistant": _home_assistant,
    "zigbee2mqtt": _zigbee2mqtt,
    "homie": _homie,
    "sparkplug": _sparkplug,
    "mapped": _mapped,
}
