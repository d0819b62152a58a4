"""The reasons of a proposal as English sentences; the staff's pages say them in other languages."""

from __future__ import annotations

from alerts.remedies.choice import Reason
from alerts.remedies.money import told

SENTENCES = {
    "no_update": "There is no update for this device that puts it right.",
    "not_remote": "This can not be put right from afar.",
    "part_unknown": "Nobody knows yet which part it is.",
    "needs_hands": "Customers do not put in this part themselves.",
    "safety_hands": "The failure of such a device may do harm: customers do not repair it themselves.",
    "safety_without": "The failure of such a device may do harm: nobody is left without it while it travels.",
    "no_home": "No home is known where a technician could go.",
    "cheapest_for_us": "The warranty lasts, and this is expected to cost us least, with what follows where it is not enough.",
    "cheapest_for_customer": "The customer pays, and this is expected to cost them least, with what follows where it is not enough.",
    "update_fixes": "Version {version} puts this right.",
    "safety_class": "The failure of such a device may do harm; what would leave people without it was left out.",
    "dearer": "Expected to cost {more} more, with what follows where it is not enough.",
}


def sentence(reason: Reason, currency: str) -> str:
    """A reason in English."""
    given = dict(reason.given)
    if "more" in given:
        given["more"] = told(int(given["more"]), currency, "en")
    return SENTENCES[reason.code].format(**given)
