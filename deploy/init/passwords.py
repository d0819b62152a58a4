"""Mosquitto's password file: ``user:$7$rounds$salt$hash``, PBKDF2 with SHA-512, as ``mosquitto_passwd`` writes it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping

from places import Places

ROUNDS = 101
"""As mosquitto_passwd. All passwords here are random and long, and the broker computes this at every connection."""
FILE = "passwords"


def fresh_password() -> str:
    """A password that nobody guesses; it needs no escaping in an address."""
    return secrets.token_urlsafe(32)


def entry(user: str, password: str) -> str:
    """One line of the file."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"{user}:$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def known_users(places: Places) -> dict[str, str]:
    """The lines of the file, by user."""
    text = places.read("mosquitto", FILE) or ""
    return {line.partition(":")[0]: line for line in text.splitlines() if line}


def write_users(places: Places, lines: Mapping[str, str]) -> None:
    """Replace the file. The broker reads it at the next SIGHUP or start."""
    places.write("mosquitto", FILE, "".join(line + "\n" for line in lines.values()))
