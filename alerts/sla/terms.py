"""What a policy promises: the `[sla]` section of its text, checked key by key.

The first term that fits a ticket decides, and no other. So that nobody is surprised by which one that is, terms are refused where the
order hides a decision: a term that never applies, and two that fit the same tickets where neither is a special case of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from alerts.channels.addresses import channel_of
from alerts.sla.calendar import BusinessCalendar, Holidays, Shift, always
from hearthwatch.errors import Invalid
from hearthwatch.said import Said

ClockName = Literal["first_response", "update", "periodic_update", "resolution"]
CLOCKS: tuple[ClockName, ...] = get_args(ClockName)
WaitingFor = Literal["customer", "approval", "part", "third_party", "scheduled"]
"""What a ticket may wait for; `scheduled`: a visit is agreed on."""
Warranty = Literal["in", "out", "unknown"]
TicketKind = Literal["device", "cohort", "request"]
SafetyClass = Literal["none", "property", "injury"]

ALWAYS = "always"
"""The calendar that never closes; there without being named."""
TECHNICIAN, TEAM, LEAD, ENGINEERS = "technician", "team", "lead", "engineers"
ROLES = frozenset({TECHNICIAN, TEAM, LEAD, ENGINEERS})
DUE_DAYS = "due_days"
"""The term of tickets that no term fits: resolution within `tickets.due_days`, around the clock."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CONDITIONS = ("priorities", "kinds", "models", "device_classes", "safety_classes", "warranty", "regions", "groups")
_LONGEST_HOURS = 24 * 366 * 5
_LEVELS_KEPT = 4096


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name is an OSError
        raise ValueError(Said("no such time zone")) from None
    return name


def _shift(text: Any) -> Any:
    if isinstance(text, Shift):
        return text
    try:
        opens, closes = (time.fromisoformat("00:00" if one == "24:00" else one) for one in str(text).split("-"))
    except ValueError:
        raise ValueError(Said("{text} is no time of opening such as 09:00-12:30", text=repr(text))) from None
    return Shift(opens, closes)


def _in_order(shifts: tuple[Shift, ...]) -> tuple[Shift, ...]:
    for one, other in pairwise(shifts):
        if one.closes <= one.opens or other.opens < one.closes:
            raise ValueError(Said("{later} begins before {earlier} ends", later=_said(other), earlier=_said(one)))
    return shifts


def _said(shift: Shift) -> str:
    return f"{shift.opens:%H:%M}-{shift.closes:%H:%M}"


def _receiver(name: str) -> str:
    if name not in ROLES and channel_of(name) is None:
        raise ValueError(
            Said("neither one of {roles} nor an address that a channel serves", roles=", ".join(sorted(ROLES)))
        )
    return name


def _address(address: str) -> str:
    if channel_of(address) is None:
        raise ValueError(Said("no channel serves {scheme}:", scheme=address.split(":", 1)[0]))
    return address


def _by_priority(value: Any) -> Any:
    return (value,) * 4 if isinstance(value, int | float) and not isinstance(value, bool) else value


