"""Features of past mornings as those mornings could have had them: what had not arrived by then is unknown.

A row of day t stands for the morning after it, when the day was judged. Data of a day d <= t that could be read only later (a gateway that
held it back, a store that was away) must not be in it, or a model learns from what no prognosis will ever have: that a device which is
silent today tells next week that it was well. Which days came late is known from the records (`hearthwatch.records.late_days`).

A day of which a part was there in time and a part came late counts as unknown until the last of it was there. What its morning saw of it is
not kept, and the late part may hold just what nobody could know yet. So such a row knows less than its morning did, never more; its own
day's row is left out (`on_time`). History that was imported has no arrivals: its days count as there in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics import features
from analytics.features import Background, Feature, early_mean, peer_deviation, trailing_mean
from analytics.hazard import Matrix
from analytics.panel import Flags, Floats, Ints, Panel, day_number, increases
from analytics.signals import derived, raw_metrics
from hearthwatch.failure_modes import UNEXPECTED_REBOOTS
from hearthwatch.records.late_days import JUDGED_AFTER, LateDay

AMONG_PEERS = ("peers", "apart")
"""The views that look at other devices too: what of those came late changes them for all."""
RECENT_DAYS = 3
_MORNINGS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Late:
    """The late device-days of a panel, by its row ``device`` and its ``day``, in order.

    ``until`` is the first day whose morning had all of it. All are indices into the panel; ``until`` may lie behind its end.
    """

    device: Ints
    day: Ints
    until: Ints

    def __bool__(self) -> bool:
        return len(self.device) > 0


NOTHING_LATE = Late(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


def late_in(panel: Panel, known: Sequence[LateDay]) -> Late:
    """Those of some late days that lie in a panel."""
    row_of = {name: row for row, name in enumerate(panel.devices)}
    found = sorted(
        (row_of[one.device_id], day_number(one.day) - panel.first_day, _until(one) - panel.first_day)
        for one in known
        if one.device_id in row_of
    )
    device, day, until = np.array(found, dtype=np.int64).reshape(-1, 3).T
    inside = (day >= 0) & (day < panel.days) & (until > day)
    return Late(device[inside], day[inside], until[inside])


def _until(one: LateDay) -> int:
    """The first day whose morning came after the last of it."""
    return day_number(one.last_at - JUDGED_AFTER)


def on_time(panel: Panel, late: Late) -> Flags:
    """The device-days of which all was there on the morning after them: the rows that a model may learn from or be tested on."""
    flags = panel.present.copy()
    flags[late.device, late.day] = False
    return flags


def matrix(
    panel: Panel, background: Background, columns: Sequence[Feature], device: Ints, day: Ints, late: Late
) -> Matrix:
    """As `analytics.features.matrix`, of each row as its morning could have had it. Rows that nothing late touches are the same to the bit.

    The panel is one of raw days or one that `derived` made. Where the background gives ``early`` and ``first_seen``, they count as known.
    """
    result = features.matrix(panel, background, columns, device, day)
    if not late:
        return result
    mornings = _mornings(late, panel.days)
    mornings = mornings[np.isin(mornings[:, 1], day)]
    if len(mornings) == 0:
        return result
    slim = _only_needed(panel, columns)
    peers = _Peers(slim, background, columns, mornings)
    at = {(int(one), int(then)): place for place, (one, then) in enumerate(mornings)}
    of_row = np.array([at.get(key, -1) for key in zip(device.tolist(), day.tolist(), strict=True)], dtype=np.int64)
    for places in np.array_split(np.arange(len(mornings)), -(-len(mornings) // _MORNINGS_AT_ONCE)):
        then, own = _as_it_was(slim, background, late, mornings[places])
        turn, last = np.arange(len(places)), mornings[places, 1]
        told = features.matrix(then, own, columns, turn, last)
        rows = np.flatnonzero((of_row >= places[0]) & (of_row <= places[-1]))
        result[rows] = told[of_row[rows] - places[0]]
        peers.put(then, own, places)
    peers.write(result, device, day)
    return result


def _mornings(late: Late, days: int) -> Ints:
    """Every (device, day) whose morning lacked something of that device, in order, shape (n, 2)."""
    length = np.minimum(late.until, days) - late.day
    device = np.repeat(late.device, length)
    begun = np.repeat(np.cumsum(length) - length, length)
    day = np.repeat(late.day, length) + np.arange(len(device)) - begun
    return np.unique(np.stack([device, day], axis=1), axis=0).astype(np.int64)


def _only_needed(panel: Panel, columns: Sequence[Feature]) -> Panel:
    wanted = {column.metric for column in columns}
    wanted |= {*raw_metrics(wanted), UNEXPECTED_REBOOTS}
    values = {name: values for name, values in panel.values.items() if name in wanted}
    totals = {name: totals for name, totals in panel.totals.items() if name in wanted}
    return replace(panel, values=values, totals=totals)


def _as_it_was(panel: Panel, background: Background, late: Late, mornings: Ints) -> tuple[Panel, Background]:
    """The history of one device for each morning, a row each, as that morning could have read it; and what was known beside it."""
    device, morning = mornings[:, 0], mornings[:, 1]
    cut = panel.only(device)
    first, last = np.searchsorted(late.device, device, "left"), np.searchsorted(late.device, device, "right")
    turn = np.repeat(np.arange(len(device)), last - first)
    mark = np.concatenate([np.arange(one, other) for one, other in zip(first, last, strict=True)])
    unknown = (late.day[mark] <= morning[turn]) & (morning[turn] < late.until[mark])
    hidden = np.zeros(cut.present.shape, dtype=bool)
    hidden[turn[unknown], late.day[mark[unknown]]] = True
    own = Background(
        model=np.zeros(len(device), dtype=np.int64),
        born=background.born[device],
        serviced={
            row: background.serviced[one] for row, one in enumerate(device.tolist()) if one in background.serviced
        },
        first_seen=None if background.first_seen is None else background.first_seen[device],
        early={metric: values[device] for metric, values in background.early.items()},
    )
    return _without(cut, hidden), own


def _without(panel: Panel, hidden: Flags) -> Panel:
    """A panel in which some device-days were never heard of."""
    totals = {name: np.where(hidden, np.nan, values) for name, values in panel.totals.items()}
    values = {
        name: increases(totals[name]) if name in totals else np.where(hidden, np.nan, values)
        for name, values in panel.values.items()
    }
    plain = replace(
        panel,
        values=values,
        totals=totals,
        firmware=np.where(hidden, -1, panel.firmware),
        present=panel.present & ~hidden,
    )
    again = derived(plain).values
    return replace(plain, values={name: again[name] for name in panel.values})


class _Peers:
    """What each device's distance from its peers was on mornings on which some of them lacked something."""

    def __init__(self, panel: Panel, background: Background, columns: Sequence[Feature], mornings: Ints) -> None:
        self._model = background.model
        self._mornings = mornings
        self._days = np.unique(mornings[:, 1])
        self._day_of = np.searchsorted(self._days, mornings[:, 1])
        self._columns = [
            (place, column)
            for place, column in enumerate(columns)
            if column.view in AMONG_PEERS and column.metric in panel.values
        ]
        self._seen = {
            (metric, view): values[:, self._days]
            for metric in dict.fromkeys(column.metric for _, column in self._columns)
            for view, values in _looked_at(panel, background, metric)
        }

    def put(self, then: Panel, own: Background, places: Ints) -> None:
        """Replace what is compared, for the devices of some mornings, by what it was then."""
        device, day = self._mornings[places, 0], self._day_of[places]
        turn, last = np.arange(len(places)), self._mornings[places, 1]
        for metric in dict.fromkeys(column.metric for _, column in self._columns):
            for view, values in _looked_at(then, own, metric):
                self._seen[metric, view][device, day] = values[turn, last]

    def write(self, result: Matrix, device: Ints, day: Ints) -> None:
        """Write the distances into the rows of those mornings, of device models that lacked something."""
        touched = np.zeros((int(self._model.max(initial=0)) + 1, len(self._days)), dtype=bool)
        touched[self._model[self._mornings[:, 0]], self._day_of] = True
        place = np.minimum(np.searchsorted(self._days, day), len(self._days) - 1)
        rows = np.flatnonzero((self._days[place] == day) & touched[self._model[device], place])
        for column, feature in self._columns:
            distance = peer_deviation(self._seen[feature.metric, feature.view], self._model)
            result[rows, column] = distance[device[rows], place[rows]]


def _looked_at(panel: Panel, background: Background, metric: str) -> Iterator[tuple[str, Floats]]:
    """What is compared with the peers, by view."""
    recent = trailing_mean(panel.values[metric], RECENT_DAYS)
    yield "peers", recent
    yield "apart", recent - early_mean(panel, background, metric)
