"""What an intake knows of its spool: how many messages wait there, and which are on their way into it."""

from __future__ import annotations

from collections.abc import Sequence

from hearthwatch.ports import Receipt
from hearthwatch.values import Message

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
"""Between two attempts at a spool that is full: it costs little, and nothing is acknowledged meanwhile."""

_Taken = Sequence[tuple[Message, Receipt]]


class Spooling:
    """``found`` messages waited in the spool at the start; None means that there is no spool."""

    def __init__(self, found: int | None) -> None:
        self.exists = found is not None
        self.waiting = self._found = found or 0
        self.taken: _Taken = ()
        self.whole_batch = False  # `taken` is the batch under way, which stays in memory as well
        self.came_at = 0.0
        self.retry_at: float | None = None
        self._pause = 0.0

    @property
    def behind(self) -> bool:
        """Whether messages wait in the spool: then everything that comes goes there as well."""
        return self.waiting > 0

    @property
    def at_rest(self) -> bool:
        """Whether nothing is in the spool, or on its way there."""
        return not self.waiting and not self.taken

    def take(self, taken: _Taken, came_at: float, *, whole_batch: bool = False) -> Sequence[Message]:
        """These are to be spooled; the first of them came at ``came_at``."""
        self.taken, self.came_at, self.whole_batch = taken, came_at, whole_batch
        return self.again()

    def again(self) -> Sequence[Message]:
        """The messages that are to be spooled."""
        self.retry_at = None
        return [message for message, _ in self.taken]

    def done(self) -> _Taken:
        """They are in the spool. Returns them."""
        taken = self.give_up()
        self.waiting += len(taken)
        return taken

    def failed(self, at: float) -> None:
        """They are not."""
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2 if self._pause else FIRST_PAUSE_S)
        self.retry_at = at + self._pause

    def give_up(self) -> _Taken:
        """They need not be spooled any more. Returns them."""
        taken, self.taken = self.taken, ()
        self.whole_batch = False
        self.retry_at = None
        self._pause = 0.0
        return taken

    def left(self, messages: int) -> None:
        """So many messages wait in the spool."""
        self.waiting = messages

    def of_this_life(self, messages: int) -> int:
        """How many of these messages, the oldest of the spool, came since the start."""
        before = min(self._found, messages)
        self._found -= before
        return messages - before
