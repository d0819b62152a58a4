"""The thread in which the runner calls its stores, without the thread: what takes too long is done, or answered, later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ingest.errands import Answer, Errand, attempt
from ingest.intake import Store
from tests.simulation.stores import Killed, Trouble


class VirtualErrands:
    """As `ingest.errands.Errands`. A store's time passes before it does what it is asked, or after: both are slow answers."""

    def __init__(self, trouble: Trouble, wake: Callable[[], None], kill: Callable[[], None], *_names: Any) -> None:
        self._trouble = trouble
        self._wake = wake
        self._kill = kill
        self._late = False
        self._answer: Answer | None = None
        self._alive = True

    def run(self, errand: Errand, patience: float) -> Answer | None:
        """The answer, or None when it takes longer than ``patience`` seconds."""
        trouble = self._trouble
        seconds, at_the_end = trouble.time_it_takes(), trouble.chance.random() < 0.5
        if seconds <= patience:
            if at_the_end:
                trouble.pause(seconds)
                return self._done(errand)
            answer = self._done(errand)
            trouble.pause(seconds)
            return answer
        trouble.timeline.tell("store", f"takes {seconds:.1f} s, longer than it is waited for")
        self._late = True
        if at_the_end:
            trouble.timeline.after(seconds, partial(self._do_late, errand))
        else:
            trouble.timeline.after(seconds, partial(self._answer_late, self._done(errand)))
        trouble.pause(patience)
        return self.late()

    def late(self) -> Answer | None:
        """The answer that was not waited for, when it is there."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self._late = False
        return answer

    def close(self) -> None:
        """Nobody hears the answer any more; what a server was asked it may still do."""
        self._alive = False

    def _done(self, errand: Errand) -> Answer:
        with self._trouble.at_once():
            return attempt(errand)

    def _do_late(self, errand: Errand) -> None:
        if not self._alive and not (isinstance(errand, partial) and isinstance(errand.args[0], Store)):
            return
        try:
            answer = self._done(errand)
        except Killed:
            if self._alive:
                self._kill()
            return
        self._answer_late(answer)

    def _answer_late(self, answer: Answer) -> None:
        if self._alive:
            self._answer = answer
            self._wake()
