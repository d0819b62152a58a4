"""What a report's form holds: read into a report, or told, field by field, why it can not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from alerts.intake import photos
from alerts.intake.report import Contact, Report, Source
from api.customer.look import Upload, phrase
from api.customer.sent import Sent, read_form
from hearthwatch.errors import Denied, HearthwatchError, Invalid, Throttled

LARGEST_FORM = 30 * 1024 * 1024
"""Bytes of a whole form; what says that it is larger is not read."""
HONEYPOT = "website"
"""A field that people do not see and programs fill in."""
ONLY_TELLS = "none"

SENTENCES: Mapping[str, str] = {
    "text": phrase("Please say what is wrong, or choose one of the answers."),
    "complaint": phrase("Please say what is wrong, or choose one of the answers."),
    "since": phrase("This date can not be: it lies ahead, or very far back."),
    "wish": phrase("Please choose one of the answers."),
    "device": phrase("Please choose the device."),
    "contact": phrase("Please leave a mail address or a phone number, or choose that you only want to tell us."),
    "contact.email": phrase("This is no mail address."),
    "contact.name": phrase("This is too long."),
    "contact.phone": phrase("This is too long."),
    "photos.heic": phrase(
        "HEIC pictures can not be read here. Send the picture as JPEG: on an iPhone, choose Settings, Camera, Formats, Most Compatible."
    ),
    "photos.kind": phrase("Only pictures can be sent: JPEG, PNG or WebP."),
    "photos.large": phrase("A picture is too large. Each may have 10 MB."),
    "photos.many": phrase("At most five pictures can be sent."),
    "photos.broken": phrase("A picture can not be read. Please take it again."),
    "form": phrase("The pictures are too large together. Please send fewer or smaller ones."),
    "nonce": phrase("The form was open for too long. Please send it once more."),
    "often": phrase("Too much was sent from here within the last hour. Please try again later, or call us."),
}
"""Why a form was not taken, by the field or the kind of trouble."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form was not taken: beside which field it is said, and the sentence in English. ``status`` is HTTP's."""

    field: str
    sentence: str
    status: int


async def _bounded(request: Request) -> Sent | None:
    """What a form sent; None where it is too large, which is refused before it is read."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > LARGEST_FORM:
        return None
    try:
        return await read_form(request)
    except HTTPException as error:
        if error.status_code != 413:
            raise
        return None


ReportForm = Annotated[Sent | None, Depends(_bounded)]


def read(sent: Sent, source: Source, *, strangers: bool) -> Report:
    """The report in a form, without whom and what it is about. ``strangers`` have to say how they are reached, or that they need not be.

    Raises `Invalid`; ``where`` is a key of `SENTENCES`.
    """
    contact = Contact(*(sent.field(name).strip() or None for name in ("name", "email", "phone")))
    wish = sent.field("wish") or None
    if strangers and not contact and wish != ONLY_TELLS:
        raise Invalid("how can they be reached", where="contact")
    return Report(
        source=source,
        text=sent.field("text").replace("\r\n", "\n").strip(),
        complaint=sent.field("complaint") or "other",
        since=_date(sent.field("since").strip()),
        wish=wish,
        photos=photos.clean_all(_photos(sent.files)),
        contact=contact,
    )


def problem_of(error: HearthwatchError) -> Problem | None:
    """How an error is told beside its field; None for one that the form does not know."""
    if isinstance(error, Throttled):
        return Problem("often", SENTENCES["often"], 429)
    if isinstance(error, Denied) and error.where == "nonce":
        return Problem("nonce", SENTENCES["nonce"], 403)
    where = error.where or ""
    if isinstance(error, Invalid) and where in SENTENCES:
        return Problem(where.partition(".")[0] if where.startswith("photos") else where, SENTENCES[where], 422)
    return None


TOO_LARGE = Problem("photos", SENTENCES["form"], 413)


def _photos(files: Sequence[Upload]) -> list[tuple[str, bytes]]:
    return [(one.name, one.data) for one in files if one.field in {"photo", "photos"}]


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("no date", where="since") from None
