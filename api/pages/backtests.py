"""Backtests of a maker's own history: all of them, how to start one, and how to bring the files."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from api.context import ApiContext
from api.pages.actions import perform
from api.pages.frame import Visit, card, refused, sentence
from api.pages.going_on import watch
from api.pages.language import Speaker, speaker
from api.pages.tables import table, worded
from api.pages.wording import moment
from api.routes.backtests import NewBacktest, question_of
from api.security import ENGINEERS
from hearthwatch.errors import HearthwatchError, Invalid
from hearthwatch.history.shelf import Shelved, list_shelf
from hearthwatch.records import audit, backtests
from hearthwatch.records.backtests import OPEN, Backtest

STATE_COLORS = {
    "waiting": "grey-7",
    "running": "primary",
    "done": "positive",
    "refused": "warning",
    "failed": "negative",
    "interrupted": "warning",
}
HORIZONS = (7, 14, 30, 90)
"""Days within which a failure may count."""
COLUMNS = (
    ("history", "History of a fleet", "left"),
    ("state", "State", "left"),
    ("foretold", "Foretold", "right"),
    ("lead", "Half of them ahead by", "right"),
    ("false", "False per 1,000 device-weeks", "right"),
    ("horizon", "Horizon", "right"),
    ("asked", "Asked (UTC)", "left"),
    ("by", "Asked by", "left"),
)
PICKER = """
<div style="display:flex;flex-wrap:wrap;gap:.75rem;align-items:end">
  <div><label for="hw-folder" class="hw-quiet text-sm">{folder}</label><br>
    <input id="hw-folder" type="text" maxlength="100" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" placeholder="drives"
      style="border:1px solid #b9b5a8;border-radius:6px;padding:.4rem .6rem;max-width:14rem"></div>
  <div><label for="hw-files" class="hw-quiet text-sm">{files}</label><br>
    <input id="hw-files" type="file" multiple accept=".csv,.gz,.parquet,.toml" style="max-width:100%"></div>
