"""The mail channel: letters as text and HTML through the maker's mail server, one by one.

Spoken with the standard library and not by Apprise, which tells neither whether a refusal is for good nor lets a letter have headers of its
own. Headers: Message-ID is made of the idempotency key (RFC 5322 3.6.4: a receiver that has it drops the second one), Auto-Submitted keeps
robots from answering (RFC 3834), List-Unsubscribe and List-Unsubscribe-Post let a mail program withdraw consent with one click
(RFC 2369, RFC 8058; the mail server's DKIM signature must cover both).
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from alerts.channels.addresses import MAIL, mail_of
from alerts.channels.mail_server import MailServer
from alerts.channels.outcomes import NoAnswer, TryLater
from alerts.channels.parcels import Parcel
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.ports import Clock
from hearthwatch.records.outbox import message_ref

SECONDS = 15.0
NOT_OURS = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "content-type"})
"""Headers that a letter can not set itself."""
_BUSY = 421


class MailChannel:
    """Delivers to ``mailto:kim@example.org`` through one server, as the brand."""

    name = MAIL

    def __init__(
        self,
        server: MailServer | None,
        clock: Clock,
        *,
        brand: str = "",
        reply_to: str = "",
        seconds: float = SECONDS,
    ) -> None:
        self._server = server
        self._clock = clock
        self._brand = brand
        self._reply_to = reply_to
        self._seconds = seconds

    def deliver(self, *, address: str, subject: str, text: str, html: str, key: str) -> None:
        """As `deliver_letter`, for a letter that is no more than its texts."""
        self.deliver_letter(Parcel(address, subject, text, html, key))

    def deliver_letter(self, parcel: Parcel) -> None:
        """Hand one letter in.

        Raises `Refused` for an address that is none, and where the receiver or the letter is refused for good (5xx); `TryLater` where this
        receiver or letter is put off (4xx); `Unavailable` where the server is away or does not take us; `NoAnswer` where it had the whole
        letter and did not say so.
        """
        receiver = mail_of(parcel.address)
        if receiver is None:
            raise Refused("not a plain mail address")
        if self._server is None:
            raise Refused("no mail server is configured")
        letter = self._letter(self._server, receiver, parcel)
        with self._session(self._server) as session:
            _hand_in(session, self._server.sender, receiver, letter)

    @contextmanager
    def _session(self, server: MailServer) -> Iterator[smtplib.SMTP]:
        """A session that is signed in. Its end is of no interest: the server has said what it takes by then."""
        try:
            session = server.connect(self._seconds)
        except smtplib.SMTPResponseException as error:
            raise Unavailable(f"the mail server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"the mail server can not be reached ({type(error).__name__})") from None
        try:
            _sign_in(session, server)
            yield session
        finally:
            with suppress(smtplib.SMTPException, OSError):
                if session.sock is not None:
                    session.sock.settimeout(1.0)
                session.quit()
            session.close()

    def _letter(self, server: MailServer, receiver: str, parcel: Parcel) -> EmailMessage:
        letter = EmailMessage()
        letter.set_content(parcel.text)
        if parcel.html:
            letter.add_alternative(parcel.html, subtype="html")
        letter["From"] = Address(_one_line(self._brand), addr_spec=server.sender) if self._brand else server.sender
        letter["To"] = receiver
        letter["Subject"] = _one_line(parcel.subject)
        letter["Date"] = format_datetime(self._clock.now())
        letter["Message-ID"] = f"<hw.{message_ref(parcel.key)}@{server.domain}>"
        letter["Idempotency-Key"] = parcel.key
        for name, value in self._further(parcel).items():
            if name.lower() not in NOT_OURS:
                letter[name] = _one_line(value)
        return letter

    def _further(self, parcel: Parcel) -> dict[str, str]:
        further = {"Auto-Submitted": "auto-generated"}
        if parcel.reply_to or self._reply_to:
            further["Reply-To"] = parcel.reply_to or self._reply_to
        if parcel.language:
            further["Content-Language"] = parcel.language.replace("_", "-")
        if parcel.unsubscribe.startswith("https://"):
            further["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
            further["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        elif parcel.unsubscribe:  # RFC 8058 wants HTTPS for the one click
            further["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
        return further | dict(parcel.headers)


def _sign_in(session: smtplib.SMTP, server: MailServer) -> None:
    if not server.user or not server.password:
        return
    try:
        session.login(server.user, server.password)
    except smtplib.SMTPAuthenticationError as error:
        raise Unavailable(f"the mail server does not take our password ({error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError:
        raise Unavailable("the mail server takes no password") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(f"the mail server hung up when it was given our password ({type(error).__name__})") from None


def _hand_in(session: smtplib.SMTP, sender: str, receiver: str, letter: EmailMessage) -> None:
    """The letter's own dialogue, step by step, so that it is known at which step it ended."""
    try:
        session.ehlo_or_helo_if_needed()
        if not receiver.isascii() and not session.has_extn("smtputf8"):
            raise Refused("the mail server can not write to an address that is not ASCII")
        options = ["SMTPUTF8"] if not receiver.isascii() else []
        _check(session.mail(sender, options), "our sender", receiver, of_server=True)
        _check(session.rcpt(receiver), "the receiver", receiver)
        _check(session.docmd("DATA"), "the letter", receiver, want=354)
    except smtplib.SMTPResponseException as error:
        raise Unavailable(f"the mail server answered {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(f"the mail server went away ({type(error).__name__})") from None
    try:
        session.send(_as_lines(letter))
        answer = session.getreply()
    except TimeoutError:
        raise NoAnswer("the mail server did not say in time that it has the letter") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NoAnswer(
            f"the mail server hung up before it said that it has the letter ({type(error).__name__})"
        ) from None
    _check(answer, "the letter", receiver)


def _as_lines(letter: EmailMessage) -> bytes:
    """The letter as RFC 5321 4.5.2 sends it: lines that begin with a dot get another one, and a lone dot ends it."""
    lines = letter.as_bytes(policy=SMTP if str(letter["To"]).isascii() else SMTPUTF8).split(b"\r\n")
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return stuffed.removesuffix(b"\r\n") + b"\r\n.\r\n"


def _check(
    answer: tuple[int, bytes], what: str, receiver: str, *, want: int | None = None, of_server: bool = False
) -> None:
    """Raise what an answer of the server means, with its words but without the receiver (RFC 5321 4.2.1: 4xx passes, 5xx is for good)."""
    code, words = answer
    if code == want or (want is None and 200 <= code < 300):
        return
    said = " ".join(words.decode("utf-8", "replace").replace(receiver, "…").split())[:160]
    says = f"{what} was refused: {code} {said}".rstrip()
    if of_server or code == _BUSY:
        raise Unavailable(says)
    if 400 <= code < 500:
        raise TryLater(says)
    raise Refused(says)


def _one_line(text: str) -> str:
    return " ".join(text.split())
