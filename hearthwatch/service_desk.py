"""What passes between a ticket here and its mirror in an outside service desk: plain values, in neither side's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

DeskState = Literal["open", "waiting", "closed", "merged", "gone"]
"""``merged``: the desk put it into another ticket of its own; ``gone``: the desk has deleted it."""
WordKind = Literal["note", "reply", "message", "change"]
"""``note``: for staff alone; ``reply``: went to the customer; ``message``: came from them; ``change``: what was done with the ticket."""


@dataclass(frozen=True, slots=True)
class DeskWord:
    """Something said or done. ``id`` grows in the order things happened: an event of our ledger, or the desk's own number.

    ``delivered``: the customer has it already, from the desk.
    """

    id: int
    at: datetime
    kind: WordKind
    author: str
    text: str
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class DeskCustomer:
    """Whose device it is, where the maker lets the desk know."""

    name: str
    mail: str


@dataclass(frozen=True, slots=True)
class DeskCase:
    """A ticket as a desk is to show it. ``reference`` is ours, unique over all installations; ``priority`` is 1 (now) to 4.

    ``words`` are those the desk has not been told yet, oldest first; ``url`` leads staff back to the ticket's page.
    """

    reference: str
    title: str
    state: DeskState
    priority: int
    url: str
    words: tuple[DeskWord, ...]
    customer: DeskCustomer | None = None
    outcome: str | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class DeskPlace:
    """Where a ticket stands in a desk. ``told`` is the state the desk was told last."""

    id: str
    number: str
    url: str
    told: DeskState


@dataclass(frozen=True, slots=True)
class DeskSide:
    """A mirror as the desk has it: its state, the words that others than we wrote after ``seen``, and how it was closed.

    ``outcome`` and ``part`` are as the desk's people wrote them, unchecked. ``seen`` is what to ask on from next time.
    ``waits_until`` is when the desk looks at a waiting ticket again.
    """

    state: DeskState
    words: tuple[DeskWord, ...]
    seen: int
    outcome: str | None = None
    part: str | None = None
    waits_until: datetime | None = None
