"""Notices in words: from what is known about a finding to subject, text and HTML in the customer's language."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from babel.dates import format_date, format_time
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alerts.notices import phrases
from alerts.notices.catalogue import choose, translations

MASK = "…"
"""What stands in a kept notice where the letter has the customer's token."""

NAME_LENGTH = 80
DEVICES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Brand:
    """The maker as notices show it; empty texts are left out."""

    name: str
    phone: str = ""
    privacy_url: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notice is about. ``kind`` is update, replacement, check_up or ticket_update; ``mode`` a failure mode.

    ``version`` is the release that helps, where there is one; ``whole_release`` says that the model's software is at fault, not the device.
    ``code`` is how a ticket was closed, ``visit_at`` when a technician comes.
    """

    kind: str
    mode: str
    product: str
    devices: tuple[str, ...]
    act_by: datetime | None = None
    version: str | None = None
    whole_release: bool = False
    reminder: bool = False
    code: str | None = None
    visit_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it: a name, a language in any spelling, the time zone of the home."""

    name: str
    language: str
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words. ``language`` is the catalogue it was written from."""

    language: str
    subject: str
    text: str
    html: str

    def with_token(self, token: str) -> Letter:
        """The letter with the customer's own link."""
        mask, link = f"/c/{MASK}", f"/c/{token}"
        return Letter(self.language, self.subject, self.text.replace(mask, link), self.html.replace(mask, link))


def write(subject: Subject, reader: Reader, brand: Brand, *, public_url: str, link_until: datetime) -> Letter:
    """Write a letter whose link is masked; see `Letter.with_token`."""
    language = choose(reader.language)
    say = _Speaker(language, reader.zone)
    headline, paragraphs = _content(say, subject)
    until = say.date(link_until)
    fields = {
        "language": language.replace("_", "-"),
        "headline": headline,
        "greeting": say(phrases.GREETING, name=plain(reader.name)),
        "paragraphs": paragraphs,
        "devices": say(phrases.DEVICES, devices=_devices(subject)),
        "link_label": say(phrases.LINK),
        "button": say(phrases.BUTTON),
        "link": f"{public_url.rstrip('/')}/c/{MASK}",
        "link_note": say(phrases.LINK_NOTE, date=until),
        "phone": say(phrases.PHONE, phone=plain(brand.phone)) if brand.phone else "",
        "privacy": say(phrases.PRIVACY, url=plain(brand.privacy_url, 400)) if brand.privacy_url else "",
        "closing": say(phrases.CLOSING, brand=plain(brand.name)),
    }
    templates = _templates()
    return Letter(
        language=language,
        subject=headline,
        text=templates.get_template("letter.txt").render(fields),
        html=templates.get_template("letter.html").render(fields),
    )


def plain(text: str, length: int = NAME_LENGTH) -> str:
    """A name from outside on one line: without control and direction characters, of bounded length."""
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    short = " ".join(kept.split())
    return short if len(short) <= length else short[: length - 1] + "…"


class _Speaker:
    """Says sentences in one language."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self._translated = translations(language).gettext
        self._language = language
        self._zone = zone

    def __call__(self, sentence: str, **names: str) -> str:
        return self._translated(sentence).format(**names)

    def date(self, at: datetime) -> str:
        return format_date(at.astimezone(self._zone).date(), format="long", locale=self._language)

    def moment(self, at: datetime) -> str:
        local = at.astimezone(self._zone)
        day = format_date(local.date(), format="full", locale=self._language)
        return f"{day} {format_time(local.time(), format='short', locale=self._language)}"


def _content(say: _Speaker, subject: Subject) -> tuple[str, list[str]]:
    if subject.kind == "ticket_update":
        return _ticket_content(say, subject)
    product = plain(subject.product)
    if subject.whole_release:
        headline = say(phrases.UPDATE_HEADLINE, product=product)
        meaning = say(_of(phrases.UPDATE_MEANINGS, subject.mode), version=plain(subject.version or ""))
        paragraphs = [meaning]
    else:
        headline = say(_of(phrases.HEADLINES, subject.mode), product=product)
        paragraphs = [say(_of(phrases.MEANINGS, subject.mode))]
        if subject.kind == "update":
            paragraphs.append(say(phrases.UPDATE_FIXES, version=plain(subject.version or "")))
    if subject.reminder:
        paragraphs.insert(0, say(phrases.REMINDER))
    action = f"{subject.kind}/{subject.mode}"
    paragraphs.append(say(phrases.ACTIONS.get(action, phrases.ACTIONS[subject.kind])))
    if subject.act_by is not None:
        paragraphs[-1] += " " + say(phrases.BY_WHEN, date=say.date(subject.act_by))
    return headline, paragraphs


def _ticket_content(say: _Speaker, subject: Subject) -> tuple[str, list[str]]:
    product = plain(subject.product)
    if subject.visit_at is not None:
        headline = say(phrases.TICKET_SCHEDULED_HEADLINE, product=product)
        news = say(phrases.TICKET_SCHEDULED, when=say.moment(subject.visit_at))
    else:
        headline = say(phrases.TICKET_CLOSED_HEADLINE, product=product)
        news = say(phrases.TICKET_CLOSED[subject.code or "recovered"])
    return headline, [news, say(phrases.TICKET_PAGE)]


def _of(sentences: dict[str, str], mode: str) -> str:
    return sentences.get(mode, sentences[phrases.OTHER])


def _devices(subject: Subject) -> str:
    named = ", ".join(plain(device) for device in subject.devices[:DEVICES_NAMED])
    return f"{named}, …" if len(subject.devices) > DEVICES_NAMED else named


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("alerts"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
