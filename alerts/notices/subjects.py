"""What a notice is about, as values that letters are written from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cost:
    """Who pays: ``covered`` says whether a warranty lasts (None: nobody knows), ``until`` its end, ``price`` what it costs otherwise.

    ``price`` is written as the reader shall see it (``39 EUR``); None where it is not known yet.
    """

    covered: bool | None = None
    until: datetime | None = None
    price: str | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """A further device of the household that a letter mentions, and what is wrong with it; of a replacement: which part, and who pays."""

    device: str
    product: str
    mode: str
    kind: str = "check_up"
    part: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notice is about. ``kind`` is one of `alerts.notices.kinds` that is no campaign's; ``mode`` a failure mode.

    ``version`` is the release that helps, where there is one; ``whole_release`` says that the model's software is at fault, not the device.
    ``part`` is what is to be replaced and ``cost`` who pays for it; ``also`` are further devices of the household.
    ``over`` is what an all-clear is about (a key of `phrases.ALL_CLEAR`), ``code`` how a ticket was closed, ``visit_at`` when a technician
    comes, ``words`` an agent's own, ``remedy`` what the customer is asked to agree to. ``event`` is what happened to a ticket (merged,
    reopened, recovered; None: by code and visit), ``number`` the ticket's.
    """

    kind: str
    mode: str
    product: str
    devices: tuple[str, ...]
    act_by: datetime | None = None
    version: str | None = None
    whole_release: bool = False
    reminder: bool = False
    code: str | None = None
    visit_at: datetime | None = None
    part: str | None = None
    cost: Cost | None = None
    also: tuple[Concern, ...] = ()
    over: str | None = None
    words: str = ""
    remedy: str | None = None
    event: str | None = None
    number: int | None = None
