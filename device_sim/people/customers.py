"""Customers: read their letters some hours later, open the page behind the link, and choose one of the actions it offers."""

from __future__ import annotations

import heapq
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlsplit

from numpy.random import Generator

from device_sim.people.desk import Desk

_PAGE = 100
_READ_AFTER_H = (1.0, 22.0)
_LINK = re.compile(r"https?://\S+?/c/[A-Za-z0-9._~-]+")
_CHOICES: dict[str, tuple[tuple[str, float], ...]] = {
    "accept_update": (("accept_update", 0.86), ("later", 0.07)),
    "visit": (("visit", 0.6), ("later", 0.12), ("not_mine", 0.01)),
}
"""What people do where the page offers an update, or else a visit; the rest does nothing."""


class Customers:
    """Everybody who gets letters."""

    def __init__(self, desk: Desk, rng: Generator) -> None:
        self._desk = desk
        self._rng = rng
        self._newest = 0
        self._unread: list[tuple[datetime, int, str, str]] = []
        self._asked_for_visit: set[str] = set()

    def act(self, now: datetime) -> None:
        """Take new letters in, and act on those whose time has come."""
        for id_, address, path in self._new_letters():
            due = now + timedelta(hours=float(self._rng.uniform(*_READ_AFTER_H)))
            heapq.heappush(self._unread, (due, id_, address, path))
        while self._unread and self._unread[0][0] <= now:
            _, _, address, path = heapq.heappop(self._unread)
            self._read(address, path)

    def _new_letters(self) -> list[tuple[int, str, str]]:
        """Letters since the last look that hold a link, oldest first: id, address, path of the link."""
        found: list[tuple[int, str, str]] = []
        params: dict[str, str | int] = {"limit": _PAGE}
        seen, newest = self._newest, self._newest
        while True:
            page = self._desk.read("agent", "/mailbox", **params)
            fresh = [letter for letter in page["items"] if int(letter["id"]) > seen]
            for letter in fresh:
                newest = max(newest, int(letter["id"]))
                link = _LINK.search(letter["text"])
                if link is not None:
                    found.append((int(letter["id"]), letter["address"], urlsplit(link.group()).path))
            if len(fresh) < len(page["items"]) or page["next"] is None:
                break
            params["cursor"] = page["next"]
        self._newest = newest
        return sorted(found)

    def _read(self, address: str, path: str) -> None:
        text = self._desk.page(path)
        if text is None:
            return
        form = read_form(text)
        action = self._choose(address, form.actions)
        if action is not None and form.nonce is not None:
            self._desk.submit(path, {"nonce": form.nonce, "action": action})

    def _choose(self, address: str, offered: frozenset[str]) -> str | None:
        drawn = float(self._rng.random())
        for kind, choices in _CHOICES.items():
            if kind not in offered:
                continue
            for action, share in choices:
                if drawn < share:
                    return self._once(address, action) if action in offered else None
                drawn -= share
            return None
        return None

    def _once(self, address: str, action: str) -> str | None:
        """Nobody asks for a second visit because the first was announced."""
        if action == "visit":
            if address in self._asked_for_visit:
                return None
            self._asked_for_visit.add(address)
        return action


class Form(HTMLParser):
    """The forms of a customer's page: the nonce, and the actions that a button offers."""

    def __init__(self) -> None:
        super().__init__()
        self.nonce: str | None = None
        self._actions: set[str] = set()

    @property
    def actions(self) -> frozenset[str]:
        """What can be chosen."""
        return frozenset(self._actions)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take fields and buttons in."""
        given = dict(attrs)
        name, value = given.get("name"), given.get("value")
        if tag in {"input", "button"} and value:
            if name == "nonce":
                self.nonce = value
            elif name == "action":
                self._actions.add(value)


def read_form(page: str) -> Form:
    """What a page offers."""
    form = Form()
    form.feed(page)
    form.close()
    return form
