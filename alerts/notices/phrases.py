"""Every sentence a customer may read, in English. Translations stand in ``locale/<language>/LC_MESSAGES/hearthwatch.po``.

Sentences are plain words about what the customer sees and can do; the reasons in numbers are for staff. ``{names}`` are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator

from alerts.notices import campaign_phrases

OTHER = ""
"""The key of the sentence for whatever has none of its own."""

HEADLINES = {
    "battery_fade": "The battery of your {product} is getting weak",
    "relay_wear": "The switch inside your {product} is wearing out",
    "sensor_drift": "Your {product} no longer measures exactly",
    "wifi_failing": "Your {product} is losing its Wi-Fi connection",
    "memory_leak": "Your {product} is running out of memory",
    "reboots": "Your {product} restarts by itself",
    "motor_wear": "The motor of your {product} is getting weak",
    "video_degraded": "The picture of your {product} is getting worse",
    "overheating": "Your {product} is getting too hot",
    "flash_wear": "The memory of your {product} is wearing out",
    "silent": "Your {product} is offline",
    "flapping": "Your {product} keeps going offline",
    OTHER: "Your {product} needs attention",
}
"""By failure mode."""

MEANINGS = {
    "battery_fade": "Its battery holds less charge than it used to. Before long the device may stop without further warning.",
    "relay_wear": "The relay that switches the power shows signs of wear. If it fails, the device may no longer switch on or off.",
    "sensor_drift": "Its sensor is drifting, so the values it shows and acts on may be wrong.",
    "wifi_failing": "Its wireless connection is getting weaker or breaks off often. It may soon be out of reach.",
    "memory_leak": "Its memory fills up over time, and then it may restart by itself.",
    "reboots": "It has restarted by itself several times. While it restarts, it does not do its work.",
    "motor_wear": "Its motor needs more time and force than it used to. It may get stuck.",
    "video_degraded": "It delivers fewer pictures per second than it should, so recordings may have gaps.",
    "overheating": "It is hotter inside than it should be. Heat wears it out and can be dangerous.",
    "flash_wear": "The memory that keeps its settings is nearly used up. If it fails, the device may not start any more.",
    "silent": "We have not heard from it for a while. While it is offline, it may not do its work.",
    "flapping": "It loses its connection again and again. While it is offline, it may not do its work.",
    OTHER: "It behaves unlike it used to and unlike others of its kind. This can be an early sign of a fault.",
}
"""By failure mode."""

UPDATE_HEADLINE = "An update for your {product} is ready"
UPDATE_MEANINGS = {
    "reboots": "With the software it runs now, this model restarts by itself more often than it should. Version {version} puts that right.",
    OTHER: "With the software it runs now, this model works less reliably than it should. Version {version} puts that right.",
}
UPDATE_FIXES = "Version {version} of its software puts that right."

ACTIONS = {
    "update": "Please accept the update on your page (link below). It takes a few minutes, and the device restarts once.",
    "replacement": "Please ask for a visit on your page (link below); we bring the part along.",
    "replacement/battery_fade": "Please put in a fresh battery.",
    "check_up": "Please ask for a visit on your page (link below), so that we can have a look at it.",
    "check_up/wifi_failing": "Please check that your router is switched on and not too far away.",
    "check_up/overheating": "Please leave the device uncovered and switched off until we have had a look at it.",
    "approval": "Please say yes or no on your page (link below).",
    "survey": "Please tell us on your page (link below) whether we helped you. It takes less than a minute.",
}
"""The one thing a notice asks for, by kind, or by kind and failure mode."""

OFFER_VISIT = "On your page (link below) you can also ask for a visit."
"""Said where a notice asks for something else, by kind and failure mode."""
OFFERED = ("replacement/battery_fade", "check_up/wifi_failing", "check_up/overheating")

PARTS = {
    "battery": "What needs replacing: the battery.",
    "relay": "What needs replacing: the switch inside (relay).",
    "sensor": "What needs replacing: the sensor.",
    "radio": "What needs replacing: the radio module.",
    "controller": "What needs replacing: the control board.",
    "flash": "What needs replacing: the control board.",
    "motor": "What needs replacing: the motor.",
    "camera": "What needs replacing: the camera.",
    "housing": "What needs replacing: the housing.",
    OTHER: "What needs replacing: the part that is worn.",
}
"""By part."""

COST_FREE = "This costs you nothing."
COST_EXCLUDED = "The warranty does not cover this. The price is {price}, and we begin only if you agree."
COST_COVERED = "This costs you nothing: the warranty lasts until {date}."
COST_OVER = "The warranty ended on {date}. We tell you the price first, and begin only if you agree."
COST_OVER_PRICED = "The warranty ended on {date}. The price is {price}, and we begin only if you agree."
COST_UNKNOWN = (
    "We do not know when you bought the device. If the warranty still lasts, this costs you nothing; "
    "if not, we tell you the price first, and begin only if you agree."
)
COST_UNKNOWN_PRICED = (
    "We do not know when you bought the device. If the warranty still lasts, this costs you nothing; "
    "if not, the price is {price}, and we begin only if you agree."
)

ALSO = "Also: {headline} ({device})."
"""A further device of the household, in the same letter."""

ALL_CLEAR_HEADLINE = "All clear for your {product}"
ALL_CLEAR = {
    "update": "The update has put right what we wrote to you about.",
    "overheating": "Its temperature has stayed normal since we wrote to you.",
    "advisory": "Your device no longer has the security weakness that we wrote to you about.",
    "advisory/not_affected": "We have checked your device: it does not have the security weakness that we wrote to you about.",
    "recall/update": "The recall is over for your device: it was updated, and you can use it again.",
    "recall/repair": "The recall is over for your device: it was repaired, and you can use it again.",
    "recall/replacement": "The recall is over for your device: you have a new one in its place.",
    "recall/refund": "The recall is over for your device: you got your money back.",
    "recall/disposed": "The recall is over for your device: it is out of use.",
    "recall/not_affected": "We have checked your device: it is none of those that are recalled, and you can use it again.",
}
"""By what is over."""
ALL_CLEAR_NOTHING = "There is nothing left for you to do."

TICKET_SCHEDULED_HEADLINE = "Our visit for your {product}"
TICKET_SCHEDULED = "A technician is going to visit you on {when}."
TICKET_CLOSED_HEADLINE = "Your {product}: this is settled"
TICKET_CLOSED = {
    "confirmed": "We found the fault and put it right.",
    "different_fault": "We found a different fault and put it right.",
    "no_fault_found": "We had a look and found no fault.",
    "fixed_by_update": "The update has put the fault right.",
    "recovered": "It has been working normally again, so there is nothing left to do.",
    "customer_declined": "As you wished, we have ended the matter.",
    "user_error": "The device is in order; we have explained how it is used.",
    "environment": "The device is in order; the cause was its surroundings.",
}
"""By closing code; the codes that are absent are not told to customers."""

TICKET_MERGED_HEADLINE = "Your {product}: one service case"
TICKET_MERGED = "Your requests about it are one matter now. We go on under number {number}."
TICKET_REOPENED_HEADLINE = "Your {product}: we are on it again"
TICKET_REOPENED = "We have taken the matter up again."
TICKET_RECOVERED_HEADLINE = "Your {product} is working again"
TICKET_RECOVERED = (
    "It has been working normally again. The visit that we agreed on stays, "
    "unless you say on your page (link below) that you do not need it."
)

TICKET_PAGE = "You can follow this on your page (link below)."

MESSAGE_HEADLINE = "A message about your {product}"
MESSAGE_FROM = "Our service writes:"
MESSAGE_ANSWER = "You can answer on your page (link below)."

APPROVAL_HEADLINE = "Your {product}: may we repair it?"
APPROVAL = {
    "remote_fix": "We can put it right from afar.",
    "update": "We can put it right with an update.",
    "ship_part": "We can send you the part that it needs.",
    "swap": "We can exchange it for another one.",
    "visit": "A technician can come and repair it.",
    "return": "You can send it to us, and we repair it.",
    OTHER: "We can repair it.",
}
"""By remedy."""

SURVEY_HEADLINE = "Your {product}: did we help you?"
SURVEY = "We have closed the matter about your {product}."

LABELLED = "{label}: {text}"
TWO_SENTENCES = "{first} {second}"
GREETING = "Hello {name},"
BY_WHEN = "Please do this by {date}."
DEVICES = "This is about: {devices}"
REMINDER = "You asked us to remind you of this."
LINK = "Your page for this notice:"
LINK_NOTE = "It needs no password and works until {date}. Please do not pass it on."
PHONE = "You can also call us: {phone}"
PRIVACY = "How we handle your data: {url}"
CLOSING = "Your {brand} service"
BUTTON = "Open your page"


def every() -> Iterator[str]:
    """All sentences that need a translation, those of campaigns among them."""
    for module in (globals(), vars(campaign_phrases)):
        for name, value in module.items():
            if name.isupper() and name not in {"OTHER", "OFFERED"}:
                yield from value.values() if isinstance(value, dict) else (value,)
