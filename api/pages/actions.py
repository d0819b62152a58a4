"""What a button on a page does: one transaction, an answer to the person, and the page read anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import run, ui
from sqlalchemy import Connection

from api.context import ApiContext
from api.pages.frame import PERSON, refused
from api.pages.language import Speaker
from api.security import person_of
from hearthwatch.errors import HearthwatchError


async def perform(
    context: ApiContext, work: Callable[[Connection], Any], done: str, *, then: Callable[[], str] | None = None
) -> bool:
    """Run ``work(connection)`` in a transaction off the event loop; tell the person how it went, and read the page anew.

    ``then`` names the page to go to instead. Nothing is done where the page was opened by a session that has ended since, or by a role
    that the person no longer has.
    """
    client = ui.context.client
    if await run.io_bound(person_of, context, client.request) != client.storage.get(PERSON):
        ui.navigate.reload()
        return False
    try:
        await run.io_bound(_in_transaction, context, work)
    except HearthwatchError as error:
        refused(error)
        return False
    ui.notify(done, type="positive")
    if then is None:
        ui.navigate.reload()
    else:
        ui.navigate.to(then())
    return True


async def agreed(say: Speaker, question: str) -> bool:
    """Ask a person whether they mean it, before something that is not easily undone. False where they say no, or close the question."""
    with ui.dialog() as dialog, ui.card():
        ui.label(question).classes("break-words")
        with ui.row():
            ui.button(say("Yes"), on_click=lambda: dialog.submit(True)).props("no-caps unelevated")
            ui.button(say("No"), on_click=lambda: dialog.submit(False)).props("no-caps flat")
    return bool(await dialog)


def _in_transaction(context: ApiContext, work: Callable[[Connection], Any]) -> None:
    context.database.retrying(work)
