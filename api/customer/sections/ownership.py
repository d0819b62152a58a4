"""A device that is the customer's no more: they say so, and confirm it in a second step that says what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.customers import transfer
from api.customer.look import Farewell, Look, Press, Section, phrase
from hearthwatch.errors import Conflict, Invalid

STEP = "gone"

REASONS: Mapping[str, str] = {
    "sold": phrase("I sold it or gave it away"),
    "swapped": phrase("It was swapped for another one"),
    "returned": phrase("I sent it back"),
    "decommissioned": phrase("It is not in use any more"),
}
FOLLOWS = (
    phrase("You get no more messages about this device, and links to its pages stop working."),
    phrase("What you asked us to do for it ends; a visit that was arranged does not take place."),
    phrase("Whoever has it next sees nothing of you, and is asked anew what we may do."),
    phrase("If it was your last device, your agreement to service and studies ends, too."),
)


def show(look: Look) -> Mapping[str, Any] | None:
    """A link for each device; in the second step, what would follow and the form that confirms it."""
    if look.query.get("step") != STEP:
        return {"device": None, "links": [(one, look.address(step=STEP, device=one)) for one in look.device_ids]}
    device = _named(look, look.query.get("device", ""))
    return {
        "device": device,
        "links": (),
        "reasons": [(reason, look.say(sentence)) for reason, sentence in REASONS.items()],
        "follows": [look.say(sentence) for sentence in FOLLOWS],
        "back": look.address(),
    }


def _named(look: Look, device: str) -> str | None:
    if device in look.device_ids:
        return device
    return look.device_ids[0] if len(look.device_ids) == 1 else None


def confirm(pressed: Press) -> str | Farewell | None:
    """End the ownership, for the reason that was chosen."""
    look = pressed.look
    device, reason = pressed.fields.get("device", ""), pressed.fields.get("reason", "")
    if device not in look.device_ids:
        raise Conflict("this link is not about that device", where="device")
    if reason not in REASONS:
        raise Invalid("why is it theirs no more?", where="reason")
    transfer.transfer(look.connection, device, reason, actor=pressed.actor, now=look.now)
    own_page = look.notice is None and look.ticket is None
    return "gone" if own_page else Farewell(THANKS, FAREWELL)


THANKS = phrase("Thank you. This device is not yours any more")
FAREWELL = phrase(
    "We have noted it, and will write to you no more about it. This link does not open its page any more."
)

SECTION = Section(
    "ownership",
    show,
    {"device_gone": confirm},
    {"gone": phrase("Thank you. We have noted that this device is not yours any more.")},
    steps=(STEP,),
)
