"""What the customer agreed to, and what it means: they can grant and withdraw it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers import choices
from alerts.customers.choices import Choice
from api.customer.look import Look, Press, Section, phrase
from hearthwatch.errors import Invalid

STEP = "choices"

PURPOSES: Mapping[str, tuple[str, str, str]] = {
    "service": (
        phrase("Service for your devices"),
        phrase("We write to you when a device of yours needs attention, and may ask the device itself what is wrong."),
        phrase(
            "Without it you do not hear from us before something fails. What you ask us to repair we repair all the same."
        ),
    ),
    "marketing": (
        phrase("News and offers"),
        phrase("We write to you about our products."),
        phrase("Without it nothing changes for your devices."),
    ),
    "analytics": (
        phrase("Studies"),
        phrase(
            "We may ask you what you think, and give what your devices reported, without your name, to those who study it."
        ),
        phrase("Without it nothing of yours goes to studies. To notice faults we still look at what devices report."),
    ),
}
"""Title, what it means, and what happens without it."""

WAYS: Mapping[str, str] = {
    "mail": phrase("by e-mail"),
    "sms": phrase("by text message"),
    "push": phrase("by push message"),
    "chat": phrase("by chat message"),
    "post": phrase("by post"),
    "phone": phrase("by phone"),
    "app": phrase("in the app"),
}


def show(look: Look) -> Mapping[str, Any] | None:
    """The choices, on the customer's own page and behind a link of the other pages; nothing that a forwarded link need not show."""
    own_page = look.notice is None and look.ticket is None
    if not own_page and look.query.get("step") != STEP:
        return {"open": None, "address": look.address(step=STEP), "purposes": ()}
    purposes = [_told(look, choice) for choice in choices.choices(look.connection, look.customer)]
    back = "" if own_page else look.address()
    return {"open": True, "purposes": purposes, "back": back}


def _told(look: Look, choice: Choice) -> Mapping[str, Any]:
    title, means, without = PURPOSES[choice.purpose]
    boxes = [(f"{choice.purpose}.{way}", look.say(WAYS[way]), allowed) for way, allowed in choice.channels]
    whole = [(choice.purpose, look.say("I agree"), choice.allowed)]
    return {
        "title": look.say(title),
        "means": look.say(means),
        "without": look.say(without),
        "boxes": boxes or whole,
    }


def save(pressed: Press) -> str | None:
    """Keep what was ticked."""
    wanted = set()
    for name in pressed.fields:
        purpose, _, way = name.partition(".")
        if purpose in PURPOSES:
            if way and way not in WAYS:
                raise Invalid("there is no such channel", where=name)
            wanted.add((purpose, way or None))
    choices.choose(pressed.connection, pressed.look.customer, wanted, pressed.now)
    return "saved"


SECTION = Section(
    "choices",
    show,
    {"save_choices": save},
    {"saved": phrase("Thank you. From now on we will keep to what you chose.")},
    steps=(STEP,),
)
