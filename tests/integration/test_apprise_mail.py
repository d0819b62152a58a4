"""Mail through the maker's mail server, spoken to over a real socket."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest

from alerts.channels.apprise_channel import AppriseChannel
from alerts.delivery import FIRST_PAUSE
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import Refused, Unavailable
from hearthwatch.records.database import Database
from tests.unit.alerts.world import World

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class MailServer:
    """What a small SMTP server received; ``refusing`` makes it answer 550 to every recipient.

    Until ``answers`` is set it takes letters and does not say so.
    """

    port: int = 0
    refusing: bool = False
    recipients: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)


class Dialogue(socketserver.StreamRequestHandler):
    """Just enough SMTP (RFC 5321) for one client."""

    def handle(self) -> None:
        state = cast("MailServer", self.server.state)  # type: ignore[attr-defined]
        self.say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                state.recipients.append(line.partition("<")[2].rstrip(">"))
                self.say("550 no such user" if state.refusing else "250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part
                state.letters.append(message_from_bytes(body, policy=policy.default))
                state.answers.wait(60)
                self.say("250 taken")
            else:
                self.say("221 bye" if verb == "QUIT" else "250 mail.test")
                if verb == "QUIT":
                    return

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody may wait for the answer any more
            self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def server() -> Iterator[MailServer]:
    state = MailServer()
    state.answers.set()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dialogue) as listening:
        listening.state = state  # type: ignore[attr-defined]
        state.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        state.answers.set()
        listening.shutdown()
        thread.join()


def channel(server: MailServer) -> AppriseChannel:
    return AppriseChannel(mail_through=f"mailto://127.0.0.1:{server.port}?from=care@maker.example&mode=insecure")


def send(mail: AppriseChannel, address: str = "mailto:kim@home.example") -> None:
    mail.deliver(address=address, subject="电池", text="text", html="<p>世界</p>", key="notice:1:1:abc")


def test_without_a_mail_server_a_bare_address_is_refused() -> None:
    with pytest.raises(Refused, match="no mail server"):
        send(AppriseChannel())


def test_a_server_that_takes_no_letter_is_tried_again(server: MailServer) -> None:
    server.refusing = True
    with pytest.raises(Unavailable) as failed:
        send(channel(server))
    assert "kim" not in str(failed.value)
    assert server.letters == []


@pytest.mark.parametrize(
    "address", ["mailto:kim@home.example", "mailto://kim@home.example", "mailtos://kim@home.example"]
)
def test_a_letter_arrives_with_its_key_from_the_maker_to_the_customer(server: MailServer, address: str) -> None:
    send(channel(server), address)
    (letter,) = server.letters
    assert server.recipients == ["kim@home.example"]
    assert letter["Subject"] == "电池"
    assert "care@maker.example" in letter["From"]
    assert letter["Idempotency-Key"] == "notice:1:1:abc"
    body = letter.get_body(("html",))
    assert body is not None
    assert "世界" in body.get_content()


def test_an_address_can_not_add_recipients_or_options(server: MailServer) -> None:
    for address in (
        "mailto:kim@home.example&cc=eve@evil.example",
        "mailto:kim@home.example?smtp=evil.example",
        "mailto:a@b@c",
    ):
        with pytest.raises(Refused):
            send(channel(server), address)
    assert server.letters == []


def test_a_server_that_took_a_letter_and_did_not_say_so_in_time_alone_gets_it_again_under_the_same_key(
    server: MailServer, database: Database, clock: SteppedClock
) -> None:
    clock.advance(timedelta(hours=12))  # nobody is written to at night
    world = World(database, clock)
    through = f"mailto://127.0.0.1:{server.port}?from=care@maker.example&mode=insecure&cto=0.5&rto=0.5"
    world.channels["apprise"] = AppriseChannel(mail_through=through)
    world.policy()
    for number, reached_by in enumerate((["mailto:kim@home.example"], None)):  # by mail, and by their mailbox
        world.home(number, devices_=(f"lock-{number}",), channels=reached_by)
        world.stand(f"lock-{number}")
    world.apply()
    server.answers.clear()
    assert world.deliver() == {"delivered": 1, "retried": 1}
    assert (len(server.letters), len(world.letters("mailbox://c-1"))) == (1, 1)
    assert world.deliver() == {}, "not before its pause is over"
    server.answers.set()
    clock.advance(FIRST_PAUSE)
    assert world.deliver() == {"delivered": 1}
    first, second = server.letters
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert first["Subject"] == second["Subject"]
    assert len(world.letters("mailbox://c-1")) == 1
    clock.advance(100 * FIRST_PAUSE)
    assert world.deliver() == {}
