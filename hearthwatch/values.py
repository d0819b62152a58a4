"""The frozen values that pass between stages. Times are timezone-aware datetimes in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

DEVICE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

# -- what came over the wire ------------------------------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True, gc=False):
    """One MQTT message as received. ``user`` is the broker's name for the sender, where the broker tells it.

    ``redelivered``: the broker may have sent it before, then under the same ``packet_id``. A struct for the reason `Reading` is one.
    """

    topic: str
    payload: bytes
    received_at: datetime
    retain: bool = False
    qos: int = 1
    user: str | None = None
    packet_id: int = 0
    redelivered: bool = False


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One sample of a device. Key: (device, stream, at); without a device clock (device, boot, seq), see `clockless`.

    ``stream`` is a convention's message kind (``native``, ``tasmota/SENSOR``), so that two messages in one second are two readings.
    ``firmware`` is the verbatim string, or None where the device did not say; metrics hold finite numbers in the unit of their name.
    A struct and no dataclass, because there are hundreds of thousands a second: it is made in a tenth of the time.
    """

    device: str
    stream: str
    at: datetime
    metrics: Mapping[str, float]
    firmware: str | None = None
    boot: str | None = None
    seq: int | None = None
    clockless: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a device: ``kind`` (reboot, update, fault, ...) and a ``code`` (watchdog, panic, ...)."""

    device: str
    stream: str
    at: datetime
    kind: str
    code: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    firmware: str | None = None
    boot: str | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """A device came or went. A last will has no time of its own: ``at`` is then when it was received."""

    device: str
    stream: str
    at: datetime
    online: bool
    boot: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device claims about itself.

    ``hardware_address`` is burnt into its hardware, in one spelling whichever convention tells it: a MAC address as twelve lower-case
    digits, an IEEE address (EUI-64) as ``0x`` and sixteen; None where the message does not say. ``told_as`` is the id that the convention
    gives the device, where ``device`` is another because the ids were joined; ``told_by`` is who sent it, as far as topic or broker say.
    """

    device: str
    at: datetime
    model: str | None = None
    hardware: str | None = None
    firmware: str | None = None
    serial: str | None = None
    made: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    convention: str = "native"
    hardware_address: str | None = None
    told_as: str | None = None
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A device's answer to a command, matched by the command's ``id``.

    A convention that carries no id gives an empty one and says the ``kind`` of the command: the newest that waits is meant.
    """

    device: str
    at: datetime
    id: str
    ok: bool
    detail: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""


Value = Reading | Event | Presence | Identity | Reply


@dataclass(frozen=True, slots=True)
class Rejection:
    """A part of a message that could not be taken in: one metric, one sample, or (``part`` empty) all of it.

    ``samples`` is how many samples of the ledger it stands for: 0 for a single bad metric of a sample that was kept.
    """

    reason: str
    part: str = ""
    device: str | None = None
    samples: int = 1


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a convention made of one message: values, parts it rejected, or a reason why it holds nothing for us.

    ``refused`` samples are left out without being kept: those of devices that are not taken in.
    """

    values: tuple[Value, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    ignored: str | None = None
    refused: int = 0


# -- what a store answers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriteResult:
    """How many values of a batch were new and how many the store already had; ``repeated`` are the places of the latter in the batch.

    Tables of history do not say which.
    """

    stored: int
    duplicate: int
    repeated: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open interval of time, [since, until)."""

    since: datetime
    until: datetime


# -- rows of the records ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the registry knows it. ``firmware`` is verbatim; ``version`` is it normalised."""

    id: str
    model: str | None
    hardware: str | None
    firmware: str | None
    version: str | None
    serial: str | None
    made: datetime | None
    installed_at: datetime | None
    removed_at: datetime | None
    region: str | None
    convention: str | None
    test: bool
    online: bool | None
    boot: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    revision: int


Assignment = Literal["randomised", "staged", "unknown"]


@dataclass(frozen=True, slots=True)
class Release:
    """A firmware release of one model; ``fixes`` names finding modes or versions it repairs; ``replaces`` is its control.

    ``image_url`` is where devices fetch it, ``image_sha256`` what they check it by, in hexadecimal.
    """

    id: int
    model: str
    version: str
    replaces: str | None
    assignment: Assignment
    fixes: tuple[str, ...]
    released_at: datetime
    status: str
    revision: int
    image_url: str | None = None
    image_sha256: str | None = None


Severity = Literal["info", "warning", "critical"]
SubjectType = Literal["device", "release", "group"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a detector saw once, before it is joined to a finding. ``mode`` is the failure mode (battery_fade, reboots, ...).

    ``subject`` is a device id, ``release:<id>`` or ``group:<model>/<firmware>``. ``evidence`` is JSON: always ``metrics`` (names that
    caused it, strongest first) and ``reasons`` (list of {"text_key", "values"} or plain sentences).
    """

    kind: Literal["anomaly", "prognosis", "cohort", "incident", "mismatch"]
    subject_type: SubjectType
    subject: str
    mode: str
    severity: Severity
    at: datetime
    evidence: Mapping[str, Any]
    probability: float | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A lasting result. Key: (kind, subject, mode, episode). ``state``: open, acknowledged, expected, recovered."""

    id: int
    kind: str
    subject_type: str
    subject: str
    mode: str
    episode: int
    severity: str
    state: str
    part: str | None
    probability: float | None
    evidence: Mapping[str, Any]
    first_seen: datetime
    last_seen: datetime
    recovered_at: datetime | None
    muted_until: datetime | None
    revision: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to a customer. ``state``: observed, waiting, held, queued, sent, failed, suppressed, cancelled.

    ``cause`` is what it is about (``finding:12``, ``ticket:5``, ``campaign:3``); the ids name whatever of these it has to do with.
    """

    id: int
    cause: str
    finding_id: int | None
    ticket_id: int | None
    campaign_id: int | None
    customer_id: str
    home_id: str | None
    device_id: str
    kind: str
    language: str
    subject: str
    body: str
    state: str
    reason: str | None
    created_at: datetime
    send_after: datetime
    sent_at: datetime | None
    answer: str | None
    policy_version: int
    why: Mapping[str, Any] | None
    revision: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A service ticket. ``state``: open, assigned, in_progress, scheduled, waiting, closed.

    ``cause`` is unique over all tickets; of those that share its ``stem`` (the cause without its number) one is open at a time.
    ``waiting_for`` is customer, part, approval or third_party. ``remedy_price`` is what the customer pays, in minor units of
    ``remedy_currency`` (cents, fen); ``approved_until`` is how long their agreement to it holds. ``failed_at`` is when the failure really
    happened, where somebody knew. ``merged_into`` is the ticket that goes on in this one's place.
    """

    id: int
    cause: str
    kind: str
    title: str
    state: str
    priority: int
    finding_id: int | None
    parent_id: int | None
    device_id: str | None
    customer_id: str | None
    home_id: str | None
    model: str | None
    part: str | None
    technician_id: str | None
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    closing_code: str | None
    closing_part: str | None
    closing_note: str | None
    closed_by: str | None
    revision: int
    stem: str = ""
    source: str = "policy"
    mode: str | None = None
    merged_into: int | None = None
    waiting_for: str | None = None
    waiting_until: datetime | None = None
    resumes_as: str | None = None
    visit_at: datetime | None = None
    remedy: str | None = None
    remedy_price: int | None = None
    remedy_currency: str | None = None
    approved_until: datetime | None = None
    failed_at: datetime | None = None


CLOSING_CODES = (
    "confirmed",
    "no_fault_found",
    "different_fault",
    "user_error",
    "environment",
    "fixed_by_update",
    "recovered",
    "customer_declined",
    "not_customers_device",
    "duplicate",
)
"""How a ticket may be closed: its outcome. ``confirmed`` and ``different_fault`` are failures for training, ``no_fault_found`` is their
opposite; ``user_error`` and ``environment`` are neither (`docs/tickets.md`)."""
