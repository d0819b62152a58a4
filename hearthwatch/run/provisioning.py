"""Gives devices an identity: a row in the registry, access to the broker, and the settings to flash. Passwords are shown once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hearthwatch.errors import Conflict, Invalid
from hearthwatch.messaging.address import BrokerAddress, parse_broker
from hearthwatch.records import audit, broker_users, devices
from hearthwatch.records.database import Database
from hearthwatch.run.credentials import PasswordFile, check_user, entry, fresh_password
from hearthwatch.run.device_certificates import DeviceCertificate, make_certificate
from hearthwatch.run.flashing import Access, flash

BRIDGED = frozenset({"zigbee2mqtt"})
"""Conventions of bridges: they speak for the devices behind them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made. ``password_file`` None with no ``authority``: the broker has their access already, only the records are written.

    ``again`` gives new credentials to devices that have some. ``broker`` is where devices find it, ``ca`` the file they trust.
    """

    ids: Sequence[str]
    convention: str
    model: str | None = None
    password_file: Path | None = None
    authority: Path | None = None
    again: bool = False
    broker: str = ""
    ca: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Enrolled:
    """One device with its credentials, which are kept nowhere else."""

    device: str
    password: str | None
    certificate: DeviceCertificate | None
    settings: str

    def row(self) -> dict[str, Any]:
        """As JSON."""
        made = self.certificate
        return {
            "id": self.device,
            "user": self.device,
            "password": self.password,
            "key": made.key if made else None,
            "certificate": made.certificate if made else None,
            "fingerprint": made.fingerprint if made else None,
            "settings": self.settings,
        }


def read_ids(given: Sequence[str], text: str | None) -> list[str]:
    """Ids as they were given, and those of a file: one a line, ``#`` begins a comment. Raises `Invalid` where one comes twice."""
    lines = [line.partition("#")[0].strip() for line in (text or "").splitlines()]
    ids = [*given, *(line for line in lines if line)]
    if not ids:
        raise Invalid("name a device, or a file of ids", where="ids")
    twice = sorted(one for one, times in Counter(ids).items() if times > 1)
    if twice:
        raise Invalid(f"given twice: {', '.join(twice[:5])}", where="ids")
    return ids


def enroll(database: Database, wish: Wish, now: datetime, actor: str) -> list[Enrolled]:
    """Enroll all devices of a wish or none.

    Raises `Invalid` for an id that none can have, a broker's address, a password file or an authority that can not be used; `Conflict`
    for a device that is enrolled.
    """
    bridge = wish.convention in BRIDGED
    for device in wish.ids:
        check_user(device, bridge=bridge)
    address = parse_broker(wish.broker)
    made = {device: _credentials(device, wish) for device in wish.ids}
    # The file is replaced when the records are durable: where that fails nobody knows a password, and --again makes others.
    with _password_lines(wish.password_file) as lines, database.transaction() as connection:
        _check_new(connection, wish)
        _register(connection, wish, made, now, actor)
        _add_passwords(lines, made, again=wish.again)
    return [
        Enrolled(device, password, certificate, flash(wish.convention, _access(device, password, address, wish)))
        for device, (password, certificate) in made.items()
    ]


_Made = dict[str, tuple[str | None, DeviceCertificate | None]]


def _credentials(device: str, wish: Wish) -> tuple[str | None, DeviceCertificate | None]:
    certificate = make_certificate(device, wish.authority) if wish.authority is not None else None
    return (fresh_password() if wish.password_file is not None else None), certificate


def _check_new(connection: Connection, wish: Wish) -> None:
    enrolled = sorted(broker_users.enrolled(connection, wish.ids))
    if enrolled and not wish.again:
        more = f" and {len(enrolled) - 5} more" if len(enrolled) > 5 else ""
        raise Conflict(
            f"enrolled already: {', '.join(enrolled[:5])}{more} (--again gives new credentials, and the old ones end)"
        )


def _register(connection: Connection, wish: Wish, made: _Made, now: datetime, actor: str) -> None:
    role = broker_users.BRIDGE if wish.convention in BRIDGED else broker_users.DEVICE
    users = [
        {
            "name": device,
            "role": role,
            "conventions": [wish.convention],
            "password": password is not None or wish.authority is None,
            "certificate": certificate.fingerprint if certificate else None,
        }
        for device, (password, certificate) in made.items()
    ]
    broker_users.enroll(connection, users, now, actor)
    if role == broker_users.DEVICE:
        rows = [{"id": device, **({"model": wish.model} if wish.model else {})} for device in made]
        devices.register(connection, rows)
    for device in made:
        detail = {"role": role, "convention": wish.convention}
        audit.note(connection, at=now, actor=actor, action="device.enroll", object=f"device:{device}", detail=detail)


def _password_lines(path: Path | None) -> AbstractContextManager[dict[str, str]]:
    return nullcontext({}) if path is None else PasswordFile(path).taken()


def _add_passwords(lines: dict[str, str], made: _Made, *, again: bool) -> None:
    there = sorted(made.keys() & lines.keys())
    if there and not again:
        raise Conflict(f"the broker's password file has them already: {', '.join(there[:5])} (--again replaces theirs)")
    for device, (password, _) in made.items():
        if password is not None:
            lines[device] = entry(device, password)


def revoke(database: Database, ids: Sequence[str], now: datetime, actor: str, password_file: Path | None) -> None:
    """Take access away, of all or none; what was sent stays. Raises `Missing`, and `Invalid` for a file that can not be written."""
    with _password_lines(password_file) as lines, database.transaction() as connection:
        for device in ids:
            broker_users.revoke(connection, device, now)
            audit.note(connection, at=now, actor=actor, action="device.revoke", object=f"device:{device}")
            lines.pop(device, None)


def reload_broker(pid_file: Path) -> None:
    """Have the broker read its files again (SIGHUP); connections stay. Raises `Invalid` where its process is not found."""
    try:
        os.kill(int(pid_file.read_text().strip()), signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise Invalid(
            f"the broker was not told to read its files again: {error}; send it SIGHUP", where=str(pid_file)
        ) from error


def _access(device: str, password: str | None, address: BrokerAddress, wish: Wish) -> Access:
    shown = "(the one it was given)" if password is None and wish.authority is None else password
    return Access(device, address.host, address.port, address.tls, shown, wish.ca)
