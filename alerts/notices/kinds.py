"""The kinds of notices: what each is for, and whether it asks its reader to do something (at most one thing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["safety", "service"]
Cause = Literal["finding", "ticket", "campaign"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice. ``causes`` are what one may be about; ``asks`` says whether it asks for something.

    A notice for ``safety`` is written whatever the customer agreed to: the law asks for it (docs/notices.md).
    """

    name: str
    purpose: Purpose
    causes: tuple[Cause, ...]
    asks: bool


_ALL = (
    Kind("update", "service", ("finding",), asks=True),
    Kind("replacement", "service", ("finding",), asks=True),
    Kind("check_up", "service", ("finding",), asks=True),
    Kind("recall", "safety", ("campaign",), asks=True),
    Kind("advisory", "safety", ("campaign",), asks=True),
    Kind("all_clear", "service", ("finding", "campaign"), asks=False),
    Kind("ticket_update", "service", ("ticket",), asks=False),
    Kind("ticket_message", "service", ("ticket",), asks=False),
    Kind("approval", "service", ("ticket",), asks=True),
    Kind("survey", "service", ("ticket",), asks=True),
)

KINDS = {kind.name: kind for kind in _ALL}
OF_CAMPAIGNS = ("recall", "advisory")
OF_TICKETS = tuple(kind.name for kind in _ALL if "ticket" in kind.causes)
