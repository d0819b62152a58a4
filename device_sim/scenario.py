"""Scenario files: what a simulated fleet is made of and what happens to it. TOML, typed, validated; see ``scenarios/default.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hearthwatch.errors import Invalid

Kind = Literal["lock", "plug", "thermostat", "camera"]
KINDS: tuple[Kind, ...] = ("lock", "plug", "thermostat", "camera")

FaultMode = Literal["battery_fade", "motor_wear", "relay_wear", "sensor_drift", "wifi_failing", "memory_leak"]
FAULT_MODES_OF: Mapping[Kind, tuple[FaultMode, ...]] = {
    "lock": ("battery_fade", "motor_wear", "wifi_failing"),
    "plug": ("relay_wear", "wifi_failing", "memory_leak"),
    "thermostat": ("sensor_drift", "wifi_failing", "memory_leak"),
    "camera": ("wifi_failing", "memory_leak"),
}
"""Faults that each kind of device can develop here."""

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0)]
Range = tuple[float, float]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}") from None
    return name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Part):
    """A place with one weather: temperatures in °C, latitude in degrees, ``share`` of all homes."""

    name: str
    city: str
    timezone: Annotated[str, AfterValidator(_known_zone)]
    language: str
    share: Share
    latitude: Annotated[float, Field(ge=-65, le=65)]
    mean_c: float
    seasonal_c: Rate
    diurnal_c: Rate
    weather_c: Rate


class ModelPlan(_Part):
    """One model of the fleet. Reboot rates are unexpected reboots per device-day; frailty is the sigma of a lognormal of mean 1."""

    kind: Kind
    name: str
    devices: Annotated[int, Field(ge=0)]
    firmware: str
    earlier_firmware: str
    hardware: dict[str, Share]
    reboots_per_day: Rate
    reboot_frailty: Annotated[float, Field(ge=0, le=2)]


class FaultPlan(_Part):
    """``count`` devices of a kind that develop a fault. Days count from the scenario's start."""

    mode: FaultMode
    kind: Kind
    count: Annotated[int, Field(ge=0)]
    onset_days: Range
    develops_days: Range

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mode not in FAULT_MODES_OF[self.kind]:
            raise ValueError(f"a {self.kind} does not develop {self.mode}")
        for name, (low, high) in (("onset_days", self.onset_days), ("develops_days", self.develops_days)):
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be two numbers, 0 <= low <= high")
        return self


class Wave(_Part):
    """One wave of a roll-out: ``day`` after the first wave, and the share of the model that has been offered the update by then."""

    day: Rate
    share: Share


class ReleasePlan(_Part):
    """A firmware release. ``reboot_ratio`` multiplies the unexpected reboots of a device that runs it; ``fixed_by`` repairs that."""

    kind: Kind
    version: str
    day: Rate
    waves: Annotated[tuple[Wave, ...], Field(min_length=1)]
    reboot_ratio: Annotated[float, Field(gt=0)] = 1.0
    fixed_by: str | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        pairs = list(zip(self.waves, self.waves[1:], strict=False))
        if any(later.day <= earlier.day or later.share < earlier.share for earlier, later in pairs):
            raise ValueError("waves must come one after the other and their shares must not fall")
        return self


class WirePlan(_Part):
    """What goes wrong on the way: shares of messages, and rates per home-day."""

    duplicate_share: Share
    home_outages_per_day: Rate
    outage_hours: Range
    power_cut_share: Share
    malformed_devices: Annotated[int, Field(ge=0)]


class HistoryPlan(_Part):
    """The past service history of another fleet of the same models. ``failures`` is how many each part has, over all kinds."""

    days: Annotated[int, Field(ge=30)]
    devices: dict[Kind, Annotated[int, Field(ge=0)]]
    failures: dict[FaultMode, Annotated[int, Field(ge=0)]]
    develops_days: Range
    sudden_share: Share
    removed_per_year: Share
    installed_meanwhile: Share
    sample_hours: Annotated[int, Field(ge=1, le=6)]


