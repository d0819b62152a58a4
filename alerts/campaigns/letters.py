"""The letters of a campaign: its content in a reader's language, about their devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from sqlalchemy import Connection

from alerts.campaigns.content import AdvisoryContent, Content, RecallContent, parse, written_in
from alerts.campaigns.selection import matching
from alerts.notices.campaign_letters import Advised, Recalled
from alerts.notices.catalogue import choose
from alerts.notices.issue import Mail, written
from alerts.notices.speech import Reader
from alerts.notices.wording import Letter
from alerts.policy.quiet import zone
from hearthwatch.records import devices
from hearthwatch.records.campaigns import Campaign
from hearthwatch.values import Device


def subject(
    campaign: Campaign, content: Content, language: str, about: Sequence[Device], mail: Mail, *, repeated: bool = False
) -> tuple[str, Recalled | Advised]:
    """What a letter says, and the language it is written in: the reader's where the maker gave texts in it, else English or the first."""
    chosen = written_in(content, choose(language)) or "en"
    ids = tuple(one.id for one in about)
    if isinstance(content, AdvisoryContent):
        return chosen, _advised(campaign, content, chosen, ids, mail, repeated=repeated)
    return chosen, _recalled(campaign, content, chosen, about, mail, repeated=repeated)


def _recalled(
    campaign: Campaign,
    content: RecallContent,
    language: str,
    about: Sequence[Device],
    mail: Mail,
    *,
    repeated: bool,
) -> Recalled:
    texts = content.texts.get(language)
    models = tuple(dict.fromkeys(one.model for one in about if one.model)) or content.selection.models
    return Recalled(
        reference=campaign.reference,
        product=content.product,
        model=", ".join(models),
        brand=content.brand or mail.brand.name,
        devices=tuple(one.id for one in about),
        serials=tuple(one.serial for one in about if one.serial),
        hazard=texts.hazard if texts else "",
        what_to_do=texts.what_to_do if texts else "",
        remedies=tuple(dict.fromkeys(content.remedies)),
        picture_url=content.picture_url,
        find_number=texts.find_number if texts else "",
        sold=texts.sold if texts else "",
        phone=content.phone,
        usual_phone="" if content.phone else mail.brand.phone,
        url=content.url,
        repeated=repeated,
    )


def _advised(
    campaign: Campaign,
    content: AdvisoryContent,
    language: str,
    ids: tuple[str, ...],
    mail: Mail,
    *,
    repeated: bool,
) -> Advised:
    texts = content.texts.get(language)
    return Advised(
        reference=campaign.reference,
        product=content.product,
        devices=ids,
        what=texts.what if texts else "",
        mitigation=texts.mitigation if texts else "",
        version=content.fixed_version,
        exploited=content.exploited,
        weaknesses=content.weaknesses,
        machine_url=machine_url(campaign, mail.public_url),
        phone=content.phone,
        usual_phone="" if content.phone else mail.brand.phone,
        url=content.url,
        repeated=repeated,
    )


def machine_url(campaign: Campaign, public_url: str) -> str:
    """Where anybody can get an advisory as CSAF 2.0."""
    return f"{public_url.rstrip('/')}/advisories/{quote(campaign.reference, safe='')}.json"


def sample(connection: Connection, campaign: Campaign, language: str, mail: Mail, now: datetime) -> Letter:
    """The letter in a language as the owner of one of the devices would get it; the reader is nobody, and the link is masked."""
    content = parse(campaign.kind, campaign.content)
    first = matching(connection, content.selection, now)[:1]
    about = list(devices.find(connection, first).values())
    chosen, told = subject(campaign, content, language, about, mail)
    return written(told, Reader("Test", chosen, zone(None, "UTC")), mail, now + mail.link_life)
