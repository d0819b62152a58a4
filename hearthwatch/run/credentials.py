"""Mosquitto's password file: ``user:$7$rounds$salt$hash``, PBKDF2 with SHA-512, as ``mosquitto_passwd`` writes it.

Source: mosquitto 2.0, ``lib/password_mosq.c`` and mosquitto.conf(5), ``password_file``.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hearthwatch.errors import Invalid
from hearthwatch.values import DEVICE_ID

ROUNDS = 101
"""As mosquitto_passwd. All passwords here are random and long, and the broker computes this at every connection."""

RESERVED = frozenset(
    {
        *("hearthwatch", "health", "mosquitto"),
        *("tele", "stat", "cmnd", "tasmota", "discovery", "shellies", "announce", "command", "homeassistant", "device"),
        *("esphome", "homie", "3", "4", "5", "zigbee2mqtt", "bridge", "spBv1.0", "STATE"),
    }
)
"""Levels of the topics that the broker's rules name: a user called so could write what is everybody's."""
BRIDGES = frozenset({"zigbee2mqtt"})
"""Reserved names that a bridge has, because the rules have a paragraph for it."""


def check_user(name: str, *, bridge: bool = False) -> None:
    """Raise `Invalid` for a name that no device can have at the broker."""
    if not DEVICE_ID.fullmatch(name):
        raise Invalid("a device id is 1 to 64 of A-Z a-z 0-9 . _ -", where=repr(name))
    if name in RESERVED and not (bridge and name in BRIDGES):
        raise Invalid("this is a level of the broker's topics, and no device may be called so", where=name)


def fresh_password() -> str:
    """A password that nobody guesses (256 bits); it needs no escaping in an address or a configuration file."""
    return secrets.token_urlsafe(32)


def entry(user: str, password: str) -> str:
    """One line of the file."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"{user}:$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def users_in(text: str) -> dict[str, str]:
    """The lines of a password file, by user."""
    return {line.partition(":")[0]: line for line in text.splitlines() if line}


class PasswordFile:
    """A password file that is read and replaced as a whole, by one of us at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @contextmanager
    def taken(self) -> Iterator[dict[str, str]]:
        """The lines by user, to be changed: the file is replaced when the block ends, and stays when it raises.

        The broker reads it at the next SIGHUP or start. Raises `Invalid` where it can not be read or written.
        """
        try:
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Invalid(
                f"the broker's password file can not be changed: {error.strerror}", where=str(self.path)
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lines = self._read()
            before = dict(lines)
            yield lines
            if lines != before:
                self.write(lines)
        finally:
            os.close(lock)

    def _read(self) -> dict[str, str]:
        try:
            return users_in(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"the broker's password file can not be read: {error}", where=str(self.path)) from error

    def write(self, lines: Mapping[str, str]) -> None:
        """Replace the file in one step; owner, group and mode stay. Raises `Invalid` where it can not be written."""
        fresh = self.path.with_name(f".{self.path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                if self.path.exists():
                    found = self.path.stat()
                    os.fchown(file.fileno(), found.st_uid, found.st_gid)
                    os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
                file.write("".join(line + "\n" for line in lines.values()))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise Invalid(
                f"the broker's password file can not be written: {error.strerror}", where=str(self.path)
            ) from error