class Scenario(_Part):
    """A whole scenario."""

    name: str
    start: AwareDatetime
    days: Annotated[int, Field(ge=1)]
    step_hours: Annotated[float, Field(gt=0, le=24)]
    sample_minutes: Annotated[float, Field(gt=0, le=240)]
    devices_per_home: Annotated[float, Field(ge=1, le=20)]
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]
    models: Annotated[tuple[ModelPlan, ...], Field(min_length=1)]
    faults: tuple[FaultPlan, ...] = ()
    releases: tuple[ReleasePlan, ...] = ()
    wire: WirePlan
    history: HistoryPlan

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        kinds = [model.kind for model in self.models]
        if len(set(kinds)) != len(kinds):
            raise ValueError("models: each kind may appear once")
        wanted = [(f"faults.{number}", fault.kind) for number, fault in enumerate(self.faults)]
        wanted += [(f"releases.{number}", release.kind) for number, release in enumerate(self.releases)]
        for place, kind in wanted:
            if kind not in kinds:
                raise ValueError(f"{place}.kind: the fleet has no {kind}")
        if not (self.step_hours * 60 / self.sample_minutes).is_integer():
            raise ValueError("step_hours must hold a whole number of sample_minutes")
        return self

    @property
    def step(self) -> timedelta:
        """How far the fleet moves at a time."""
        return timedelta(hours=self.step_hours)

    @property
    def sample(self) -> timedelta:
        """The time between two samples of a device."""
        return timedelta(minutes=self.sample_minutes)

    @property
    def devices(self) -> int:
        """The size of the fleet."""
        return sum(model.devices for model in self.models)

    def model(self, kind: Kind) -> ModelPlan:
        """The plan of one kind. Raises `Invalid` when the fleet has none."""
        for model in self.models:
            if model.kind == kind:
                return model
        raise Invalid(f"the fleet has no {kind}", where="models")

    def scaled(self, *, devices: int | None = None, days: int | None = None) -> Scenario:
        """The same story with another number of devices or days.

        Devices are shared out in proportion, planted faults never exceed a quarter of a kind. In fewer days everything that happens
        moves together (onsets, development and waves shrink in proportion); more days add quiet ones at the end.
        """
        changed = self if devices is None or devices == self.devices else _with_devices(self, devices)
        if days is None or days == self.days:
            return changed
        changed = changed.model_copy(update={"days": days})
        return changed if days > self.days else _compressed(changed, days / self.days)


def _with_devices(scenario: Scenario, devices: int) -> Scenario:
    if devices < 1:
        raise Invalid("a fleet has at least one device", where="devices")
    exact = [model.devices * devices / max(1, scenario.devices) for model in scenario.models]
    counts = [int(part) for part in exact]
    by_rest = sorted(range(len(exact)), key=lambda index: counts[index] - exact[index])
    for index in by_rest[: devices - sum(counts)]:
        counts[index] += 1
    models = tuple(
        model.model_copy(update={"devices": count}) for model, count in zip(scenario.models, counts, strict=True)
    )
    room = {model.kind: model.devices // 4 for model in models}
    faults = []
    for fault in scenario.faults:
        count = min(fault.count, room[fault.kind])
        room[fault.kind] -= count
        faults.append(fault.model_copy(update={"count": count}))
    return scenario.model_copy(update={"models": models, "faults": tuple(faults)})


def _compressed(scenario: Scenario, factor: float) -> Scenario:
    def shrunk(span: Range) -> Range:
        return span[0] * factor, span[1] * factor

    faults = tuple(
        fault.model_copy(update={"onset_days": shrunk(fault.onset_days), "develops_days": shrunk(fault.develops_days)})
        for fault in scenario.faults
    )
    releases = tuple(
        release.model_copy(
            update={
                "day": release.day * factor,
                "waves": tuple(wave.model_copy(update={"day": wave.day * factor}) for wave in release.waves),
            }
        )
        for release in scenario.releases
    )
    return scenario.model_copy(update={"faults": faults, "releases": releases})


def load_scenario(path: Path | None = None) -> Scenario:
    """Read a scenario file; None gives the default one of this package. Raises `Invalid`, which names the file and the key."""
    if path is None:
        return _parse(resources.files("device_sim").joinpath("scenarios/default.toml").read_text(), "default.toml")
    try:
        return _parse(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise Invalid("is not UTF-8 text", where=str(path)) from None


def _parse(text: str, file: str) -> Scenario:
    try:
        given: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"is not TOML: {error}", where=file) from None
    try:
        return Scenario.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        message = "there is no such key" if unknown else first["msg"].removeprefix("Value error, ")
        raise Invalid(message, where=f"{file}: {key}" if key else file) from None