</div>
<div id="hw-upload" role="status" class="hw-quiet text-sm" style="margin-top:.5rem"></div>
"""
UPLOAD = """async () => {
  const words = WORDS;
  const told = (text, names) => text.replace(/{(\\w+)}/g, (_, name) => names[name]);
  const say = text => { document.getElementById('hw-upload').textContent = text; };
  const folder = document.getElementById('hw-folder').value.trim();
  const files = [...document.getElementById('hw-files').files];
  if (!folder || !files.length) { say(words.choose); return; }
  const size = 16 * 1024 * 1024;
  for (const [number, file] of files.entries()) {
    let offset = 0;
    do {
      const piece = file.slice(offset, offset + size);
      const last = offset + piece.size >= file.size;
      const address = `/api/v1/history/${encodeURIComponent(folder)}/${encodeURIComponent(file.name)}`;
      let answer;
      try {
        answer = await fetch(`${address}?offset=${offset}&last=${last}`, {method: 'PUT', body: piece});
      } catch (error) { say(told(words.silent, {file: file.name})); return; }
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        say(`${file.name}: ${problem.detail || problem.title || answer.status}`);
        return;
      }
      offset += piece.size;
      const [done, whole] = [offset, file.size].map(bytes => Math.round(bytes / 1048576));
      say(told(words.going, {number: number + 1, of: files.length, file: file.name, done, whole}));
    } while (offset < file.size);
  }
  location.reload();
}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows."""

    asked: Sequence[Backtest]
    shelf: Sequence[Shelved]
    place: str


async def backtests_page(visit: Visit) -> None:
    """All backtests, the newest first, and the ways to another."""
    say = speaker(visit.request)
    shown = await visit.load(_load)
    sentence(
        say(
            "How many failures of your own history would have been foretold, how early, at how many false alarms, and why."
        )
    )
    if shown.asked:
        table(worded(say, COLUMNS), [row(say, one) for one in shown.asked], links=("history",), badges=("state",))
    else:
        sentence(say("No backtest yet."))
    if visit.person.role in ENGINEERS:
        _start(visit, say, shown)
        _bring(say)
    watch(visit, {one.id: one.state for one in shown.asked if one.state in OPEN}, backtests.get)


def row(say: Speaker, one: Backtest) -> dict[str, Any]:
    """A backtest as a row of a table."""
    answer: Mapping[str, Any] = (one.report or {}).get("answer") or {}
    lead = (answer.get("lead_days") or {}).get("median")
    false = answer.get("false_per_1000_device_weeks")
    return {
        "id": one.id,
        "history": one.folder,
        "history_to": f"/backtests/{one.id}",
        "state": state_in_words(say, one.state),
        "state_color": STATE_COLORS[one.state],
        "foretold": say("{part} of {whole}", part=answer["foretold"], whole=answer["of"]) if answer else "–",
        "lead": say("{days} days", days=f"{lead:g}") if lead is not None else "–",
        "false": f"{false:.1f}" if false is not None else "–",
        "horizon": say("{days} days", days=one.horizon_days),
        "asked": moment(one.asked_at),
        "by": one.asked_by,
    }


def state_in_words(say: Speaker, state: str) -> str:
    """How a backtest stands; one that is refused was not forbidden, it had too little to judge by."""
    return say("too little data") if state == "refused" else say.word(state)


def _start(visit: Visit, say: Speaker, shown: Shown) -> None:
    note = say(
        "Histories lie on the server below {place}, each in a folder of its own with its mapping file.",
        place=shown.place,
    )
    with card(say("Start a backtest"), note):
        if not any(one.mappings and one.files for one in shown.shelf):
            sentence(say("There is no folder with data and a mapping yet. Bring one below, or copy it there."))
            return
        folders = {one.folder: one for one in shown.shelf if one.mappings and one.files}
        first = next(iter(folders.values()))
        with ui.row().classes("items-end gap-4"):
            folder = ui.select(
                {name: _named(say, one) for name, one in folders.items()}, value=first.folder, label=say("Folder")
            ).classes("w-64")
            mapping = ui.select(list(first.mappings), value=first.mappings[0], label=say("Mapping")).classes("w-48")
            horizon = ui.select(
                {days: say("{days} days", days=days) for days in HORIZONS},
                value=7,
                label=say("A failure counts within"),
            ).classes("w-40")
            cut = ui.input(say("Learn until (empty: 60 % of it)"), placeholder="2026-03-01").classes("w-56")

            def turned() -> None:
                mapping.set_options(list(folders[folder.value].mappings), value=folders[folder.value].mappings[0])

            folder.on_value_change(turned)

            async def start() -> None:
                try:
                    asked = NewBacktest(
                        folder=folder.value,
                        mapping=mapping.value,
                        cut=_date(say, cut.value),
                        horizon_days=horizon.value,
                    )
                    question = await visit.load(question_of, asked)
                except HearthwatchError as error:
                    refused(error)
                    return
                now, name = visit.context.clock.now(), visit.person.name

                def work(connection: Any) -> None:
                    made = backtests.ask(connection, question, now, name)
                    detail = {"folder": question.folder, "mapping": question.mapping_file}
                    audit.note(
                        connection,
                        at=now,
                        actor=name,
                        action="backtest.create",
                        object=f"backtest:{made.id}",
                        detail=detail,
                    )

                await perform(visit.context, work, say("It waits for its turn"))

            ui.button(say("Start"), on_click=start).props("no-caps unelevated")


def _named(say: Speaker, one: Shelved) -> str:
    size = f"{one.bytes / 1e6:,.1f} MB"
    if one.files == 1:
        return say("{folder} (1 file, {size})", folder=one.folder, size=size)
    return say("{folder} ({count} files, {size})", folder=one.folder, count=one.files, size=size)


def _date(say: Speaker, text: str | None) -> datetime | None:
    if not text or not text.strip():
        return None
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(f"not an ISO 8601 date: {text!r:.40}", where=say("Learn until")) from None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def _bring(say: Speaker) -> None:
    note = say(
        "A mapping file says what the columns mean; “hearthwatch mapping suggest PATH” proposes one. What is uploaded is only for "
        "backtests: it becomes telemetry by “hearthwatch import”."
    )
    words = {
        "choose": say("Name a folder and choose files."),
        "silent": say("{file}: the server did not answer"),
        "going": say("{number} of {of}: {file}, {done} of {whole} MB"),
    }
    with card(say("Bring a history"), note):
        labels = {
            "folder": html.escape(say("Folder")),
            "files": html.escape(say("CSV, CSV.gz, Parquet, and a mapping (.toml)")),
        }
        ui.html(PICKER.format(**labels), sanitize=False)
        script = UPLOAD.replace("WORDS", json.dumps(words))
        ui.button(say("Upload")).props("no-caps outline").on("click", js_handler=script)


def _load(context: ApiContext) -> Shown:
    with context.database.reading() as connection:
        asked = backtests.list_backtests(connection)
    place = context.settings.history_folder
    return Shown(asked, list_shelf(place), str(place))
