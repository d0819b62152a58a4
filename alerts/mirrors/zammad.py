"""Zammad: tickets are created and followed through its REST API.

Facts from the project's own description (github.com/zammad/zammad-documentation, api/intro.rst, api/ticket/index.rst, articles.rst,
tags.rst, states.rst) and from `TicketsController` of github.com/zammad/zammad:

- ``Authorization: Token token=...``; a token needs the permission ``ticket.agent``;
- a ticket is created together with its first article and its tags; an update may carry an article, and both are one transaction there;
- ``preferences`` of a ticket are merged key by key: what we have told stands there (`TOLD`), so that an update which came through although
  nobody heard the answer is not made twice;
- ``customer_id: "guess:mail@..."`` finds or makes the customer; ``?expand=true`` gives names beside numbers;
- the default states are new, open, pending reminder, pending close, closed, merged, removed; a pending state wants ``pending_time``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import nh3

from alerts.channels.http import SECONDS, Answer, ask, said
from hearthwatch.errors import Invalid, Missing, Refused, Unavailable
from hearthwatch.ports import Clock
from hearthwatch.service_desk import DeskCase, DeskPlace, DeskSide, DeskState, DeskWord, WordKind

NAME = "zammad"
SCHEMES = {"zammad": "http", "zammads": "https"}
TOLD = "hearthwatch"
"""The key of ours in a ticket's preferences: ``{"reference": ..., "told": [ids of the newest words]}``."""
TOLD_KEPT = 200
PRIORITIES = {1: "3 high", 2: "3 high", 3: "2 normal", 4: "1 low"}
STATES: Mapping[DeskState, str] = {"open": "open", "waiting": "pending reminder", "closed": "closed"}
PENDING = timedelta(days=7)
"""A pending state of Zammad's wants an end."""
_READ: Mapping[str, DeskState] = {
    "new": "open",
    "open": "open",
    "pending reminder": "waiting",
    "pending close": "waiting",
    "closed": "closed",
    "merged": "merged",
    "removed": "gone",
}
OUTCOME, PART = "outcome:", "part:"
"""Tags that say how a ticket ended."""
SENT = frozenset({"email", "sms", "phone", "whatsapp message", "telegram personal-message"})
"""Types of articles by which a customer has heard already."""
LONGEST_BODY = 20_000
_BREAK = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h[1-6])>", re.IGNORECASE)


class ZammadDesk:
    """One Zammad: ``zammads://TOKEN@host[:port][/base]?group=GROUP&customer=MAIL``, or ``zammad://`` without TLS.

    ``customer`` is who a ticket is for where the desk is not to know the real customer.
    """

    name = NAME

    def __init__(self, address: str, clock: Clock, *, seconds: float = SECONDS) -> None:
        """Raises `Invalid` for an address that is none."""
        parts = urlsplit(address)
        if parts.scheme not in SCHEMES or not parts.hostname or not parts.username:
            raise Invalid("a Zammad is zammads://TOKEN@host?group=GROUP&customer=MAIL", where="service_desk")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not options.get("group") or not options.get("customer"):
            raise Invalid("Zammad wants a group and a customer: ?group=GROUP&customer=MAIL", where="service_desk")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._root = f"{SCHEMES[parts.scheme]}://{host}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
        self._headers = {"Authorization": f"Token token={unquote(parts.username)}", "Content-Type": "application/json"}
        self._group, self._customer = options["group"], options["customer"]
        self._seconds = seconds
        self._me: int | None = None
        self._clock = clock

    def put(self, case: DeskCase, place: DeskPlace | None) -> DeskPlace:
        """Create or follow. Raises `Unavailable` to be tried again, `Missing` where the desk has it no more, `Refused`."""
        ticket = self._find(case) if place is None else self._read(place.id)
        if ticket is None:
            ticket = self._create(case)
        told = _told(ticket)
        for word in case.words:
            if word.id not in told:
                told = [*told, word.id][-TOLD_KEPT:]
                self._update(ticket, case, {"article": _article(case, word), **self._marked(case, told)})
        if place is None or place.told != case.state:
            self._update(ticket, case, self._state(case))
        return self._place(ticket, case)

    def look(self, place: DeskPlace, seen: int) -> DeskSide:
        """The mirror as Zammad has it. Raises `Unavailable` or `Refused`."""
        try:
            ticket = self._read(place.id)
        except Missing:
            return DeskSide("gone", (), seen)
        state = _READ.get(str(ticket.get("state", "")).casefold(), "open")
        articles = self._ask("GET", f"/ticket_articles/by_ticket/{int(place.id)}")
        words = [_word(one) for one in articles if _is_news(one, seen, self._own_id())]
        newest = max((int(one.get("id", 0)) for one in articles), default=seen)
        tags = self._tags(place.id) if state == "closed" else ()
        waits = ticket.get("pending_time") if state == "waiting" else None
        return DeskSide(
            state=state,
            words=tuple(sorted(words, key=lambda word: word.id)),
            seen=max(seen, newest),
            outcome=_of(tags, OUTCOME),
            part=_of(tags, PART),
            waits_until=_time(str(waits)) if waits else None,
        )

    def _find(self, case: DeskCase) -> dict[str, Any] | None:
        """The ticket that an earlier try made, whose answer nobody heard."""
        found = self._ask("GET", f"/tickets/search?query={quote(case.reference)}&limit=20&expand=true")
        tickets = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return next((one for one in tickets if _marker(one).get("reference") == case.reference), None)

    def _create(self, case: DeskCase) -> dict[str, Any]:
        first = case.words[0] if case.words else None
        body = {
            "title": f"{case.title} [{case.reference}]",
            "group": self._group,
            "customer_id": f"guess:{case.customer.mail if case.customer else self._customer}",
            "priority": PRIORITIES[case.priority],
            "tags": "hearthwatch",
            "article": _article(case, first),
            **self._marked(case, [first.id] if first else []),
        }
        return self._object(self._ask("POST", "/tickets?expand=true", body))

    def _update(self, ticket: Mapping[str, Any], case: DeskCase, changes: Mapping[str, Any]) -> None:
        self._ask("PUT", f"/tickets/{int(ticket['id'])}", {"priority": PRIORITIES[case.priority], **changes})

    def _marked(self, case: DeskCase, told: Sequence[int]) -> dict[str, Any]:
        return {"preferences": {TOLD: {"reference": case.reference, "told": list(told)}}}

    def _state(self, case: DeskCase) -> dict[str, Any]:
        changes: dict[str, Any] = {"state": STATES.get(case.state, "open")}
        if case.state == "waiting":
            changes["pending_time"] = (self._clock.now() + PENDING).isoformat()
        return changes

    def _read(self, identifier: str) -> dict[str, Any]:
        return self._object(self._ask("GET", f"/tickets/{int(identifier)}?expand=true"))

    def _tags(self, identifier: str) -> Sequence[str]:
        answer = self._object(self._ask("GET", f"/tags?object=Ticket&o_id={int(identifier)}"))
        return [str(tag) for tag in answer.get("tags", ())]

    def _own_id(self) -> int:
        if self._me is None:
            self._me = int(self._object(self._ask("GET", "/users/me"))["id"])
        return self._me

    def _place(self, ticket: Mapping[str, Any], case: DeskCase) -> DeskPlace:
        identifier = str(int(ticket["id"]))
        page = f"{self._root}/#ticket/zoom/{identifier}"
        return DeskPlace(identifier, str(ticket.get("number", identifier)), page, case.state)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = ask(
            method,
            f"{self._root}/api/v1{path}",
            who="Zammad",
            headers=self._headers,
            content=json.dumps(body).encode() if body is not None else None,
            seconds=self._seconds,
        )
        return _heard(answer)

    def _object(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict) or not answer:
            raise Unavailable("Zammad answered something else than was asked for")
        return answer


