"""How much each group of columns contributes to a model's answer for a row: Shapley values of the groups.

A coalition is a set of groups that have the row's own values while all other columns are as usual; its worth is the model's answer.
A group's Shapley value is the mean of what it adds over all orders in which groups can join (Shapley 1953; for models, Lundberg and
Lee 2017). The values of all groups add up to the answer for the row less the answer for the usual row. For few groups every coalition
is asked; for many, orders are drawn, each with its reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from analytics.panel import Flags, Floats

MOST_EXACT = 10
ORDERS = 64
"""Orders that are drawn, half of them reverses of the other half."""
_AT_ONCE = 20_000
_SEED = 20260501

Rows = NDArray[np.float32]
Answer = Callable[[Rows], Floats]


def shapley(
    answer: Answer, rows: Rows, usual: Rows, groups: Sequence[Flags], *, most_exact: int = MOST_EXACT
) -> Floats:
    """Shapley values, shape (rows, groups). ``groups`` are masks of columns, without overlap; ``usual`` is one row."""
    if not len(rows) or not groups:
        return np.zeros((len(rows), len(groups)))
    joined, weight = (
        every_coalition(len(groups)) if len(groups) <= most_exact else drawn_coalitions(len(groups), ORDERS)
    )
    own: Flags = (joined.astype(np.int8) @ np.stack(groups).astype(np.int8)) > 0
    together = max(1, _AT_ONCE // len(own))
    worth = [_worth(answer, rows[first : first + together], usual, own) for first in range(0, len(rows), together)]
    values: Floats = np.concatenate(worth) @ weight
    return values


def _worth(answer: Answer, rows: Rows, usual: Rows, own: Flags) -> Floats:
    """The answer of every coalition for some rows, shape (rows, coalitions)."""
    mixed = np.where(own[None, :, :], rows[:, None, :], usual[None, None, :])
    return answer(mixed.reshape(-1, rows.shape[1])).reshape(len(rows), len(own))


@lru_cache(maxsize=16)
def every_coalition(groups: int) -> tuple[Flags, Floats]:
    """All coalitions, shape (coalitions, groups), and with what weight the worth of each counts for each group."""
    joined = (np.arange(2**groups)[:, None] >> np.arange(groups)[None, :]) & 1 == 1
    size = joined.sum(axis=1)
    of_size = np.array([factorial(k) * factorial(groups - k - 1) / factorial(groups) for k in range(groups)])
    with_it = of_size[np.maximum(size - 1, 0)][:, None]
    without_it = of_size[np.minimum(size, groups - 1)][:, None]
    return joined, np.where(joined, with_it, -without_it)


@lru_cache(maxsize=16)
def drawn_coalitions(groups: int, orders: int) -> tuple[Flags, Floats]:
    """The coalitions met in some orders and their reverses, and the weights, as `every_coalition`."""
    rng = np.random.default_rng(_SEED)
    half = [rng.permutation(groups) for _ in range(orders // 2)]
    weight: dict[tuple[bool, ...], Floats] = {}
    for order in [*half, *(one[::-1] for one in half)]:
        joined = np.zeros(groups, dtype=bool)
        for group in order.tolist():
            before = tuple(joined.tolist())
            joined[group] = True
            for key, sign in ((before, -1.0), (tuple(joined.tolist()), 1.0)):
                weight.setdefault(key, np.zeros(groups))[group] += sign / (2 * len(half))
    return np.array(list(weight), dtype=bool), np.stack(list(weight.values()))
