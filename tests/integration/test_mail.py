"""Mail through the maker's mail server, spoken to over a real socket."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from alerts.channels.mail import MailChannel
from alerts.channels.mail_server import mail_server as address_of
from alerts.channels.outcomes import NoAnswer, TryLater, outcome_of
from alerts.channels.parcels import Parcel
from alerts.delivery import FIRST_PAUSE
from hearthwatch.clock import SteppedClock
from hearthwatch.errors import HearthwatchError, Invalid, Refused, Unavailable
from hearthwatch.records.database import Database
from hearthwatch.records.outbox import message_ref
from tests.smtp_server import HANG_UP, MailServer, mail_server
from tests.unit.alerts.world import NOON, World

KEY = "notice:1:1:abc"
KIM = "mailto:kim@home.example"
TEXT = "Your lock's battery is weak.\n.a line that begins with a dot\n世界"


def channel(server: MailServer, clock: SteppedClock, options: str = "", *, seconds: float = 10.0) -> MailChannel:
    address = f"mailto://127.0.0.1:{server.port}?from=care@maker.example{options}"
    return MailChannel(address_of(address), clock, brand="Müller\nHome", reply_to="help@maker.example", seconds=seconds)


def send(mail: MailChannel, address: str = KIM, *, unsubscribe: str = "", key: str = KEY) -> None:
    parcel = Parcel(address, "电池\r\nBcc: eve@evil.example", TEXT, "<p>世界</p>", key, "", "zh_Hans", unsubscribe)
    mail.deliver_letter(parcel)


def received(server: MailServer) -> EmailMessage:
    (letter,) = server.letters
    return letter


def test_without_a_mail_server_a_letter_is_refused(clock: SteppedClock) -> None:
    with pytest.raises(Refused, match="no mail server"):
        send(MailChannel(None, clock))


@pytest.mark.parametrize(
    "address", ["", "smtp://host", "mailto://u:opensesame@host:abc", "mailtos://u:opensesame@h?mode=tls", "mailto://["]
)
def test_an_address_that_is_no_mail_server_s_is_refused_at_the_start_and_not_told(address: str) -> None:
    with pytest.raises(Invalid, match="mail_server") as refused:
        address_of(address)
    assert "opensesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "kind", "outcome"),
    [
        ("550 5.1.1 <kim@home.example> no such user", Refused, "refused"),
        ("450 4.2.1 mailbox busy", TryLater, "later"),
        ("421 4.7.0 too many connections", Unavailable, "away"),
    ],
)
def test_what_a_refused_receiver_means(
    clock: SteppedClock, said: str, kind: type[HearthwatchError], outcome: str
) -> None:
    with mail_server() as server:
        server.rcpt.append(said)
        with pytest.raises(kind, match=said[:3]) as failed:
            send(channel(server, clock))
        assert outcome_of(failed.value) == outcome
        assert "kim" not in str(failed.value)
        assert server.letters == []


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("554 5.7.1 looks like spam", "refused"), ("452 4.3.1 disk full", "later"), (HANG_UP, "timeout")],
)
def test_what_a_refused_letter_means(clock: SteppedClock, said: str, outcome: str) -> None:
    with mail_server() as server:
        server.data.append(said)
        with pytest.raises(HearthwatchError) as failed:
            send(channel(server, clock))
        assert outcome_of(failed.value) == outcome


def test_a_letter_looks_as_the_mail_programs_of_the_world_want_it(clock: SteppedClock) -> None:
    with mail_server() as server:
        send(channel(server, clock), unsubscribe="https://care.example/c/t0ken/unsubscribe")
        letter = received(server)
        assert server.recipients == ["kim@home.example"]
    assert letter["Subject"] == "电池 Bcc: eve@evil.example", "one line: a subject can add no header"
    assert letter["Bcc"] is None
    assert letter["From"] == "Müller Home <care@maker.example>"
    assert letter["Reply-To"] == "help@maker.example"
    assert letter["Message-ID"] == f"<hw.{message_ref(KEY)}@maker.example>"
    assert letter["Idempotency-Key"] == KEY
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Content-Language"] == "zh-Hans"
    assert letter["List-Unsubscribe"] == "<https://care.example/c/t0ken/unsubscribe>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter.get_content_type() == "multipart/alternative"
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n").strip() == TEXT
    assert "世界" in html.get_content()


def test_a_letter_without_a_way_to_unsubscribe_says_nothing_of_one(clock: SteppedClock) -> None:
    with mail_server() as server:
        send(channel(server, clock))
        letter = received(server)
    assert letter["List-Unsubscribe"] is None
    assert letter["List-Unsubscribe-Post"] is None


def test_one_click_needs_an_encrypted_address(clock: SteppedClock) -> None:
    with mail_server() as server:
        send(channel(server, clock), unsubscribe="http://127.0.0.1:8080/c/t0ken/unsubscribe")
        letter = received(server)
    assert letter["List-Unsubscribe"] == "<http://127.0.0.1:8080/c/t0ken/unsubscribe>"
    assert letter["List-Unsubscribe-Post"] is None


def test_a_letter_may_answer_another_but_not_change_who_it_is_from(clock: SteppedClock) -> None:
    with mail_server() as server:
        headers = {
            "In-Reply-To": "<a@b>",
            "From": "eve@evil.example",
            "to": "eve@evil.example",
            "Bcc": "eve@evil.example",
        }
        parcel = Parcel(KIM, "s", "t", "", KEY, reply_to="ticket+5@maker.example", headers=headers)
        channel(server, clock).deliver_letter(parcel)
        letter = received(server)
        assert server.recipients == ["kim@home.example"]
    assert (letter["In-Reply-To"], letter["Reply-To"]) == ("<a@b>", "ticket+5@maker.example")
    assert "evil" not in letter.as_string()


def test_an_address_can_not_add_recipients_or_options(clock: SteppedClock) -> None:
    with mail_server() as server:
        for address in (
            "mailto:kim@home.example&cc=eve@evil.example",
            "mailto:kim@home.example?smtp=evil.example",
            "mailto:kim@home.example,eve@evil.example",
            "mailto:kim@home.example%0aRCPT",
            "mailto:a@b@c",
        ):
            with pytest.raises(Refused):
                send(channel(server, clock), address)
        assert server.connections == 0


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # of the server, about itself
def test_a_password_is_given_and_a_wrong_one_is_no_fault_of_the_letter(clock: SteppedClock) -> None:
    with mail_server(password="opensesame") as server:
        address = f"mailto://care:{{}}@127.0.0.1:{server.port}?from=care@maker.example"
        send(MailChannel(address_of(address.format("opensesame")), clock))
        assert (server.users, len(server.letters)) == (["care"], 1)
        with pytest.raises(Unavailable, match="password") as failed:
            send(MailChannel(address_of(address.format("wrong-word")), clock))
        assert outcome_of(failed.value) == "away"
        assert "wrong-word" not in str(failed.value)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # of the server, about itself
@pytest.mark.parametrize("starttls", [True, False], ids=["starttls", "tls"])
def test_a_letter_goes_encrypted_and_not_to_a_server_that_is_another(
    clock: SteppedClock, tmp_path: Path, starttls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "mail.key", tmp_path / "mail.crt"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.test -addext subjectAltName=IP:127.0.0.1"
    )
    made = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    with mail_server(password="pw", certificate=(str(certificate), str(key)), starttls=starttls) as server:
        mode = "starttls" if starttls else "ssl"
        address = f"mailtos://care:pw@127.0.0.1:{server.port}?from=care@maker.example&mode={mode}"
        with pytest.raises(Unavailable, match="can not be reached"):
            send(MailChannel(address_of(address), clock))
        assert server.letters == []
        assert server.users == [], "no password is given to a server that can not prove who it is"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        send(MailChannel(address_of(address), clock))
        assert len(server.letters) == 1
        assert server.encrypted == [True] or not starttls


def test_a_server_that_took_a_letter_and_did_not_say_so_in_time_alone_gets_it_again_under_the_same_key(
    database: Database, clock: SteppedClock
) -> None:
    clock.advance(NOON - clock.now())
    world = World(database, clock)
    world.policy()
    world.home(1, devices_=("lock-1",), channels=("mailto:kim@home.example",))
    world.home(2, devices_=("lock-2",))
    for device in ("lock-1", "lock-2"):
        world.stand(device)
    world.apply()
    with mail_server() as server:
        server.silent = True
        world.channels["mail"] = channel(server, clock, seconds=0.3)
        assert world.deliver() == {"delivered": 1, "retried": 1}
        assert [item.outcome for item in world.outbox(state="pending")] == ["timeout"]
        server.silent = False
        assert world.deliver() == {}, "not before its pause is over"
        world.clock.advance(FIRST_PAUSE)
        world.channels["mail"] = channel(server, clock)
        assert world.deliver() == {"delivered": 1}
        assert len(server.letters) == 2
        assert len(set(server.keys())) == 1, "a receiver that knows Message-IDs has it once"
        assert {notice.state for notice in world.notices()} == {"sent"}
        world.clock.advance(timedelta(days=1))
        assert world.deliver() == {}


def test_no_answer_is_not_the_same_as_no_server(clock: SteppedClock) -> None:
    with mail_server() as server:
        gone = channel(server, clock)
    with pytest.raises(Unavailable) as failed:
        send(gone)
    assert not isinstance(failed.value, NoAnswer)
