"""``hearthwatch doctor``: is this installation fit to run, and what to do where it is not."""

from __future__ import annotations

import smtplib
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from alerts.channels.mail_server import PORTS, mail_server
from hearthwatch.errors import HearthwatchError, Invalid
from hearthwatch.run.assembly import SHORTEST_KEY
from hearthwatch.run.checks import Check, advice, guarded, unfit, well
from hearthwatch.run.doctor_broker import check_broker
from hearthwatch.run.doctor_costs import check_costs
from hearthwatch.run.doctor_delivery import check_delivery
from hearthwatch.run.doctor_devices import check_devices
from hearthwatch.run.doctor_influxdb import influxdb_time
from hearthwatch.run.doctor_intake import check_intake
from hearthwatch.run.doctor_mappings import check_mappings
from hearthwatch.run.doctor_rollouts import check_rollouts
from hearthwatch.run.doctor_spool import check_spool
from hearthwatch.run.doctor_stores import check_records, check_space, check_telemetry, postgresql_time
from hearthwatch.run.up import is_loopback
from hearthwatch.settings import Settings

NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)  # no earlier clock can be right: this code is younger
SKEW_SECONDS = 5.0
_MAIL_SECONDS = 5.0
_MARKS = {"ok": "ok ", "advice": " ! ", "no": "NO "}


def examine(settings: Settings, *, probe: bool = True) -> dict[str, Any]:
    """Run every check. Nothing is changed but by the probe of the broker, which cleans up after itself."""
    checks = list(_checks(settings, probe=probe))
    return {"ok": all(check.level != "no" for check in checks), "checks": [check.row() for check in checks]}


def _checks(settings: Settings, *, probe: bool) -> Iterator[Check]:
    yield well("settings", "all options are valid")
    away = "see the message; a server that is away is started first, its address stands in the settings"
    yield from guarded("disk", lambda: [check_space("disk", settings.data_dir)], "see that data_dir may be read")
    yield from guarded("spool", lambda: check_spool(settings), "see that data_dir may be read")
    yield from guarded("mappings", lambda: check_mappings(settings), "mend the file; see docs/wire.md")
    yield from guarded("costs", lambda: check_costs(settings), "mend the file; see docs/prognosis.md")
    yield from guarded("records", lambda: check_records(settings), away)
    yield from guarded("devices", lambda: check_devices(settings), away)
    yield from guarded("telemetry", lambda: check_telemetry(settings), away)
    broker = "start the broker (make services installs Mosquitto), or set broker to its address, user and password"
    yield from guarded("broker", lambda: check_broker(settings, probe=probe), broker)
    yield from _clock(settings)
    yield from guarded("secret_key", lambda: [_secret_key(settings)], "let us read the file, and nobody else")
    yield from guarded("mail_server", lambda: [_mail_server(settings)], "start it, or set mail_server to its address")
    yield from guarded("channels", lambda: check_delivery(settings), away)
    yield from guarded("intake", lambda: check_intake(settings), away)
    yield from guarded("rollouts", lambda: check_rollouts(settings), "set it as in docs/rollouts.md")
    yield _public_url(settings)


def _clock(settings: Settings) -> Iterator[Check]:
    now = datetime.now(UTC)
    if now < NOT_BEFORE:
        yield unfit("clock", f"it says {now:%Y-%m-%d}", "set the machine's clock (NTP)")
        return
    yield well("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
    for name, address, scheme, ask in (
        ("records", settings.records_address, "postgres", postgresql_time),
        ("telemetry", settings.telemetry_address, "influxdb", influxdb_time),
    ):
        if address.startswith(scheme):
            yield from _skew(f"clock.{name}", address, ask)


def _skew(name: str, address: str, ask: Callable[[str], datetime | None]) -> Iterator[Check]:
    try:
        before = datetime.now(UTC)
        theirs = ask(address)
        ours = before + (datetime.now(UTC) - before) / 2
    except HearthwatchError:  # that it is away is said where it is examined
        return
    if theirs is None:
        return
    skew = (theirs - ours).total_seconds()
    says = f"the server's clock differs by {skew:+.1f} s from ours"
    if abs(skew) > SKEW_SECONDS:
        yield unfit(name, says, "let both machines take their time from the same source (NTP)")
    else:
        yield well(name, says)


def _secret_key(settings: Settings) -> Check:
    path = settings.data_dir / "secret.key"
    if settings.secret_key.get_secret_value():
        return well("secret_key", "it is configured")
    if not path.exists():
        return advice(
            "secret_key", "there is none yet", "hearthwatch up makes one; several machines need the same (secret_key)"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return unfit("secret_key", f"{path} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    if len(path.read_text().strip()) < SHORTEST_KEY:
        return unfit(
            "secret_key",
            f"{path} is too short to be one",
            "restore it from a backup; a new one ends all sessions and links",
        )
    return well("secret_key", f"{path} is ours alone")


def _mail_server(settings: Settings) -> Check:
    address = settings.mail_server.get_secret_value()
    if not address:
        return well("mail_server", "none is configured; notices go to the mailbox and to the channels of the settings")
    try:
        place = mail_server(address)
    except Invalid as error:
        return unfit("mail_server", error.message, "set mail_server as in docs/delivery.md")
    host, port, mode = place.host, place.port, place.mode
    try:
        with _mail_session(host, port, mode) as server:
            code, words = server.noop()
    except (smtplib.SMTPException, OSError) as error:
        says = f"{host}:{port}: {error.strerror if isinstance(error, socket.gaierror) else error}"
        remedy = "start it, open the firewall, or set mail_server to its address"
        if port == PORTS["ssl"] and mode != "ssl":
            remedy = f"port {port} speaks TLS from the first byte: add mode=ssl to mail_server"
        return unfit("mail_server", says, remedy)
    if code != 250:
        return unfit("mail_server", f"{host}:{port} says {code} {words.decode('utf-8', 'replace')}", "see its log")
    return well("mail_server", f"{host}:{port} answers (nothing was sent, no password tried)")


def _mail_session(host: str, port: int, mode: str) -> smtplib.SMTP:
    if mode == "ssl":
        return smtplib.SMTP_SSL(host, port, timeout=_MAIL_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=_MAIL_SECONDS)


def _public_url(settings: Settings) -> Check:
    name = "public_url"
    try:
        parts = urlsplit(settings.public_url)
        _ = parts.port
    except ValueError:
        return unfit(name, f"{settings.public_url!r} can not be read", "set public_url to https://...")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return unfit(name, f"{settings.public_url!r} is not an address of a web page", "set public_url to https://...")
    leaves = bool(settings.mail_server.get_secret_value()) or not is_loopback(settings.host)
    if is_loopback(parts.hostname):
        says = f"{settings.public_url} opens on this machine only; notices carry it to customers"
        remedy = "set public_url to the address under which customers reach the pages"
        return unfit(name, says, remedy) if leaves else advice(name, says, remedy)
    if parts.scheme == "http":
        return advice(
            name, f"{settings.public_url} is not encrypted", "put a proxy with TLS before the pages, and say https://"
        )
    if parts.query or parts.fragment:
        return unfit(
            name, "it has a query or a fragment", "set public_url to the address alone: https://care.example.com"
        )
    return well(name, settings.public_url)


def printed(report: dict[str, Any]) -> Iterator[str]:
    """The report's lines for a person."""
    for check in report["checks"]:
        yield f"{_MARKS[check['level']]} {check['name']}: {check['says']}"
        if check["remedy"]:
            yield f"      -> {check['remedy']}"