Shifts = Annotated[
    tuple[Annotated[Shift, BeforeValidator(_shift)], ...], AfterValidator(_in_order), Field(strict=False)
]
Address = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[tuple[Address, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Hours = Annotated[float, Field(ge=0, le=_LONGEST_HOURS)]
Targets = Annotated[tuple[Hours, Hours, Hours, Hours], BeforeValidator(_by_priority), Field(strict=False)]
"""Business hours by priority, or one number for all; 0: nothing is promised."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CalendarTerms(_Part):
    """A business calendar as a policy writes it: hours of the workdays (Monday to Friday) and of single weekdays, holidays, own dates."""

    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    workdays: Shifts = ()
    mon: Shifts | None = None
    tue: Shifts | None = None
    wed: Shifts | None = None
    thu: Shifts | None = None
    fri: Shifts | None = None
    sat: Shifts | None = None
    sun: Shifts | None = None
    country: str | None = Field(None, max_length=8)
    subdivision: str | None = Field(None, max_length=16)
    closed: Annotated[tuple[Annotated[date, Field(strict=False)], ...], Field(strict=False)] = ()
    days: dict[Annotated[date, Field(strict=False)], Shifts] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> CalendarTerms:
        if self.subdivision and not self.country:
            raise ValueError(Said("a subdivision belongs to a country: name it, too"))
        if not any(self.week):
            raise ValueError(Said("is never open: give it hours"))
        twice = sorted(set(self.closed) & set(self.days))
        if twice:
            raise ValueError(Said("{day} is closed and has hours", day=twice[0]))
        try:
            self._holidays()
        except Invalid as unknown:
            raise ValueError(unknown.message) from None
        return self

    @property
    def week(self) -> tuple[tuple[Shift, ...], ...]:
        """Opening hours from Monday to Sunday."""
        given = [getattr(self, name) for name in WEEKDAYS]
        usual: list[tuple[Shift, ...]] = [self.workdays] * 5 + [()] * 2
        return tuple(use if own is None else own for own, use in zip(given, usual, strict=True))

    def built(self, name: str) -> BusinessCalendar:
        """The calendar itself."""
        days: dict[date, tuple[Shift, ...]] = {**dict.fromkeys(self.closed, ()), **self.days}
        return BusinessCalendar(name, ZoneInfo(self.timezone), self.week, self._holidays(), days)

    def _holidays(self) -> Holidays | None:
        return Holidays(self.country.upper(), self.subdivision) if self.country else None


class Pauses(_Part):
    """Which clocks stand still while a ticket waits, and for what."""

    update: Annotated[tuple[WaitingFor, ...], Field(strict=False)] = ()
    periodic_update: Annotated[tuple[WaitingFor, ...], Field(strict=False)] = ("customer", "approval")
    resolution: Annotated[tuple[WaitingFor, ...], Field(strict=False)] = ("customer", "approval")

    def of(self, clock: ClockName) -> frozenset[str]:
        """For what waiting stops a clock. The first response waits for nothing: the customer heard nothing yet."""
        return frozenset() if clock == "first_response" else frozenset(getattr(self, clock))


class Escalation(_Part):
    """Who hears of a promise that was broken, ``after_hours`` of business time after that."""

    after_hours: Hours = 0
    to: Annotated[tuple[Annotated[str, AfterValidator(_receiver)], ...], Field(strict=False, min_length=1)]
    clocks: Annotated[tuple[ClockName, ...], Field(strict=False)] = CLOCKS
    priorities: Annotated[tuple[Annotated[int, Field(ge=1, le=4)], ...], Field(strict=False)] = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the choice of a term looks at.

    ``groups`` are attributes of the device as ``name=value``; a term's ``pilot`` means ``group=pilot``.
    """

    priority: int
    kind: str = "device"
    model: str | None = None
    device_class: str | None = None
    safety_class: str | None = None
    warranty: Warranty = "unknown"
    region: str | None = None
    groups: tuple[str, ...] = ()


class Term(_Part):
    """One promise and whom it is made to. Empty lists fit everything; hours are business hours of the calendar."""

    name: str = Field(min_length=1, max_length=80)
    calendar: str = ALWAYS
    priorities: Annotated[tuple[Annotated[int, Field(ge=1, le=4)], ...], Field(strict=False)] = ()
    kinds: Annotated[tuple[TicketKind, ...], Field(strict=False)] = ()
    models: Names = ()
    device_classes: Names = ()
    safety_classes: Annotated[tuple[SafetyClass, ...], Field(strict=False)] = ()
    warranty: Annotated[tuple[Warranty, ...], Field(strict=False)] = ()
    regions: Names = ()
    groups: Names = ()
    first_response_hours: Targets = (0, 0, 0, 0)
    update_hours: Targets = (0, 0, 0, 0)
    update_every_hours: Targets = (0, 0, 0, 0)
    resolution_hours: Targets = (0, 0, 0, 0)

    def fits(self, facts: Facts) -> bool:
        """Whether a ticket is one that this is promised to."""
        single = (
            (self.priorities, facts.priority),
            (self.kinds, facts.kind),
            (self.models, facts.model),
            (self.device_classes, facts.device_class),
            (self.safety_classes, facts.safety_class),
            (self.warranty, facts.warranty),
            (self.regions, facts.region),
        )
        named = {one if "=" in one else f"group={one}" for one in self.groups}
        return all(not wanted or value in wanted for wanted, value in single) and (
            not named or bool(named & set(facts.groups))
        )

    def target(self, clock: ClockName, priority: int) -> timedelta | None:
        """Within what business time, or None where nothing is promised."""
        hours = {
            "first_response": self.first_response_hours,
            "update": self.update_hours,
            "periodic_update": self.update_every_hours,
            "resolution": self.resolution_hours,
        }[clock][priority - 1]
        return timedelta(hours=hours) if hours else None

    def conditions(self) -> dict[str, frozenset[Any]]:
        """What it is limited to, by key; what is absent is not limited."""
        return {key: frozenset(getattr(self, key)) for key in _CONDITIONS if getattr(self, key)}


@dataclass(frozen=True, slots=True)
class Level:
    """What is promised for one ticket: the term, its calendar, targets in business time, what pauses which clock, and in which calendar's
    hours staff are told of it."""

    term: str
    calendar: BusinessCalendar
    targets: Mapping[ClockName, timedelta | None]
    pauses: Mapping[ClockName, frozenset[str]]
    told_in: BusinessCalendar
    afresh: bool = True


class SlaTerms(_Part):
    """The whole `[sla]` section. Without terms, tickets are due by `tickets.due_days`."""

    language: Literal["en", "zh_Hans"] = "en"
    told_in: str | None = None
    reminders: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(strict=False, max_length=5)] = (0.8,)
    reopened: Literal["afresh", "continue"] = "afresh"
    team: Addresses = ()
    lead: Addresses = ()
    technicians: dict[str, Addresses] = Field(default_factory=dict)
    pauses: Pauses = Pauses()
    calendars: dict[Annotated[str, Field(min_length=1, max_length=40)], CalendarTerms] = Field(default_factory=dict)
    terms: Annotated[tuple[Term, ...], Field(strict=False)] = ()
    escalations: Annotated[tuple[Escalation, ...], Field(strict=False)] = (
        Escalation(after_hours=0, to=(TECHNICIAN, TEAM)),
        Escalation(after_hours=8, to=(LEAD,)),
    )
    _built: dict[str, BusinessCalendar] = PrivateAttr(default_factory=dict)
    _levels: dict[tuple[Facts, tuple[float, ...]], Level] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self, _info: ValidationInfo) -> SlaTerms:
        if ALWAYS in self.calendars:
            raise ValueError(Said("a calendar called {name} is there already: it never closes", name=ALWAYS))
        if self.told_in is not None and self.told_in not in {ALWAYS, *self.calendars}:
            raise ValueError(Said("told_in: there is no calendar {name}", name=repr(self.told_in)))
        for term in self.terms:
            if term.calendar not in {ALWAYS, *self.calendars}:
                raise ValueError(
                    Said("term {term}: there is no calendar {name}", term=repr(term.name), name=repr(term.calendar))
                )
        _refuse_same_names(self.terms)
        _refuse_overlaps(self.terms)
        return self

    def calendar(self, name: str) -> BusinessCalendar:
        """A calendar by its name."""
        if name not in self._built:
            self._built[name] = always() if name == ALWAYS else self.calendars[name].built(name)
        return self._built[name]

    def level(self, facts: Facts, due_days: Sequence[float]) -> Level:
        """What is promised for a ticket: by the first term that fits it, else resolution within ``due_days`` by priority."""
        asked = (facts, tuple(due_days))
        if asked not in self._levels:
            if len(self._levels) >= _LEVELS_KEPT:
                self._levels.clear()
            self._levels[asked] = self._level(facts, due_days)
        return self._levels[asked]

    def _level(self, facts: Facts, due_days: Sequence[float]) -> Level:
        pauses = {clock: self.pauses.of(clock) for clock in CLOCKS}
        afresh = self.reopened == "afresh"
        term = next((one for one in self.terms if one.fits(facts)), None)
        if term is None:
            days: dict[ClockName, timedelta | None] = {"resolution": timedelta(days=due_days[facts.priority - 1])}
            name, targets, calendar = DUE_DAYS, days, ALWAYS
        else:
            name, calendar = term.name, term.calendar
            targets = {clock: term.target(clock, facts.priority) for clock in CLOCKS}
        told_in = self.calendar(self.told_in or calendar)
        return Level(name, self.calendar(calendar), targets, pauses, told_in, afresh)


