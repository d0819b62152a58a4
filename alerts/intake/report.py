"""A report as it comes in, from whatever source, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from alerts.intake.complaints import BY_ID, OTHER, WISHES
from alerts.intake.photos import Photo
from hearthwatch.errors import Invalid

Source = Literal["page", "qr", "api", "mail", "staff"]
LONGEST_TEXT = 8000
LONGEST_CONTACT = 200
OLDEST = timedelta(days=365 * 10)


@dataclass(frozen=True, slots=True)
class Contact:
    """How somebody can be reached, as they said it themselves."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None

    def __bool__(self) -> bool:
        return bool(self.email or self.phone)


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody says is wrong. ``verified``: it certainly comes from ``customer_id``.

    ``once`` tells a form that is sent twice; ``actor`` is who took it down for another; ``ticket_id`` is the ticket they answer about.
    """

    source: Source
    text: str = ""
    complaint: str = OTHER
    since: date | None = None
    wish: str | None = None
    photos: tuple[Photo, ...] = ()
    device_id: str | None = None
    customer_id: str | None = None
    verified: bool = False
    contact: Contact = Contact()
    language: str = "en"
    ticket_id: int | None = None
    once: str | None = None
    actor: str | None = None


def check(report: Report, now: datetime) -> None:
    """Raise `Invalid` for a report that says nothing, or something impossible; ``where`` names the field."""
    if report.complaint not in BY_ID:
        raise Invalid(f"a complaint is one of {', '.join(BY_ID)}", where="complaint")
    if report.wish is not None and report.wish not in WISHES:
        raise Invalid(f"a wish is one of {', '.join(WISHES)}", where="wish")
    if report.complaint == OTHER and not report.text.strip() and not report.photos:
        raise Invalid("say what is wrong", where="text")
    if len(report.text) > LONGEST_TEXT:
        raise Invalid(f"a text has at most {LONGEST_TEXT} characters", where="text")
    if report.since is not None and not now.date() - OLDEST <= report.since <= now.date() + timedelta(days=1):
        raise Invalid("this date can not be: it lies ahead, or more than ten years back", where="since")
    for name in ("name", "email", "phone"):
        value = getattr(report.contact, name)
        if value is not None and len(value) > LONGEST_CONTACT:
            raise Invalid(f"at most {LONGEST_CONTACT} characters", where=f"contact.{name}")
    if report.contact.email is not None and not is_address(report.contact.email):
        raise Invalid("this is no mail address", where="contact.email")


def is_address(text: str) -> bool:
    """Whether a text can be one mail address (an ``addr-spec`` of RFC 5322 without quotes and comments)."""
    local, at, domain = text.rpartition("@")
    harmless = text.isprintable() and not set(text) & set(" \t<>()[]\\,;:\"'&?/%")
    return bool(at and harmless and 0 < len(local) <= 64 and "@" not in local and "." in domain.strip("."))
