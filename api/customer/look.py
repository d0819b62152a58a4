"""What a section of the customer's page is given: a look at the page, a button that was pressed, a file that came along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from alerts.customers.opening import Opened
from api.customer.speech import Speech
from hearthwatch.records.customer_links import CustomerLink
from hearthwatch.records.customers import Customer
from hearthwatch.settings import Settings
from hearthwatch.values import Notice, Ticket


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the page behind a link. ``query`` are the parameters of its address: ``step`` opens a form's second step."""

    connection: Connection
    opened: Opened
    now: datetime
    say: Speech
    query: Mapping[str, str]
    settings: Settings
    path: str
    wanted: str | None
    """The language the reader chose, as the address says it; None where the customer's own is spoken."""

    @property
    def link(self) -> CustomerLink:
        """The link that was opened."""
        return self.opened.link

    @property
    def customer(self) -> Customer:
        """Whose link it is."""
        return self.opened.customer

    @property
    def notice(self) -> Notice | None:
        """The notice it is about, if it is about one."""
        return self.opened.notice

    @property
    def ticket(self) -> Ticket | None:
        """The ticket it is about, if it is about one."""
        return self.opened.ticket

    @property
    def device_ids(self) -> tuple[str, ...]:
        """The devices it is about; of a link to the customer's own page, all of theirs."""
        return self.opened.device_ids

    def address(self, **query: str) -> str:
        """The page's own address with other parameters, in the chosen language."""
        chosen = {"lang": self.wanted} if self.wanted else {}
        asked = urlencode({**chosen, **query})
        return self.path + (f"?{asked}" if asked else "")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form: as the sender named it and said it is, which is a claim."""

    field: str
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed, with what its form held. The nonce was good and is used up."""

    look: Look
    action: str
    fields: Mapping[str, str]
    files: Sequence[Upload]

    @property
    def connection(self) -> Connection:
        """The transaction in which it acts."""
        return self.look.connection

    @property
    def now(self) -> datetime:
        """When it was pressed."""
        return self.look.now

    @property
    def actor(self) -> str:
        """Who pressed it, as ledgers name them."""
        return self.look.opened.actor


@dataclass(frozen=True, slots=True)
class Farewell:
    """What is said back where the link opens nothing any more after what was done: two sentences in English, marked with `phrase`."""

    title: str
    note: str


Act = Callable[[Press], str | Farewell | None]
"""Does what a button says, in the transaction; returns the key of the sentence (`Section.said`) to say back, a `Farewell`, or None.

Raises `Conflict`, `Denied` or `Invalid` where it can not be done: the page is then shown as it is, and says so.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: what it shows on a link, and what its buttons do.

    ``show`` returns what the template ``customer/<name>.html`` needs, or None where this link has nothing of it. The template also has
    ``say`` (the customer's language), ``look``, ``form`` (where its form posts to) and ``nonce`` (a hidden field of it). With a true
    ``asks`` in what it shows it stands right below the letter: we wait for the reader's answer.
    ``acts`` are by the values of its buttons named ``action``, unique over all sections. ``said`` are sentences said back, by key.
    ``steps``: where the address has one of these as ``step``, this section stands on the page alone.
    """

    name: str
    show: Callable[[Look], Mapping[str, Any] | None]
    acts: Mapping[str, Act] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[str] = ()


def phrase(sentence: str) -> str:
    """The sentence itself: marks one that is said later, so that its translation is asked for."""
    return sentence
