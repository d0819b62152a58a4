"""Mail: what a person wrote is found, in whatever charset and whatever program; programs are told from people; nothing breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.intake import threads
from alerts.intake.mail import charsets, html, parsing, quotes
from alerts.intake.mail.automatic import bounce_of, why_automatic
from alerts.intake.mail.parsing import read
from hearthwatch.errors import Invalid
from tests.unit.alerts.intake.letters import bounce, mail
from tests.unit.alerts.intake.pictures import picture

REF = "0123456789abcdef0123456789abcdef"


def refusal(raw: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        read(raw)
    return str(refused.value)


# -- hostile


def test_what_is_no_mail_is_refused() -> None:
    for raw in (b"", b"hello", b"\x00\x01\x02" * 50, b"{}"):
        assert "mail" in refusal(raw)


def test_a_mail_that_is_too_large_is_refused_unread() -> None:
    assert refusal(b"Subject: x\n\n" + b"a" * parsing.LARGEST).startswith("mail.size: it has 26,214,412 bytes")


def test_parts_within_parts_without_end_are_refused() -> None:
    deep = b"From: a@b.example\nMIME-Version: 1.0\n"
    for number in range(3000):
        deep += f'Content-Type: multipart/mixed; boundary="b{number}"\n\n--b{number}\n'.encode()
    assert refusal(deep).startswith("mail.parts: ")


def test_very_many_parts_are_refused() -> None:
    many = b'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 500
    assert refusal(many) == "mail.parts: it has more than 200 parts"


def test_very_many_and_very_long_headers_are_refused() -> None:
    assert "1001 headers" in refusal(b"From: a@b.example\n" + b"X-A: 1\n" * 1000 + b"\nx")
    assert "header Subject has" in refusal(b"Subject: " + b"a" * 200_000 + b"\n\nx")


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: =?utf-8?b?////?=",
        b"Subject: =?nonsense?q?=FF=00?=",
        b"Subject: =?utf-8?q?" + b"=" * 500,
        b'Content-Type: text/plain; charset="idna"',
        b"Content-Type: text/plain; charset*=utf-8''%ff%fe",
        b"Content-Type: ;;;=;",
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: attachment; filename*0*=x''%zz; filename*1=",
        b"Message-ID: <" + b"x" * 5000 + b">",
        b"From: <<<<>>>>(((" + b'"' * 99,
        b"References: " + b"<a@b>" * 5000,
    ],
)
def test_broken_headers_lose_no_words(header: bytes) -> None:
    got = read(b"From: Kim <kim@example.org>\n" + header + b"\n\nThe lock is broken\xff\xfe.")
    assert "lock is broken" in got.text or b"base64" in header or b"attachment" in header
    got.text.encode()
    got.subject.encode()


@given(raw=st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda some: b"From: a@b.example\n" + some)))
def test_any_bytes_give_a_mail_or_a_clear_refusal(raw: bytes) -> None:
    try:
        got = read(raw)
    except Invalid:
        return
    assert "\x00" not in got.text + got.subject
    got.text.encode()
    why_automatic(got)
    bounce_of(got)


@given(place=st.integers(0, 2000), some=st.binary(max_size=8))
def test_a_mail_with_some_bytes_changed_gives_a_mail_or_a_clear_refusal(place: int, some: bytes) -> None:
    raw = bytearray(mail("电池没电了", html="<p>电池<b>没电了</b>", photos={"a.jpg": b"\xff\xd8"}, subject="门锁"))
    place %= len(raw)
    raw[place : place + len(some)] = some
    try:
        got = read(bytes(raw))
    except Invalid:
        return
    got.text.encode()


@given(text=st.text(max_size=300))
def test_any_html_gives_text_without_tags_that_were_tags(text: str) -> None:
    assert "<script" not in html.text_of(f"<p>a</p><script>{text.replace('<', '')}</script>")
    html.text_of(text).encode("utf-8", errors="surrogatepass")
    quotes.said(text)


# -- words


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("GB18030", "gb18030"),
        ("gb2312", "gb18030"),
        ("utf-8", "utf-8"),
        ("big5", "big5"),
        ("us-ascii", "utf-8"),
        ("x-unknown", "gb18030"),
    ],
)
def test_chinese_is_read_whatever_it_claims_to_be(label: str, codec: str) -> None:
    words = "門鎖沒電了" if codec == "big5" else "门锁没电了，请帮忙"
    raw = f"From: a@b.example\nContent-Type: text/plain; charset={label}\nContent-Transfer-Encoding: 8bit\n\n".encode()
    assert read(raw + words.encode(codec)).text == words


def test_japanese_and_western_text_is_read() -> None:
    raw = b"From: a@b.example\nContent-Type: text/plain; charset=ISO-2022-JP\n\n"
    assert read(raw + "鍵が壊れた".encode("iso2022_jp")).text == "鍵が壊れた"
    assert charsets.decoded("Tür defekt".encode("latin-1"), "iso-8859-1") == "Tür defekt"


def test_headers_are_read_encoded_and_bare() -> None:
    assert charsets.header("=?gb2312?B?w8XL+A==?=") == "门锁"
    assert charsets.header("=?utf-8?q?T=C3=BCr?= kaputt") == "Tür kaputt"
    bare = "Subject: 门锁坏了\nFrom: a@b.example\n\nx".encode("gb18030")
    assert read(bare).subject == "门锁坏了"


def test_of_two_forms_of_a_text_the_plain_one_is_read_and_html_where_it_is_alone() -> None:
    assert read(mail("plain words", html="<p>rich words</p>")).text == "plain words"
    alone = b"From: a@b.example\nContent-Type: text/html\n\n<style>p{}</style><p>It is&nbsp;hot<br>and smells<script>x()</script></div>"
    assert read(alone).text == "It is hot\nand smells"


def test_photos_come_along_and_other_attachments_are_listed() -> None:
    raw = mail(photos={"front.jpg": picture()})
    got = read(raw.replace(b"front.jpg", b"front.jpg"))
    assert [(one.name, one.mime) for one in got.photos] == [("front.jpg", "image/jpeg")]
    assert got.photos[0].content == picture()
    invoice = read(mail(photos={"invoice.pdf": b"%PDF"}).replace(b"image/jpeg", b"application/pdf"))
    assert (invoice.photos, [one.name for one in invoice.attachments]) == ((), ["invoice.pdf"])


@pytest.mark.parametrize(
    "quoted",
    [
        "Still broken.\n\nOn Fri, May 1, 2026 at 9:00 AM Acme Care <care@acme.example> wrote:\n\n> Dear Kim,\n> please restart it.\n",
        "Still broken.\n\nOn Fri, May 1, 2026 at 9:00 AM Acme Customer Care Department\n<care@acme.example> wrote:\n> Dear Kim\n",
        "Still broken.\n\n-----Original Message-----\nFrom: Acme\nSent: Friday\nTo: Kim\nSubject: Lock\n\nDear Kim",
        "Still broken.\n\nFrom: Acme <care@acme.example>\nSent: Friday, May 1\nTo: Kim\nSubject: Lock\n\nDear Kim",
        "Still broken.\n-- \nKim Li\nDirector of everything\n",
        "Still broken.\n\nSent from my iPhone",
        "On Fri, May 1, 2026, Acme <care@acme.example> wrote:\n> please restart it.\n\nStill broken.",
        'Still broken.\n\n------------------ 原始邮件 ------------------\n发件人: "Acme"\n发送时间: 2026年5月1日\n收件人: Kim\n\n您好',
        "Still broken.\n\n在 2026年5月1日，Acme <care@acme.example> 写道：\n> 您好\n",
        "Still broken.\n\n发自我的iPhone",
    ],
)
def test_only_what_was_written_anew_is_said(quoted: str) -> None:
    assert quotes.said(quoted) == "Still broken."


def test_an_answer_between_the_lines_is_kept_and_nothing_is_lost_where_all_is_quoted() -> None:
    assert quotes.said("> Did you restart it?\nYes.\n> Did it help?\nNo.") == "Yes.\nNo."
    assert quotes.said("> all of it is quoted") == "> all of it is quoted"
    assert (
        quotes.said("From the beginning it was hot.\nOn Friday it smelled.")
        == "From the beginning it was hot.\nOn Friday it smelled."
    )


def test_quotes_in_html_are_cut_too() -> None:
    quote = (
        '<div class="gmail_quote"><div>On Fri, May 1, 2026 Acme wrote:<br></div><blockquote>Dear Kim</blockquote></div>'
    )
    gmail = f"<div>Still broken.</div>{quote}"
    assert quotes.said(html.text_of(gmail)) == "Still broken."


# -- people and programs


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Auto_Submitted": "auto-replied"}, "Auto-Submitted: auto-replied"),
        ({"Auto_Submitted": "auto-generated (x)"}, "Auto-Submitted"),
        ({"Precedence": "bulk"}, "Precedence: bulk"),
        ({"List_Id": "<news.example.org>"}, "mailing list"),
        ({"X_Autoreply": "yes"}, "automatic answer"),
        ({"Return_Path": "<>"}, "no sender"),
        ({"sender": "no-reply@shop.example"}, "sender is a program"),
        ({"sender": "care@acme.example"}, "our own address"),
        ({"subject": "Out of office: My lock"}, "its subject"),
        ({"subject": "自动回复：门锁"}, "its subject"),
        ({"message_id": f"<hw.{REF}@acme.example>"}, "a letter of ours"),
    ],
)
def test_what_a_program_wrote_is_told_from_what_a_person_wrote(headers: dict[str, Any], why: str) -> None:
    assert why in (why_automatic(read(mail(**headers)), own=("care@acme.example",)) or "")


def test_a_person_is_no_program() -> None:
    assert why_automatic(read(mail(Auto_Submitted="no", References=f"<hw.{REF}@acme.example>"))) is None


def test_a_letter_that_came_back_is_known_by_its_reference() -> None:
    got = bounce_of(read(bounce(REF)))
    assert got is not None
    assert (got.reference, got.recipient, got.final) == (REF, "kim@example.org", True)
    assert "no such user" in got.why
    late = bounce_of(read(bounce(REF, action="delayed")))
    assert late is not None
    assert not late.final
    assert bounce_of(read(mail())) is None


# -- threads


def test_a_tag_leads_to_its_ticket_and_a_forged_one_nowhere() -> None:
    subject = threads.in_subject("Re: My lock", 12, "key")
    assert threads.ticket_in([subject.lower()], "key") == 12
    assert threads.ticket_in([threads.reply_address("care@acme.example", 12, "key")], "key") == 12
    assert threads.ticket_in([subject.replace("T12", "T13")], "key") is None
    assert threads.ticket_in([subject], "another key") is None
    assert threads.ticket_in(["T12-AAAAAAAAAAAA", subject], "key") == 12


def test_a_mail_twice_has_one_fingerprint_and_others_have_others() -> None:
    assert parsing.fingerprint(mail()) == parsing.fingerprint(b"Received: again\n" + mail("other words"))
    assert parsing.fingerprint(mail(message_id=None)) != parsing.fingerprint(mail("other", message_id=None))
