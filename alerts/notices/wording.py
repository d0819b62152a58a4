"""Notices in words: from what is known about a matter to subject, text and HTML in the customer's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alerts.notices import phrases
from alerts.notices.catalogue import choose
from alerts.notices.contents import content
from alerts.notices.speech import Brand, Reader, Speaker, plain
from alerts.notices.subjects import Concern, Cost, Subject

__all__ = ["MASK", "Brand", "Concern", "Cost", "Letter", "Reader", "Subject", "common", "plain", "rendered", "write"]

MASK = "…"
"""What stands in a kept notice where the letter has the customer's token."""

DEVICES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words. ``language`` is the catalogue it was written from; ``link`` leads to the customer's page."""

    language: str
    subject: str
    text: str
    html: str
    link: str = ""

    @property
    def short(self) -> str:
        """What goes into one text message: what it is about, and where to read on."""
        return f"{self.subject} {self.link}"

    def with_token(self, token: str) -> Letter:
        """The letter with the customer's own link."""
        mask, link = f"/c/{MASK}", f"/c/{token}"
        text, html = self.text.replace(mask, link), self.html.replace(mask, link)
        return Letter(self.language, self.subject, text, html, self.link.replace(mask, link))


def write(subject: Subject, reader: Reader, brand: Brand, *, public_url: str, link_until: datetime) -> Letter:
    """Write a letter whose link is masked; see `Letter.with_token`."""
    say = Speaker(choose(reader.language), reader.zone)
    said = content(say, subject)
    own = {
        "headline": said.headline,
        "paragraphs": said.paragraphs,
        "action": said.action,
        "devices": say(phrases.DEVICES, devices=named(subject.devices)),
    }
    fields = common(say, reader, brand, public_url=public_url, link_until=link_until) | own
    return rendered("letter", say, said.headline, fields)


def common(say: Speaker, reader: Reader, brand: Brand, *, public_url: str, link_until: datetime) -> dict[str, Any]:
    """What every letter has: greeting, link, phone, privacy, closing."""
    return {
        "language": say.language.replace("_", "-"),
        "greeting": say(phrases.GREETING, name=plain(reader.name)),
        "link_label": say(phrases.LINK),
        "button": say(phrases.BUTTON),
        "link": f"{public_url.rstrip('/')}/c/{MASK}",
        "link_note": say(phrases.LINK_NOTE, date=say.date(link_until)),
        "phone": say(phrases.PHONE, phone=plain(brand.phone)) if brand.phone else "",
        "privacy": say(phrases.PRIVACY, url=plain(brand.privacy_url, 400)) if brand.privacy_url else "",
        "closing": say(phrases.CLOSING, brand=plain(brand.name)),
    }


def rendered(template: str, say: Speaker, subject: str, fields: Mapping[str, Any]) -> Letter:
    """A letter from a template, as text and as HTML."""
    templates = _templates()
    return Letter(
        language=say.language,
        subject=subject,
        text=templates.get_template(f"{template}.txt").render(fields),
        html=templates.get_template(f"{template}.html").render(fields),
        link=str(fields["link"]),
    )


def named(devices: tuple[str, ...]) -> str:
    """The first few of some devices, on one line."""
    first = ", ".join(plain(device) for device in devices[:DEVICES_NAMED])
    return f"{first}, …" if len(devices) > DEVICES_NAMED else first


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
