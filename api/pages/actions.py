"""What a button on a page does: one transaction, an answer to the person, and the page read anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import run, ui
from sqlalchemy import Connection

from api.context import ApiContext
from api.pages.frame import refused
from hearthwatch.errors import HearthwatchError


async def perform(
    context: ApiContext, work: Callable[[Connection], Any], done: str, *, then: Callable[[], str] | None = None
) -> bool:
    """Run ``work(connection)`` in a transaction off the event loop; tell the person how it went, and read the page anew.

    ``then`` names the page to go to instead.
    """
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


def _in_transaction(context: ApiContext, work: Callable[[Connection], Any]) -> None:
    context.database.retrying(work)
