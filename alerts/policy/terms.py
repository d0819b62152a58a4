"""The parts of a policy beside its rules: how much is sent and when, what goes into a parent's ticket, how tickets are kept."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from alerts.channels.addresses import channel_of
from alerts.policy.quiet import is_country
from alerts.policy.section import Section
from hearthwatch.said import Said

Purpose = Literal["safety", "service"]

SAFETY_PARTS = ("housing", "heater", "brake", "valve", "smoke_sensor", "gas_sensor", "lock_bolt")
"""Parts whose failure may hurt somebody: a critical finding about one is never held out. A policy may name others."""
SAFETY_CLASSES = (
    "lock", "smoke_alarm", "smoke_detector", "co_alarm", "gas_detector", "water_leak_detector", "alarm", "medical_alert", "heater",
    "boiler", "stove", "ev_charger", "battery_storage",
)  # fmt: skip
"""What devices are to their users (`hearthwatch.records.models`), where nothing about them is ever held out. A policy may name others."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        raise ValueError(Said("there is no time zone {name}", name=f"{name!r:.60}")) from None
    return name


def _served(address: str) -> str:
    if channel_of(address) is None:
        raise ValueError(Said("no channel serves {scheme}:", scheme=address.split(":", 1)[0]))
    return address


def _country(code: str) -> str:
    if not is_country(code):
        raise ValueError(
            Said("no holidays are known of {code}; say a country (DE) or a part of one (DE-BY)", code=f"{code!r:.40}")
        )
    return code


Step = Literal["scheduled", "closed", "replied", "approval_asked", "merged", "recovered", "reopened"]
"""What a ticket's customer may be told of."""
Zone = Annotated[str, AfterValidator(_known_zone)]
Address = Annotated[str, AfterValidator(_served)]
Country = Annotated[str, AfterValidator(_country)]
Days = Annotated[float, Field(gt=0)]


class NoticeLimits(Section):
    """How much a household, the whole fleet and one round may get. ``per_1000_devices_and_week`` absent: the fleet has no budget."""

    per_household_and_month: int = Field(4, ge=0)
    per_1000_devices_and_week: float | None = Field(None, ge=0)
    per_round: int = Field(250, ge=1)
    group_hours: float = Field(72, ge=0)
    gather_hours: float = Field(0, ge=0, le=168)
    remind_after_days: float = Field(7, gt=0)
    reminders: int = Field(2, ge=0)
    without_consent: tuple[Purpose, ...] = Field(("safety",), strict=False)

    def needs_consent(self, purpose: str) -> bool:
        """Whether customers have to have agreed to a purpose. Warnings of danger never need that, whatever the list says."""
        return purpose != "safety" and purpose not in self.without_consent


class QuietHours(Section):
    """When nobody is written to, by the wall clock of the home. Equal times: no quiet hours."""

    start: time = Field(time(21), alias="from", strict=False)
    end: time = Field(time(8), alias="to", strict=False)
    timezone: Zone = "UTC"


class Holidays(Section):
    """Whole days on which only safety is written about. ``regions``: whose holidays are kept where; ``country``: everywhere else."""

    sundays: bool = False
    country: Country | None = None
    regions: dict[str, Country] = Field(default_factory=dict)

    def of(self, region: str | None) -> str | None:
        """Whose holidays are kept in a region."""
        return self.regions.get(region or "", self.country)


class Engineers(Section):
    """Where engineers' alerts go."""

    addresses: tuple[Address, ...] = Field((), strict=False)


class Suppression(Section):
    """What a parent stands for: device findings that go into a worse release's ticket, and how long a fix under way is waited for."""

    anomaly_modes: tuple[str, ...] = Field(("reboots",), strict=False)
    prognosis_parts: tuple[str, ...] = Field(("controller",), strict=False)
    wait_for_fix_days: float = Field(0, ge=0, le=90)


class Hysteresis(Section):
    """By how much a probability must fall below a line before a rule that held by it lets go."""

    probability: float = Field(0.1, ge=0, lt=1)


class TicketTerms(Section):
    """How soon tickets are due and when they close by themselves."""

    due_days: tuple[Days, Days, Days, Days] = Field((1, 3, 7, 14), strict=False)
    close_after_hours: float = Field(24, ge=0)
    keep_open_probability: float = Field(0.8, gt=0, le=1)
    settle_days: float = Field(3, ge=0)
    diagnostics: bool = True
    tell_customer: tuple[Step, ...] = Field(
        ("scheduled", "closed", "replied", "approval_asked", "merged", "recovered", "reopened"), strict=False
    )


class SurveyTerms(Section):
    """Whether and when customers are asked, after their case is over, if it helped; nobody more than once in ``every_days``."""

    ask: bool = True
    after_days: float = Field(2, ge=0, le=13)
    every_days: float = Field(90, ge=0)


class HoldOut(Section):
    """Of what share of findings nobody outside is told, to learn how often findings are right; never where safety is concerned.

    ``salt`` makes the draws those of this policy alone; a new one changes the draws of findings to come.
    """

    share: float = Field(0.0, ge=0, le=0.2)
    salt: str = Field("", max_length=64)
    safety_parts: tuple[str, ...] = Field(SAFETY_PARTS, strict=False)
    never_classes: tuple[str, ...] = Field(SAFETY_CLASSES, strict=False)
    never_models: tuple[str, ...] = Field((), strict=False)
