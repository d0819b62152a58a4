"""The notice itself, and its buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers import page as customer
from alerts.notices.kinds import OF_CAMPAIGNS
from api.customer.letter import Told
from api.customer.letter import told as letter_of
from api.customer.look import Look, Press, Section, phrase
from api.customer.sections import approval
from hearthwatch.errors import Conflict
from hearthwatch.records import update_installs

BUTTONS: Mapping[str, str] = {
    "accept_update": phrase("Install version {version}"),
    "visit": phrase("Ask for a visit"),
    "later": phrase("Remind me later"),
    "not_mine": phrase("This is not my device"),
}
ANSWERED: Mapping[str, str] = {
    "accept_update": phrase("Thank you. The update is on its way to your device."),
    "visit": phrase("Thank you. We know that you would like a visit, and will contact you about the time."),
    "later": phrase("All right. We will remind you."),
    "not_mine": phrase("Thank you for telling us. We will look into whose device this is; you need not do anything."),
}


def told(look: Look) -> Told:
    """The notice in the reader's language."""
    assert look.notice is not None
    view = customer.view(look.connection, look.opened, look.notice, look.now)
    return letter_of(look.connection, view, look.say.language)


def show(look: Look) -> Mapping[str, Any] | None:
    """The letter's words, the buttons, and what was answered before."""
    if look.notice is None or look.notice.kind in OF_CAMPAIGNS:  # those have a section of their own
        return None
    say, view = look.say, customer.view(look.connection, look.opened, look.notice, look.now)
    text = letter_of(look.connection, view, say.language)
    asked = approval.show(look) if look.notice.kind == "approval" else None
    said_below = asked is not None and asked["question"] is not None
    return {
        "greeting": text.greeting,
        "paragraphs": [] if said_below else [say.on_the_page(paragraph) for paragraph in text.paragraphs],
        "over": look.notice.kind in customer.WARNINGS and not view.actions and not view.answered,
        "devices": text.devices,
        "outcome": _outcome(look, view.answered),
        "answered": view.answered,
        "buttons": [(action, say(BUTTONS[action], version=view.version or "")) for action in view.actions],
    }


def _outcome(look: Look, answered: str | None) -> str:
    """What was answered; of an update there is a section of its own that tells how it stands."""
    told = update_installs.of_notice(look.connection, look.notice.id) if look.notice is not None else []
    if answered == "accept_update" and told:
        return ""
    return look.say(ANSWERED.get(answered or "", ""))


def press(pressed: Press) -> str | None:
    """Do what one of the notice's buttons says."""
    look = pressed.look
    if look.notice is None:
        raise Conflict("this link is not about a notice")
    customer.act(look.connection, look.opened, look.notice, pressed.action, look.now)
    return None  # the answer is kept with the notice, and shown with it


SECTION = Section("notice", show, dict.fromkeys(BUTTONS, press))