def _heard(answer: Answer) -> Any:
    if answer.ok:
        try:
            return json.loads(answer.body or b"null")
        except ValueError:
            raise Unavailable("Zammad answered no JSON") from None
    if answer.status == 404:
        raise Missing("Zammad does not have it (any more)")
    if (
        answer.status in {401, 403, 408, 423, 429} or answer.status >= 500
    ):  # the operator can put it right, or it passes
        raise Unavailable(f"Zammad answered {answer.status}: {said(answer)}", retry_after=answer.retry_after)
    raise Refused(f"Zammad answered {answer.status}: {said(answer)}")


def _marker(ticket: Mapping[str, Any]) -> Mapping[str, Any]:
    preferences = ticket.get("preferences")
    marker = preferences.get(TOLD) if isinstance(preferences, dict) else None
    return marker if isinstance(marker, dict) else {}


def _told(ticket: Mapping[str, Any]) -> list[int]:
    told = _marker(ticket).get("told", [])
    return [one for one in told if isinstance(one, int)] if isinstance(told, list) else []


def _article(case: DeskCase, word: DeskWord | None) -> dict[str, Any]:
    """Never anything that Zammad would send to the customer by itself: an article of type note stays in the desk."""
    lines = [
        word.text if word else case.title,
        "",
        f"{word.author}, {word.at:%Y-%m-%d %H:%M} UTC" if word else "",
        case.url,
    ]
    return {
        "subject": case.title[:200],
        "body": "\n".join(lines)[:LONGEST_BODY],
        "content_type": "text/plain",
        "type": "note",
        "internal": word is None or word.kind in {"note", "change"},
    }


def _is_news(article: Mapping[str, Any], seen: int, me: int) -> bool:
    return int(article.get("id", 0)) > seen and int(article.get("created_by_id") or 0) != me


def _word(article: Mapping[str, Any]) -> DeskWord:
    return DeskWord(
        id=int(article["id"]),
        at=_time(str(article.get("created_at", ""))),
        kind=_kind(article),
        author=str(article.get("from") or article.get("created_by") or "the desk"),
        text=_plain(article),
        delivered=article.get("type") in SENT,
    )


def _kind(article: Mapping[str, Any]) -> WordKind:
    if str(article.get("sender", "")).casefold() == "customer":
        return "message"
    return "note" if article.get("internal", True) else "reply"


def _of(tags: Sequence[str], prefix: str) -> str | None:
    return next((tag.removeprefix(prefix).strip() for tag in tags if tag.startswith(prefix)), None)


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Unavailable("Zammad answered a time that is none") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _plain(article: Mapping[str, Any]) -> str:
    """The text of an article, which may be HTML from anywhere: its tags are gone, its line breaks stay."""
    body = str(article.get("body", ""))
    if "html" in str(article.get("content_type", "")):
        body = unescape(nh3.clean(_BREAK.sub("\n", body), tags=set()))
    return "\n".join(line.strip() for line in body.splitlines()).strip()[:LONGEST_BODY]
