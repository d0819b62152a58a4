"""Whether a person wrote a mail. What programs write (answers while away, lists, bounces) opens no ticket and gets no answer.

Signs: RFC 3834 (Auto-Submitted), RFC 2919 (List-Id), RFC 3464 (delivery status), RFC 8098 (read receipts), and what programs before
them, and beside them, write instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from alerts.intake.mail.parsing import Mail

OUR_ID = re.compile(r"\bhw\.([0-9a-f]{32})@")
"""How the Message-ID of every letter of ours begins: the reference of its row in the outbox."""

_SENDERS = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|bounces?|no-?reply|do-?not-?reply)(?:[+.-][^@]*)?@")
_DAEMONS = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|bounces?)(?:[+.-][^@]*)?@")
_PRECEDENCE = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_RESPONDERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponse",
    "x-auto-reply-from",
    "x-mail-autoreply",
    "x-fc-machinegenerated",
)
_SUBJECTS = re.compile(
    r"^\s*(?:auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|abwesenheitsnotiz|automatische antwort|自动回复|自動回覆|外出)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bounce:
    """That a letter did not arrive. ``reference`` tells which of ours; ``final`` is False while it is only late."""

    reference: str | None
    recipient: str
    why: str
    final: bool


def bounce_of(mail: Mail) -> Bounce | None:
    """What a mail says about a letter that did not arrive; None for any other mail."""
    daemon = mail.sender is None or bool(_DAEMONS.match(mail.sender)) or _nobody(mail)
    if not mail.status and not daemon:
        return None
    ours = (
        OUR_ID.search(mail.returned)
        or OUR_ID.search(" ".join(f"{one}@" for one in _locals(mail)))
        or OUR_ID.search(mail.text)
    )
    if not mail.status and ours is None:
        return None
    action = mail.status.get("action", "failed").lower()
    if mail.status and action not in {"failed", "delayed", "expanded", "relayed", "delivered"}:
        action = "failed"
    why = mail.status.get("diagnostic-code") or mail.status.get("status") or mail.subject or "it came back"
    recipient = mail.status.get("final-recipient") or mail.status.get("original-recipient") or ""
    return Bounce(
        ours.group(1) if ours else None, recipient.partition(";")[2].strip() or recipient, why[:300], action == "failed"
    )


def why_automatic(mail: Mail, own: Collection[str] = ()) -> str | None:
    """Why a mail counts as written by a program; None where a person may have written it. ``own`` are our addresses."""
    fields = mail.fields
    submitted = fields.get("auto-submitted", "no").split(";")[0].strip().lower()
    checks = (
        (mail.message_id is not None and bool(OUR_ID.match(f"{mail.message_id}")), "it is a letter of ours"),
        (mail.sender is not None and mail.sender in own, "it comes from our own address"),
        (submitted not in {"no", ""}, f"Auto-Submitted: {submitted[:40]}"),
        (
            fields.get("precedence", "").strip().lower() in _PRECEDENCE,
            f"Precedence: {fields.get('precedence', '')[:20].strip()}",
        ),
        ("list-id" in fields, "it comes from a mailing list"),
        (any(name in fields for name in _RESPONDERS), "an automatic answer"),
        (mail.mime == "multipart/report", "a report of a mail program"),
        (_nobody(mail), "it has no sender to answer to"),
        (mail.sender is not None and bool(_SENDERS.match(mail.sender)), "its sender is a program"),
        (bool(_SUBJECTS.match(mail.subject)), "its subject says that it is an automatic answer"),
    )
    return next((why for found, why in checks if found), None)


def _nobody(mail: Mail) -> bool:
    """Whether the envelope's sender was empty: RFC 5321 asks that of what must not be answered."""
    return mail.fields.get("return-path", "").strip() == "<>"


def _locals(mail: Mail) -> list[str]:
    return [one.partition("@")[0] for one in mail.references]
