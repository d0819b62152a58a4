"""Policy: what becomes of a finding, and whether anything leaves the house."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from alerts.policy import versions as policies_of_alerts
from api.context import ApiContext
from api.pages import hold_outs
from api.pages.actions import perform
from api.pages.frame import Visit, card, facts, sentence
from api.pages.wording import moment
from api.security import ADMINS, Person
from hearthwatch.records import policies

MEANING = {
    "observe": "Everything is decided and shown, nothing is sent and no ticket opens.",
    "live": "Notices are sent and tickets open by themselves.",
    "retired": "An earlier version.",
}


async def policy_page(visit: Visit) -> None:
    """The version in force, its switch, and its text."""
    current, versions = await visit.load(_load)
    if current is None:
        sentence("No policy yet.")
        return
    with card(f"{current.name}, version {current.version}: {current.mode}", MEANING.get(current.mode, "")):
        facts(
            {
                "Written": f"{moment(current.created_at)} UTC by {current.created_by}",
                "Live since": f"{moment(current.live_since)} by {current.live_by}"
                if current.live_since
                else "never was",
            }
        )
        if visit.person.role in ADMINS:
            _switch(visit.context, visit.person, current)
    await hold_outs.result_card(visit)
    with card("Text", "TOML. A change is a new version, and starts in observe."):
        ui.code(current.text, language="toml").classes("w-full")
    with card("Versions"):
        for one in versions:
            ui.label(f"{one.version}  {one.mode}  {moment(one.created_at)} by {one.created_by}").classes("text-sm")


def _switch(context: ApiContext, person: Person, current: Any) -> None:
    target = "observe" if current.mode == "live" else "live"

    async def change() -> None:
        now = context.clock.now()
        await perform(
            context,
            lambda c: policies_of_alerts.set_mode(c, current.version, target, person.name, now),
            f"The policy is in {target}",
        )

    async def ask() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label(f"Set the policy to {target}? {MEANING[target]}")
            with ui.row():
                ui.button("Yes", on_click=lambda: dialog.submit(True)).props("no-caps unelevated")
                ui.button("No", on_click=lambda: dialog.submit(False)).props("no-caps flat")
        if await dialog:
            await change()

    ui.button(f"Set to {target}", on_click=ask).props("no-caps unelevated")


def _load(context: ApiContext) -> tuple[Any, list[Any]]:
    with context.database.reading() as connection:
        return policies.current(connection), list(policies.list_versions(connection))
