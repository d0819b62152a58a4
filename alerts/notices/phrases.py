"""Every sentence a customer may read, in English. Translations stand in ``locale/<language>/LC_MESSAGES/hearthwatch.po``.

Sentences are plain words about what the customer sees and can do; the reasons in numbers are for staff. ``{names}`` are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    "replacement": "The worn part should be replaced. Please ask for a visit on your page (link below); we bring the part along.",
    "replacement/battery_fade": "Please put in a fresh battery, or ask for a visit on your page (link below).",
    "check_up": "Please ask for a visit on your page (link below), so that we can have a look at it.",
    "check_up/wifi_failing": "Please check that your router is switched on and not too far away. "
    "If that does not help, ask for a visit on your page (link below).",
    "check_up/overheating": "Please do not cover the device, and switch it off if you can do without it. "
    "Then ask for a visit on your page (link below).",
}
"""By kind of notice, or by kind and failure mode."""

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
}
"""By closing code; the codes that are absent are not told to customers."""

TICKET_PAGE = "You can follow this on your page (link below)."

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
    """All sentences that need a translation."""
    for name, value in globals().items():
        if name.isupper() and name != "OTHER":
            yield from value.values() if isinstance(value, dict) else (value,)
