"""A desk of the maker's own behind a signed webhook: it is posted what happened, and posts back what its people did.

Signed both ways as the Standard Webhooks specification says (`alerts.channels.signing`). The schema of both directions stands in
docs/mirrors.md; what comes back is read by `read_report`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.channels import signing
from alerts.channels.http import SECONDS, ask
from hearthwatch.errors import Invalid, Missing, Refused, Unavailable
from hearthwatch.ports import Clock
from hearthwatch.service_desk import DeskCase, DeskPlace, DeskSide, DeskWord

NAME = "webhook"
SCHEMES = {"webhook": "http", "webhooks": "https"}
EVENT = "ticket.mirrored"
"""The type of what is posted."""


class WebhookDesk:
    """One address: ``webhooks://host[:port]/path`` (``webhook://`` without TLS)."""

    name = NAME

    def __init__(self, address: str, secret: str, clock: Clock, *, seconds: float = SECONDS) -> None:
        """Raises `Invalid` for an address or a secret that is none."""
        parts = urlsplit(address)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.username:
            raise Invalid("a desk behind a webhook is webhooks://host/path", where="service_desk")
        self._url = parts._replace(scheme=SCHEMES[parts.scheme]).geturl()
        self._keys = signing.keys_of(secret, where="service_desk_secret")
        self._clock = clock
        self._seconds = seconds

    def put(self, case: DeskCase, place: DeskPlace | None) -> DeskPlace:
        """Post it. The message's id is the newest word's, so that the desk can tell a repetition; so can it by each word's id."""
        newest = max((word.id for word in case.words), default=0)
        message = f"{case.reference}:{newest}:{case.state}"
        body = json.dumps(_body(case, self._clock.now()), separators=(",", ":"), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message,
            **signing.headers(self._keys, message, self._clock.now(), body),
        }
        answer = ask("POST", self._url, who="the desk", headers=headers, content=body, seconds=self._seconds)
        if answer.status == 410:
            raise Missing("the desk does not have it (any more)")
        if not answer.ok and (answer.status >= 500 or answer.status in {401, 403, 404, 408, 409, 425, 429}):
            raise Unavailable(f"the desk answered {answer.status}", retry_after=answer.retry_after)
        if not answer.ok:
            raise Refused(f"the desk answered {answer.status}")
        return _place(answer.body, case, place)

    def look(self, place: DeskPlace, seen: int) -> DeskSide | None:
        """It tells by itself."""
        return None


def _body(case: DeskCase, now: datetime) -> dict[str, Any]:
    return {
        "type": EVENT,
        "timestamp": now.isoformat(),
        "data": {
            "reference": case.reference,
            "title": case.title,
            "state": case.state,
            "priority": case.priority,
            "url": case.url,
            "outcome": case.outcome,
            "part": case.part,
            "customer": {"name": case.customer.name, "mail": case.customer.mail} if case.customer else None,
            "words": [
                {"id": word.id, "at": word.at.isoformat(), "kind": word.kind, "author": word.author, "text": word.text}
                for word in case.words
            ],
        },
    }


def _place(body: bytes, case: DeskCase, before: DeskPlace | None) -> DeskPlace:
    """Where the desk says it has put it; a desk that does not say knows the ticket by our reference."""
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = {}
    known = answer if isinstance(answer, dict) else {}
    identifier = str(known.get("id") or (before.id if before else case.reference))[:64]
    number = str(known.get("number") or (before.number if before else identifier))[:64]
    page = str(known.get("url") or (before.url if before else ""))
    return DeskPlace(identifier, number, page if page.startswith(("https://", "http://")) else "", case.state)


class Word(BaseModel):
    """Something the desk's people wrote. ``id`` grows from word to word of one ticket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[int, Field(ge=1, lt=2**53)]
    at: datetime
    kind: Literal["note", "reply", "message"] = "note"
    author: Annotated[str, Field(min_length=1, max_length=120)]
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    delivered: bool = False


class Report(BaseModel):
    """What the desk posts back about one ticket. ``outcome`` is a closing code; it is needed where ``state`` is closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Annotated[str, Field(min_length=1, max_length=64)]
    state: Literal["open", "waiting", "closed", "merged", "gone"]
    outcome: Annotated[str | None, Field(max_length=32)] = None
    part: Annotated[str | None, Field(max_length=64)] = None
    words: Annotated[list[Word], Field(max_length=100)] = []

    def side(self, seen: int) -> DeskSide:
        """As a desk that is looked at would have said it."""
        words = tuple(
            DeskWord(one.id, one.at, one.kind, one.author, one.text, one.delivered)
            for one in self.words
            if one.id > seen
        )
        newest = max([seen, *(word.id for word in words)])
        return DeskSide(self.state, tuple(sorted(words, key=lambda word: word.id)), newest, self.outcome, self.part)


def read_report(body: bytes) -> Report:
    """What a desk posted. Raises `Invalid`, which names the key."""
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Invalid(first["msg"], where=".".join(str(step) for step in first["loc"]) or "body") from None
