"""The maker's mail server, by the address in the settings: ``mailtos://user:password@smtp.example.com?from=care@example.com``.

The form is Apprise's (github.com/caronc/apprise, wiki Notify_email). ``mailtos`` is SMTP with STARTTLS on port 587, or with ``mode=ssl``
TLS from the first byte on 465; ``mailto`` is without encryption, on port 25. ``smtp=`` names another host than the one after the ``@``,
``from=`` the sender, ``verify=no`` takes any certificate.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from hearthwatch.errors import Invalid

Mode = Literal["insecure", "starttls", "ssl"]
MODES: dict[str, Mode] = {"mailto": "insecure", "mailtos": "starttls"}
PORTS: dict[Mode, int] = {"insecure": 25, "starttls": 587, "ssl": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in, as whom, and from whom they are."""

    host: str
    port: int
    mode: Mode
    user: str
    password: str
    sender: str
    verify: bool = True

    @property
    def domain(self) -> str:
        """The domain of the sender: Message-IDs end with it."""
        return self.sender.rpartition("@")[2]

    def connect(self, seconds: float) -> smtplib.SMTP:
        """A session that is encrypted as the mode says, not yet signed in. Raises `OSError` or `smtplib.SMTPException`."""
        if self.mode == "ssl":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=self._tls())
        session = smtplib.SMTP(self.host, self.port, timeout=seconds)
        if self.mode == "starttls":
            try:
                session.starttls(context=self._tls())
            except BaseException:
                session.close()
                raise
        return session

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def mail_server(address: str) -> MailServer:
    """The server at an address. Raises `Invalid`, which tells nothing of the address: it may hold a password."""
    try:
        parts = urlsplit(address)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        mode = _mode(parts.scheme, options.get("mode"))
        host = options.get("smtp") or parts.hostname or ""
        user = unquote(parts.username or "")
        sender = options.get("from") or (user if "@" in user else f"{user or 'care'}@{parts.hostname}")
        port = parts.port or PORTS[mode]
    except ValueError:
        raise _unreadable() from None
    sender = sender.partition("<")[2].rstrip("> ") or sender
    if not host or sender.count("@") != 1 or any(one.isspace() for one in sender):
        raise _unreadable()
    return MailServer(
        host=host,
        port=port,
        mode=mode,
        user=options.get("user", user),
        password=options.get("pass", unquote(parts.password or "")),
        sender=sender,
        verify=options.get("verify", "yes").lower() not in {"no", "false", "0", "off"},
    )


def _mode(scheme: str, asked: str | None) -> Mode:
    if scheme not in MODES:
        raise ValueError(scheme)
    for mode in PORTS:
        if mode == (asked or MODES[scheme]).lower():
            return mode
    raise ValueError(asked)


def _unreadable() -> Invalid:
    says = "not the address of a mail server; it is mailtos://user:password@smtp.example.com?from=care@example.com"
    return Invalid(says, where="mail_server")