def _refuse_same_names(terms: Sequence[Term]) -> None:
    names = [term.name for term in terms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(Said("two terms are called {name}", name=repr(twice)))
    if DUE_DAYS in names:
        raise ValueError(Said("{name} is the name of what holds where no term fits", name=repr(DUE_DAYS)))


Box = Mapping[str, frozenset[Any]]


def _refuse_overlaps(terms: Sequence[Term]) -> None:
    """Refuse terms whose order hides a decision."""
    boxes = [term.conditions() for term in terms]
    for index, late in enumerate(boxes):
        for before, early in enumerate(boxes[:index]):
            shared = _shared(early, late)
            names = {"first": repr(terms[before].name), "second": repr(terms[index].name)}
            if shared is not None and _covers(early, late):
                raise ValueError(
                    Said(
                        "terms {first} and {second}: the second never applies, the first fits all of its tickets",
                        **names,
                    )
                )
            if shared is None or _covers(late, early):
                continue
            if not any(_covers(other, shared) for other in boxes[:before]):
                raise ValueError(
                    Said(
                        "terms {first} and {second} both fit tickets with {shared}: say by a term before them what holds there",
                        **names,
                        shared=_told(shared),
                    )
                )


def _shared(one: Box, other: Box) -> Box | None:
    """What both are limited to; None where no ticket fits both."""
    shared = {key: _both(one.get(key), other.get(key)) for key in {*one, *other}}
    return None if any(not values for values in shared.values()) else shared


def _both(one: frozenset[Any] | None, other: frozenset[Any] | None) -> frozenset[Any]:
    if one is None or other is None:
        return one or other or frozenset()
    return one & other


def _covers(wide: Box, narrow: Box) -> bool:
    """Whether whatever fits ``narrow`` fits ``wide``."""
    return all(key in narrow and narrow[key] <= values for key, values in wide.items())


def _told(box: Box) -> str:
    return ", ".join(f"{key} {_listed(box[key])}" for key in _CONDITIONS if key in box)


def _listed(values: Iterable[Any]) -> str:
    return "/".join(sorted(str(value) for value in values))
