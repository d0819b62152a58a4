"""The broker's password file where the containers have it. How its lines are made, and which names there may be, is Hearthwatch's own."""

from __future__ import annotations

from collections.abc import Mapping

from places import Places

from hearthwatch.run.credentials import entry, fresh_password, users_in

__all__ = ["entry", "fresh_password", "known_users", "write_users"]

FILE = "passwords"


def known_users(places: Places) -> dict[str, str]:
    """The lines of the file, by user."""
    return users_in(places.read("mosquitto", FILE) or "")


def write_users(places: Places, lines: Mapping[str, str]) -> None:
    """Replace the file. The broker reads it at the next SIGHUP or start."""
    places.write("mosquitto", FILE, "".join(line + "\n" for line in lines.values()))
