"""A large map inside a JSON state that is changed by copying little of it: a decoder must leave the state it was given as it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

JsonObject = Mapping[str, Any]


@lru_cache(maxsize=65_536)
def board_of(name: str) -> str:
    """Which of 256 boards a name stands on."""
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:2]


class Shelf:
    """``{board: {name: value}}``, read through and written to without touching what was given.

    Names that must be found together are put on the board of what they have in common (``beside``).
    """

    def __init__(self, given: object) -> None:
        self._given: JsonObject = given if isinstance(given, dict) else {}
        self._changed: dict[str, dict[str, Any]] = {}

    def _board(self, key: str) -> JsonObject:
        known = self._changed.get(key, self._given.get(key))
        return known if isinstance(known, dict) else {}

    def get(self, name: str, beside: str | None = None) -> Any:
        """The value under a name, or None."""
        return self._board(board_of(beside or name)).get(name)

    def beside(self, name: str) -> list[str]:
        """Everything on the board of a name."""
        return list(self._board(board_of(name)))

    def put(self, name: str, value: Any, beside: str | None = None) -> None:
        """Put a value under a name; None takes away what is there."""
        key = board_of(beside or name)
        board = self._board(key)
        if board.get(name) == value:
            return
        if key not in self._changed:
            self._changed[key] = dict(board)
        if value is None:
            self._changed[key].pop(name, None)
        else:
            self._changed[key][name] = value

    def __len__(self) -> int:
        boards = {**self._given, **self._changed}
        return sum(len(board) for board in boards.values() if isinstance(board, dict))

    def settled(self) -> JsonObject:
        """The map as it is now, without empty boards: the given object when nothing changed."""
        changed = {key: board for key, board in self._changed.items() if self._given.get(key, {}) != board}
        if not changed:
            return self._given
        settled = {**self._given, **changed}
        for key in [key for key, board in changed.items() if not board]:
            del settled[key]
        return settled
