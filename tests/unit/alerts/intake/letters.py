"""Mails as programs write them."""

from __future__ import annotations

from email.message import EmailMessage


def mail(
    text: str = "The lock is hot.",
    *,
    sender: str = "Kim <kim@example.org>",
    to: str = "care@acme.example",
    subject: str = "My lock",
    html: str | None = None,
    photos: dict[str, bytes] | None = None,
    message_id: str | None = "<m1@example.org>",
    **headers: str,
) -> bytes:
    """A mail; ``headers`` by their names with ``_`` for ``-``."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    if message_id is not None:
        message["Message-ID"] = message_id
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    for name, content in (photos or {}).items():
        message.add_attachment(content, maintype="image", subtype="jpeg", filename=name)
    return message.as_bytes()


def bounce(reference: str, *, action: str = "failed", to: str = "kim@example.org") -> bytes:
    """What a mail server says of a letter of ours that it could not deliver (RFC 3464)."""
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: care@acme.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <b-{reference[:8]}-{action}@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {to}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--B
Content-Type: message/rfc822

From: care@acme.example
To: {to}
Subject: Your lock's battery
Message-ID: <hw.{reference}@acme.example>

The letter.
--B--
""".encode()
