"""First step of ``docker compose up``: make every certificate, password and token that is missing. What is there stays as it is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from certificates import make_authority, make_server
from passwords import entry, fresh_password, known_users, write_users
from places import HEALTH_USER, PLATFORM_USER, ROOT, Places

PASSWORDS = (
    ("influxdb", "password"),
    ("influxdb", "token"),
    ("postgres", "password"),
    ("postgres", "hearthwatch_password"),
    ("postgres", "grafana_password"),
    ("hearthwatch", "hearthwatch_secret_key"),
    ("hearthwatch", "admin_password"),
    ("grafana", "admin_password"),
)
"""Secrets that are one random word."""

SAME = (
    (("influxdb", "token"), ("hearthwatch", "influxdb_token")),
    (("postgres", "hearthwatch_password"), ("hearthwatch", "postgres_password")),
    (("postgres", "grafana_password"), ("grafana", "postgres_password")),
)
"""Secrets that two services know."""


def main() -> None:
    """Make what is missing and say what was made, without showing it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="Folder that holds one folder for each service.")
    parser.add_argument("--broker", default="mosquitto:8883", help="Where our roles find the broker.")
    parser.add_argument("--authority", default="/run/secrets/ca.crt", help="Where our roles find the authority's file.")
    arguments = parser.parse_args()
    places = Places(arguments.root)
    made = _passwords(places)
    if make_authority(places):
        made.append("authority/ca.crt")
    if make_server(places, os.environ.get("MQTT_NAMES", "").replace(",", " ").split()):
        made.append("mosquitto/server.crt")
    made += _broker(places, arguments.broker, arguments.authority)
    _copies(places)
    print("init: made " + ", ".join(made) if made else "init: every secret is there")  # noqa: T201 - a command's answer


def _passwords(places: Places) -> list[str]:
    made = []
    for service, name in PASSWORDS:
        if places.read(service, name) is None:
            places.write(service, name, fresh_password())
            made.append(f"{service}/{name}")
    return made


def _broker(places: Places, broker: str, authority: str) -> list[str]:
    """Our own users of the broker, and the address with which our roles reach it."""
    users = known_users(places)
    made = []
    if PLATFORM_USER not in users or places.read("hearthwatch", "hearthwatch_broker") is None:
        password = fresh_password()
        users[PLATFORM_USER] = entry(PLATFORM_USER, password)
        address = f"mqtts://{PLATFORM_USER}:{password}@{broker}?ca={authority}"
        places.write("hearthwatch", "hearthwatch_broker", address)
        made.append("hearthwatch/hearthwatch_broker")
    if HEALTH_USER not in users or places.read("mosquitto", "mosquitto_sub") is None:
        password = fresh_password()
        users[HEALTH_USER] = entry(HEALTH_USER, password)
        options = f"-u {HEALTH_USER}\n-P {password}\n--cafile /run/secrets/ca.crt\n-h localhost\n-p 8883\n"
        places.write("mosquitto", "mosquitto_sub", options)
        made.append("mosquitto/mosquitto_sub")
    if made:
        write_users(places, users)
    return made


def _copies(places: Places) -> None:
    for (service, name), (other, as_name) in SAME:
        _same(places, other, as_name, places.read(service, name) or "", 0o400)
    certificate = places.read("authority", "ca.crt") or ""
    for service in ("mosquitto", "hearthwatch"):
        _same(places, service, "ca.crt", certificate + "\n", 0o444)


def _same(places: Places, service: str, name: str, content: str, mode: int) -> None:
    if places.read(service, name) != content.strip():
        places.write(service, name, content, mode)


if __name__ == "__main__":
    main()
