"""The sections of the customer's page, in the order in which they stand on it. A further one is a further module, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from api.customer.look import Act, Look, Section
from api.customer.sections import (
    approval,
    campaign,
    choices,
    conversation,
    device,
    diagnosis,
    notice,
    ownership,
    progress,
    report,
    self_help,
    survey,
    update,
)

SECTIONS: tuple[Section, ...] = (
    campaign.SECTION,
    notice.SECTION,
    approval.SECTION,
    update.SECTION,
    self_help.SECTION,
    survey.SECTION,
    progress.SECTION,
    conversation.SECTION,
    diagnosis.SECTION,
    device.SECTION,
    report.SECTION,
    choices.SECTION,
    ownership.SECTION,
)

LETTERS = (campaign.SECTION.name, notice.SECTION.name)
"""Sections that say what a letter said."""

ACTS: Mapping[str, tuple[Section, Act]] = {
    action: (section, act) for section in SECTIONS for action, act in section.acts.items()
}
"""What each button does, by the value of its ``action``."""

SAID: Mapping[str, str] = {
    f"{section.name}.{key}": sentence for section in SECTIONS for key, sentence in section.said.items()
}
"""Sentences said back after a button, in English, by section and key."""


def on_page(look: Look) -> tuple[Section, ...]:
    """The sections that stand on a page: all, or those of the step its address names."""
    step = look.query.get("step")
    return tuple(section for section in SECTIONS if step in section.steps) or SECTIONS


def headline(look: Look) -> str:
    """What the page of a link is called."""
    if on_page(look) != SECTIONS:
        return look.say("Your devices and your choices")
    if look.notice is not None:
        return campaign.headline(look) or notice.told(look).headline
    if look.ticket is not None:
        return look.say("Service case {number}", number=look.ticket.id)
    return look.say("Your devices and your choices")
