"""The policy file: which finding becomes what. TOML, checked key by key."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import time, timedelta
from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from alerts.channels.addresses import channel_of
from hearthwatch.errors import Invalid
from hearthwatch.failure_modes import LIVENESS_MODES, MODES, UNUSUAL

Kind = Literal["anomaly", "prognosis", "cohort", "incident", "mismatch"]
Purpose = Literal["safety", "service"]
NoticeKind = Literal["update", "replacement", "check_up"]
SeverityName = Literal["info", "warning", "critical"]

DEFAULT = "default_policy.toml"
SAFETY_PARTS = ("housing", "heater", "brake", "valve", "smoke_sensor", "gas_sensor", "lock_bolt")
"""Parts whose failure may hurt somebody: a critical finding about one is never held out. A policy may name others."""
SAFETY_CLASSES = (
    "lock", "smoke_alarm", "smoke_detector", "co_alarm", "gas_detector", "water_leak_detector", "alarm", "medical_alert", "heater",
    "boiler", "stove", "ev_charger", "battery_storage",
)  # fmt: skip
"""What devices are to their users (`hearthwatch.records.models`), where nothing about them is ever held out. A policy may name others."""
SEVERITIES: tuple[SeverityName, ...] = ("info", "warning", "critical")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        raise ValueError("no such time zone") from None
    return name


def _served(address: str) -> str:
    if channel_of(address) is None:
        raise ValueError(f"no channel serves {address.split(':', 1)[0]}:")
    return address


def _failure_mode(mode: str) -> str:
    known = (*MODES, UNUSUAL.id, *LIVENESS_MODES)
    if mode not in known and not mode.endswith("failure"):
        raise ValueError(f"{mode!r} is no failure mode; there are {', '.join(known)}")
    return mode


Zone = Annotated[str, AfterValidator(_known_zone)]
Address = Annotated[str, AfterValidator(_served)]
FailureModeId = Annotated[str, AfterValidator(_failure_mode)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NoticeLimits(_Part):
    """How much a household and a round may get."""

    per_household_and_month: int = Field(4, ge=0)
    per_round: int = Field(250, ge=1)
    group_hours: float = Field(72, ge=0)
    remind_after_days: float = Field(7, gt=0)
    reminders: int = Field(2, ge=0)
    without_consent: tuple[Purpose, ...] = Field(("safety",), strict=False)


class QuietHours(_Part):
    """When nobody is written to, by the wall clock of the home. Equal times: no quiet hours."""

    start: time = Field(time(21), alias="from", strict=False)
    end: time = Field(time(8), alias="to", strict=False)
    timezone: Zone = "UTC"


class Engineers(_Part):
    """Where engineers' alerts go."""

    addresses: tuple[Address, ...] = Field((), strict=False)


class Suppression(_Part):
    """Device findings that go into a worse release's ticket."""

    anomaly_modes: tuple[str, ...] = Field(("reboots",), strict=False)
    prognosis_parts: tuple[str, ...] = Field(("controller",), strict=False)


class TicketTerms(_Part):
    """How soon tickets are due and when they close by themselves."""

    due_days: tuple[
        Annotated[float, Field(gt=0)],
        Annotated[float, Field(gt=0)],
        Annotated[float, Field(gt=0)],
        Annotated[float, Field(gt=0)],
    ] = Field((1, 3, 7, 14), strict=False)
    close_after_hours: float = Field(24, ge=0)
    keep_open_probability: float = Field(0.8, gt=0, le=1)
    settle_days: float = Field(3, ge=0)
    diagnostics: bool = True
    tell_customer: tuple[Literal["scheduled", "closed"], ...] = Field(("scheduled", "closed"), strict=False)


class HoldOut(_Part):
    """Of what share of findings nobody outside is told, to learn how often findings are right; never where safety is concerned.

    ``salt`` makes the draws those of this policy alone; a new one changes the draws of findings to come.
    """

    share: float = Field(0.0, ge=0, le=0.2)
    salt: str = Field("", max_length=64)
    safety_parts: tuple[str, ...] = Field(SAFETY_PARTS, strict=False)
    never_classes: tuple[str, ...] = Field(SAFETY_CLASSES, strict=False)
    never_models: tuple[str, ...] = Field((), strict=False)


class Rule(_Part):
    """One rule. Empty lists fit everything; ``severity`` and ``probability`` are lower bounds."""

    name: str = Field(min_length=1, max_length=120)
    kinds: tuple[Kind, ...] = Field((), strict=False)
    modes: tuple[FailureModeId, ...] = Field((), strict=False)
    parts: tuple[str, ...] = Field((), strict=False)
    models: tuple[str, ...] = Field((), strict=False)
    severity: SeverityName = "info"
    probability: float = Field(0, ge=0, le=1)
    hold_hours: float = Field(0, ge=0)
    notice: NoticeKind | None = None
    purpose: Purpose = "service"
    urgent: bool = False
    act_within_days: float = Field(14, gt=0)
    ticket: bool = False
    engineers: bool = False
    pause_rollout: bool = False

    @property
    def hold(self) -> timedelta:
        """How long a finding must have stood before this rule acts on it."""
        return timedelta(hours=self.hold_hours)

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if self.pause_rollout and set(self.kinds) != {"cohort"}:
            raise ValueError("pause_rollout is for rules of kind cohort alone")
        return self


class Policy(_Part):
    """A whole policy, checked."""

    name: str = Field(min_length=1, max_length=120)
    notices: NoticeLimits = NoticeLimits()
    quiet_hours: QuietHours = QuietHours()
    engineers: Engineers = Engineers()
    suppression: Suppression = Suppression()
    tickets: TicketTerms = TicketTerms()
    hold_out: HoldOut = HoldOut()
    rules: tuple[Rule, ...] = Field(min_length=1, strict=False)


@lru_cache(maxsize=16)
def parse(text: str) -> Policy:
    """A policy from its text. Raises `Invalid`, which names the key."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"not TOML: {error}", where="policy") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(step) for step in first["loc"])
        raise Invalid(first["msg"].removeprefix("Value error, "), where=f"policy: {key}") from None


def digest(text: str) -> str:
    """The fingerprint that tells versions of a policy apart; line ends and trailing blanks do not count."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def default_text() -> str:
    """The policy that comes with Hearthwatch."""
    return (resources.files("alerts") / DEFAULT).read_text(encoding="utf-8")
