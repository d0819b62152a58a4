"""Pages about work that goes on elsewhere: read anew by themselves once it has gone on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nicegui import ui
from sqlalchemy import Connection

from api.context import ApiContext
from api.pages.frame import Visit
from hearthwatch.errors import HearthwatchError

ASK_EVERY_S = 3.0


class Work(Protocol):
    """A piece of work with a state, that says how far it is."""

    @property
    def state(self) -> str:
        """How it stands."""

    @property
    def progress(self) -> str:
        """What it does at the moment."""


Told = Callable[[str], str]
Read = Callable[[Connection, int], Work]


def watch(
    visit: Visit, states: Mapping[int, str], read: Read, progress: ui.label | None = None, told: Told = str
) -> None:
    """Read the page anew once one that waits or runs has gone on; until then tell its ``progress``, worded by ``told``."""
    if not states:
        return

    async def ask() -> None:
        try:
            now = await visit.load(_now, tuple(states), read)
        except HearthwatchError:  # the records are away: it asks again
            return
        if any(now[number].state != state for number, state in states.items()):
            ui.navigate.reload()
        elif progress is not None:
            progress.set_text(" ".join(told(one.progress) for one in now.values()))

    ui.timer(ASK_EVERY_S, ask, immediate=False)


def _now(context: ApiContext, numbers: Sequence[int], read: Read) -> Mapping[int, Work]:
    with context.database.reading() as connection:
        return {number: read(connection, number) for number in numbers}
