from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.decision.costs import Costs
from analytics.decision.rule import Rule
from analytics.decision.worth import decided, realised

AMOUNTS = st.floats(0.01, 1000)
RELAY = Costs(failure=120, planned=45, effectiveness=0.7, notice=0.5, false_alarm=4, currency="EUR")


@st.composite
def costs(draw: st.DrawFn) -> Costs:
    planned = draw(AMOUNTS)
    made = Costs(planned + draw(AMOUNTS), planned, draw(st.floats(0.05, 1)), draw(AMOUNTS), draw(AMOUNTS))
    assume(made.avoidable > made.notice * 1.01)
    return made


@given(costs(), st.floats(0, 1))
def test_acting_is_worth_it_exactly_above_the_threshold(of: Costs, p: float) -> None:
    assert 0 < of.threshold < 1
    assume(abs(p - of.threshold) > 1e-9)
    assert (of.net_benefit(p) > 0) == (p > of.threshold)
    saved, spent = p * (of.failure - of.planned) * of.effectiveness, of.notice + (1 - p) * of.false_alarm
    assert of.net_benefit(p) == pytest.approx(saved - spent)


@given(costs())
def test_the_threshold_is_cost_over_cost_and_benefit(of: Costs) -> None:
    cost, benefit = of.notice + of.false_alarm, of.avoidable - of.notice
    assert of.threshold == pytest.approx(cost / (cost + benefit))


@given(costs(), st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_a_decision_saves_what_it_says_once_probabilities_are_true(of: Costs, rows: list[tuple[float, bool]]) -> None:
    p, flagged = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    everybody = np.ones(len(rows), dtype=bool)

    def expected(acting: np.ndarray) -> float:
        """The mean cost over both outcomes of every row, weighted by its probability."""
        each = [
            q * realised(acting[[at]], everybody[[at]], of) + (1 - q) * realised(acting[[at]], ~everybody[[at]], of)
            for at, q in enumerate(p.tolist())
        ]
        return float(np.mean(each))

    saved = expected(~everybody) - expected(flagged)
    assert saved == pytest.approx(float(np.where(flagged, of.net_benefit(p), 0).mean()), abs=1e-6)
    assert expected(decided(p, of).flagged) <= expected(flagged) + 1e-9


def test_nobody_to_decide_about_costs_nothing() -> None:
    assert realised(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool), RELAY) == 0


def test_without_costs_one_probability_holds_for_all() -> None:
    line = Rule(0.5).line("plug", "relay")
    assert (line.threshold, line.close, line.critical, line.costs) == (0.5, 0.3, 0.5, None)
    assert line.told(0.7) == {"by": "probability", "threshold": 0.5}
