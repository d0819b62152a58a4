"""A recall or a security notice: what is wrong, what to do, and what the owner wants instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from alerts.campaigns import answers, letters
from alerts.campaigns.answers import Concerning
from alerts.campaigns.content import parse
from alerts.customers import offers
from alerts.notices.campaign_letters import Body, body
from alerts.notices.kinds import OF_CAMPAIGNS
from alerts.notices.speech import Speaker
from api.customer.look import Look, Press, Section, phrase
from api.routes.findings import mail_of
from hearthwatch.errors import Conflict
from hearthwatch.records import devices, update_installs
from hearthwatch.values import Notice

CHOICES: Mapping[str, str] = {
    "repair": phrase("I want a repair"),
    "replacement": phrase("I want a new device in its place"),
    "refund": phrase("I want my money back"),
    "done": phrase("I have done what you ask for"),
    "not_mine": phrase("I do not have this device"),
}
CHOSEN: Mapping[str, str] = {
    "repair": phrase(
        "You asked for a repair. We will write to you about how it goes on; keep the device out of use until then."
    ),
    "replacement": phrase(
        "You asked for a new device. We will write to you about how it goes on; keep the old one out of use."
    ),
    "refund": phrase(
        "You asked for your money back. We will write to you about how it goes on; keep the device out of use."
    ),
    "done": phrase("Thank you. You told us that you have done what we asked for."),
    "not_mine": phrase(
        "Thank you for telling us. We will look into who has this device now; you need not do anything."
    ),
    "accept_update": phrase("Thank you. The update is on its way to your device."),
}
ENDED: Mapping[str, str] = {
    "update": phrase("updated"),
    "repair": phrase("repaired"),
    "replacement": phrase("replaced"),
    "refund": phrase("paid back"),
    "disposed": phrase("out of use"),
    "not_affected": phrase("checked: not affected"),
}
INSTALL = phrase("Install version {version}")
LATER = phrase("Version {version} is not ready for your device yet. As soon as it is, you can install it here.")
PREFIX = "campaign_"


def show(look: Look) -> Mapping[str, Any] | None:
    """The campaign that the link's notice is about, in the reader's language; its buttons while they can be pressed."""
    notice = look.notice
    found = answers.concerning(look.connection, notice) if notice is not None else None
    if notice is None or found is None or notice.kind not in OF_CAMPAIGNS:
        return None
    told = _told(look, found)
    over = found.campaign.state != "running" or found.settled
    install, later = _update(look, notice)
    return {
        "severe": notice.kind == "recall",
        "opening": told.opening,
        "facts": told.facts,
        "sections": [
            (one.label, [look.say.on_the_page(line) for line in one.lines], one.tone)
            for one in told.sections
            if not over or one.tone == "danger"  # what to do is said to those who still have to
        ],
        "closing": told.closing_words,
        "devices": [(one.device_id, look.say(ENDED.get(one.remedy or "", ""))) for one in found.members],
        "over": over,
        "later": later,
        "chosen": look.say(CHOSEN.get(found.answered or "", "")),
        "buttons": install + [(PREFIX + choice, look.say(CHOICES[choice])) for choice in found.choices],
    }


def _update(look: Look, notice: Notice) -> tuple[list[tuple[str, str]], str]:
    """The button that installs what a security notice asks for, foremost; else what is to be said of a version that is not ready yet."""
    wanted = answers.update_of(look.connection, notice)
    if wanted is None or notice.answer == "not_mine" or update_installs.of_notice(look.connection, notice.id):
        return [], ""
    offered = offers.offer(look.connection, notice, look.now)
    if offered is None:
        return [], look.say(LATER, version=wanted[0])
    return [("update_install", look.say(INSTALL, version=offered.version))], ""


def headline(look: Look) -> str | None:
    """What the page of a link to a recall or a security notice is called; None for any other link."""
    notice = look.notice
    found = answers.concerning(look.connection, notice) if notice is not None else None
    if notice is None or found is None or notice.kind not in OF_CAMPAIGNS:
        return None
    return _told(look, found).subject


def _told(look: Look, found: Concerning) -> Body:
    campaign = found.campaign
    about = list(devices.find(look.connection, [one.device_id for one in found.members]).values())
    content = parse(campaign.kind, campaign.content)
    language, told = letters.subject(campaign, content, look.say.language, about, mail_of(look.settings))
    return body(Speaker(language, ZoneInfo(look.opened.timezone)), told)


def press(pressed: Press) -> str | None:
    """Note what the owner chose."""
    look = pressed.look
    if look.notice is None:
        raise Conflict("this link is not about a notice")
    answers.answer(look.connection, look.notice, pressed.action.removeprefix(PREFIX), look.now)
    return None  # the answer is kept with the notice, and shown with it


SECTION = Section("campaign", show, {PREFIX + choice: press for choice in CHOICES})
