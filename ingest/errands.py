"""Calls to a store, in a thread of their own: one that does not answer must not keep the broker and the spool waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

Errand = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an errand: a result, or the error it ended in."""

    result: Any = None
    error: Exception | None = None


class Errands:
    """Runs one errand at a time. ``told`` is called from its thread when an answer came that was not waited for."""

    def __init__(self, name: str, told: Callable[[], None]) -> None:
        self._errands: SimpleQueue[Errand | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._told = told
        self._late = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def run(self, errand: Errand, patience: float) -> Answer | None:
        """The answer, or None when it takes longer than ``patience`` seconds: `late` has it then."""
        if not self._thread.is_alive():
            self._thread.start()
        self._errands.put(errand)
        try:
            return self._answers.get(timeout=patience)
        except Empty:
            self._late = True
            return self.late()  # it may have come before we said that we do not wait

    def late(self) -> Answer | None:
        """The answer that was not waited for, when it is there."""
        if not self._late:
            return None
        try:
            answer = self._answers.get_nowait()
        except Empty:
            return None
        self._late = False
        return answer

    def close(self) -> None:
        """Let the thread end, after what it is doing."""
        self._errands.put(None)

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            self._answers.put(attempt(errand))
            if self._late:
                self._told()


def attempt(errand: Errand) -> Answer:
    """Run an errand here and now."""
    try:
        return Answer(errand())
    except Exception as error:  # noqa: BLE001  whoever asked decides what it means
        return Answer(error=error)
