"""A real SMTP server (aiosmtpd) on a free port, that keeps what it gets and can be told to refuse, to wait, or to hang up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

HANG_UP = "hang up"


@dataclass
class MailServer:
    """What the server got, and what it answers: ``rcpt`` and ``data`` are its next answers, in turn; `HANG_UP` ends the connection.

    ``silent``: it takes a letter and says nothing about it until ``speak`` is called.
    """

    port: int = 0
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    silent: bool = False
    recipients: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    connections: int = 0

    def keys(self) -> list[str]:
        """The Message-ID of every letter it got, in turn; a receiver keeps one of each."""
        return [str(letter["Message-ID"]) for letter in self.letters]

    # -- aiosmtpd's hooks

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.recipients.append(address)
        if self.rcpt:
            return await self._said(server, self.rcpt.pop(0))
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        content = envelope.content
        assert isinstance(content, bytes)
        self.encrypted.append(session.ssl is not None)
        self.letters.append(message_from_bytes(content, policy=policy.default))
        while self.silent:
            await asyncio.sleep(0.02)
        return await self._said(server, self.data.pop(0)) if self.data else "250 taken"

    async def _said(self, server: SMTP, answer: str) -> str:
        if answer == HANG_UP:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "421 bye" if answer == HANG_UP else answer


@contextmanager
def mail_server(
    *, password: str = "", certificate: tuple[str, str] | None = None, starttls: bool = True
) -> Iterator[MailServer]:
    """Run one. With a ``password`` everybody has to sign in with it; with a certificate and its key it speaks TLS."""
    state = MailServer()

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        state.users.append(given.login.decode())
        return AuthResult(success=given.password.decode() == password)

    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, "server_hostname": "mail.test"}
    if tls is not None and not starttls:
        options["ssl_context"] = tls
    elif tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    if password:
        options |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": tls is not None and starttls,
        }
    controller = _OnFreePort(state, **options)
    controller.start()
    try:
        state.port = controller.port
        yield state
    finally:
        state.silent = False
        controller.stop()


class _OnFreePort(Controller):
    """aiosmtpd says hello to itself at its start, on the port it was told; told 0, it does not know which one it got."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
