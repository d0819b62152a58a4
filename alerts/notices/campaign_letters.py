"""Letters of recalls and security notices: the maker's own words, in the order the law and its template give (see `campaign_phrases`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from alerts.notices import campaign_phrases as phrases
from alerts.notices import phrases as common_phrases
from alerts.notices.catalogue import choose
from alerts.notices.speech import Brand, Reader, Speaker, plain, plain_lines
from alerts.notices.wording import Letter, common, named, rendered

URL_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recall notice says. ``serials`` are those of the reader's devices; texts are in the reader's language and may have lines.

    ``remedies`` are keys of `campaign_phrases.REMEDY`; empty texts are left out. ``phone`` is free of charge, ``usual_phone`` the maker's
    own number. ``repeated``: the reader was written to before.
    """

    reference: str
    product: str
    model: str
    brand: str
    devices: tuple[str, ...]
    serials: tuple[str, ...]
    hazard: str
    what_to_do: str
    remedies: tuple[str, ...]
    picture_url: str = ""
    find_number: str = ""
    sold: str = ""
    phone: str = ""
    url: str = ""
    usual_phone: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Advised:
    """What a security notice says. ``version`` mends it; ``mitigation`` helps until then, or at all; ``machine_url`` leads to CSAF."""

    reference: str
    product: str
    devices: tuple[str, ...]
    what: str
    mitigation: str
    version: str = ""
    exploited: bool = False
    weaknesses: tuple[str, ...] = ()
    machine_url: str = ""
    phone: str = ""
    url: str = ""
    usual_phone: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the letter with a label of its own. ``tone`` is plain, danger or action."""

    label: str
    lines: tuple[str, ...]
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Body:
    """What is said, in the order it is said. ``facts`` are labelled; ``subject`` is what a mail is called, ``headline`` stands over it."""

    subject: str
    headline: str
    opening: str
    picture: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    closing_words: str
    severe: bool


def body(say: Speaker, told: Recalled | Advised) -> Body:
    """A recall or a security notice in sentences: the same in letters and on the customer's page."""
    return _recall(say, told) if isinstance(told, Recalled) else _advisory(say, told)


def write(told: Recalled | Advised, reader: Reader, brand: Brand, *, public_url: str, link_until: datetime) -> Letter:
    """A letter about a campaign; its link is masked."""
    say = Speaker(choose(reader.language), reader.zone)
    said = body(say, told)
    fields = common(say, reader, brand, public_url=public_url, link_until=link_until) | {
        "said": said,
        "link_note": say(phrases.LINK_ALONE, date=say.date(link_until)),
        "product": plain(told.product),
        "labelled": partial(say, common_phrases.LABELLED),
        "picture_label": say(phrases.PICTURE),
        "devices": say(common_phrases.DEVICES, devices=named(told.devices)),
    }
    return rendered("campaign", say, said.subject, fields)


def _recall(say: Speaker, told: Recalled) -> Body:
    return Body(
        subject=say(phrases.RECALL_SUBJECT, product=plain(told.product)),
        headline=say(phrases.RECALL_HEADLINE),
        opening=say(phrases.RECALL_REPEATED if told.repeated else phrases.RECALL_YOURS),
        picture=plain(told.picture_url, URL_LENGTH),
        facts=tuple(_product(say, told)),
        sections=tuple(_of_recall(say, told)),
        closing_words=say(phrases.SHARE),
        severe=True,
    )


def _advisory(say: Speaker, told: Advised) -> Body:
    headline = say(phrases.ADVISORY_SUBJECT, product=plain(told.product))
    machine = plain(told.machine_url, URL_LENGTH)
    return Body(
        subject=headline,
        headline=headline,
        opening=say(phrases.ADVISORY_REPEATED) if told.repeated else "",
        picture="",
        facts=((say(phrases.YOUR_DEVICE), named(told.devices)), (say(phrases.REFERENCE), plain(told.reference))),
        sections=tuple(_of_advisory(say, told)),
        closing_words=say(phrases.ADVISORY_MACHINE, url=machine) if machine else "",
        severe=False,
    )


def _product(say: Speaker, told: Recalled) -> list[tuple[str, str]]:
    yours = ", ".join([named(told.devices), *(say(phrases.SERIAL, serial=plain(one)) for one in told.serials)])
    facts = (
        (phrases.PRODUCT, plain(told.product)),
        (phrases.BRAND, plain(told.brand)),
        (phrases.MODEL, plain(told.model)),
        (phrases.YOUR_DEVICE, yours),
        (phrases.FIND_NUMBER, plain(told.find_number, URL_LENGTH)),
        (phrases.SOLD, plain(told.sold, URL_LENGTH)),
        (phrases.REFERENCE, plain(told.reference)),
    )
    return [(say(label), text) for label, text in facts if text]


def _of_recall(say: Speaker, told: Recalled) -> list[Section]:
    stop = say(phrases.STOP_USING, product=plain(told.product))
    choice = say(phrases.REMEDY_CHOICE if len(told.remedies) > 1 else phrases.REMEDY_ONE)
    remedies = [f"– {say(phrases.REMEDY[one])}" for one in told.remedies]
    return [
        Section(say(phrases.HAZARD), tuple(plain_lines(told.hazard)), "danger"),
        Section(say(phrases.WHAT_TO_DO), (stop, *plain_lines(told.what_to_do)), "action"),
        Section(say(phrases.REMEDIES), (choice, *remedies)),
        _contact(say, told),
    ]


def _of_advisory(say: Speaker, told: Advised) -> list[Section]:
    exploited = (say(phrases.ADVISORY_EXPLOITED),) if told.exploited else ()
    sections = [Section(say(phrases.ADVISORY_WHAT), (*plain_lines(told.what), *exploited), "danger")]
    mitigation = tuple(plain_lines(told.mitigation))
    if told.version:
        update = say(phrases.ADVISORY_UPDATE, version=plain(told.version))
        sections.append(Section(say(phrases.WHAT_TO_DO), (update,), "action"))
        if mitigation:
            sections.append(Section(say(phrases.ADVISORY_UNTIL_THEN), mitigation))
    else:
        sections.append(Section(say(phrases.WHAT_TO_DO), mitigation, "action"))
    numbers = ", ".join(plain(one) for one in told.weaknesses)
    sections.append(Section(say(phrases.ADVISORY_NUMBERS), (numbers,) if numbers else ()))
    sections.append(_contact(say, told))
    return [one for one in sections if one.lines]


def _contact(say: Speaker, told: Recalled | Advised) -> Section:
    lines = (
        say(phrases.CONTACT_PHONE, phone=plain(told.phone)) if told.phone else "",
        say(phrases.CONTACT_USUAL_PHONE, phone=plain(told.usual_phone)) if told.usual_phone else "",
        say(phrases.CONTACT_PAGE, url=plain(told.url, URL_LENGTH)) if told.url else "",
    )
    return Section(say(phrases.CONTACT), tuple(line for line in lines if line))
