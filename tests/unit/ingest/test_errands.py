"""Errands to a store that answers in time, late, or with an error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from ingest.errands import Answer, Errands

PATIENCE_S = 20.0


@pytest.fixture
def told() -> threading.Event:
    return threading.Event()


@pytest.fixture
def errands(told: threading.Event) -> Iterator[Errands]:
    made = Errands("errands of a test", told.set)
    yield made
    made.close()


def test_an_error_is_an_answer(errands: Errands) -> None:
    error = ZeroDivisionError()

    def fail() -> None:
        raise error

    assert errands.run(fail, PATIENCE_S) == Answer(error=error)
    assert errands.run(lambda: 7, PATIENCE_S) == Answer(7)


def test_who_did_not_wait_is_told_when_the_answer_comes_and_gets_it_once(
    errands: Errands, told: threading.Event
) -> None:
    let = threading.Event()
    assert errands.run(_after(let, "late"), 0.01) is None
    assert errands.late() is None
    assert not told.is_set()
    let.set()
    assert told.wait(PATIENCE_S)
    assert errands.late() == Answer("late")
    assert errands.late() is None
    assert errands.run(lambda: "next", PATIENCE_S) == Answer("next")


def test_who_waited_is_not_told(errands: Errands, told: threading.Event) -> None:
    for number in range(100):
        assert errands.run(lambda number=number: number, PATIENCE_S) == Answer(number)  # type: ignore[misc]
    assert not told.is_set()


def test_closing_ends_the_thread_after_what_it_is_doing() -> None:
    made = Errands("errands that end", lambda: None)
    made.run(lambda: None, PATIENCE_S)
    (thread,) = [one for one in threading.enumerate() if one.name == "errands that end"]
    made.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def _after(event: threading.Event, answer: str) -> Callable[[], str]:
    def wait() -> str:
        assert event.wait(PATIENCE_S)
        return answer

    return wait
