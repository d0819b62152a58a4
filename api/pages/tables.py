"""Tables of the staff pages: plain for what fits on a page, served page by page for what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import run, ui
from nicegui.events import GenericEventArguments

from api.pages.language import Speaker

Row = Mapping[str, Any]
Column = tuple[str, str, str]
"""Field, heading, and alignment (``left`` or ``right``)."""

LINK_CELL = """
<q-td :props="props">
  <a v-if="props.row.{field}_to" class="hw-name" :href="props.row.{field}_to">{{{{ props.value }}}}</a>
  <span v-else>{{{{ props.value }}}}</span>
</q-td>
"""
STATE_CELL = """
<q-td :props="props">
  <q-badge v-if="props.value" :color="props.row.{field}_color || 'grey-6'" :label="props.value" />
</q-td>
"""


PROSE = "min-width: 16rem; white-space: normal; word-break: normal"
"""A cell that holds sentences: on a phone it must not become a column of single words."""
WHOLE = "word-break: keep-all"
"""Other cells: Chinese words stay whole where a column is narrow, they would stand one sign a line."""
ONE_LINE = "white-space: nowrap"
"""Headings, which else part with their arrow, and times, which else break at a hyphen."""
MOMENTS = frozenset({"at", "started", "asked", "trained", "first_seen", "last_seen", "opened", "due"})
"""Columns of times."""


def columns(*given: Column) -> list[dict[str, Any]]:
    """Quasar's column objects."""
    return [
        {"name": field, "label": label, "field": field, "align": align, "sortable": False, "headerStyle": ONE_LINE}
        for field, label, align in given
    ]


def worded(say: Speaker, given: Sequence[Column]) -> list[Column]:
    """Columns with their headings in the reader's language; one without a heading keeps none."""
    return [(field, say(label) if label else "", align) for field, label, align in given]


def table(
    given: Sequence[Column],
    rows: Sequence[Row],
    *,
    links: Sequence[str] = (),
    badges: Sequence[str] = (),
    prose: Sequence[str] = (),
    key: str = "id",
    page_size: int = 15,
) -> ui.table:
    """A table whose rows are all here. ``links`` are fields with a ``<field>_to`` beside them, ``badges`` with a ``<field>_color``,
    ``prose`` hold sentences."""
    described = columns(*given)
    for column in described:
        column["sortable"] = True
        if column["name"] in prose:
            column["style"] = PROSE
        elif column["name"] in MOMENTS:
            column["style"] = ONE_LINE
    pagination = {"rowsPerPage": page_size} if len(rows) > page_size else {"rowsPerPage": 0}
    made = ui.table(columns=described, rows=[dict(row) for row in rows], row_key=key, pagination=pagination)
    if len(rows) <= page_size:
        made.props("hide-pagination")
    return _dressed(made, links, badges)


async def served_table(
    given: Sequence[Column],
    fetch: Callable[[int, int], tuple[Sequence[Row], int]],
    *,
    links: Sequence[str] = (),
    badges: Sequence[str] = (),
    key: str = "id",
    page_size: int = 25,
) -> ui.table | None:
    """A table that asks the server for each page: ``fetch(offset, limit)`` gives the rows and how many there are in all.

    None when the server is ending.
    """
    first = await run.io_bound(fetch, 0, page_size)
    if first is None:
        return None
    made = ui.table(
        columns=columns(*given),
        rows=[dict(row) for row in first[0]],
        row_key=key,
        pagination={"rowsPerPage": page_size, "rowsNumber": first[1], "page": 1},
    ).props(':rows-per-page-options="[25, 50, 100]"')

    async def turn(event: GenericEventArguments) -> None:
        wanted = dict(event.args["pagination"])
        limit = int(wanted.get("rowsPerPage") or page_size)
        answer = await run.io_bound(fetch, (int(wanted.get("page") or 1) - 1) * limit, limit)
        if answer is None:
            return
        rows, total = answer
        made.rows = [dict(row) for row in rows]
        made.pagination = {**wanted, "rowsNumber": total}

    made.on("request", turn)
    return _dressed(made, links, badges)


def _dressed(made: ui.table, links: Sequence[str], badges: Sequence[str]) -> ui.table:
    for field in links:
        made.add_slot(f"body-cell-{field}", LINK_CELL.format(field=field))
    for field in badges:
        made.add_slot(f"body-cell-{field}", STATE_CELL.format(field=field))
    made.classes("w-full hw-card").style(WHOLE).props("flat dense")
    return made
