"""What can go wrong in one run. Each seed draws its own mixture: some faults often, some never, so that rare meetings happen."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields


@dataclass(slots=True)
class Faults:
    """Rates per second for what comes from outside, shares for what befalls an action."""

    # outside, per second
    line_cut: float
    line_half_open: float
    session_wiped: float
    broker_away: float
    process_killed: float
    process_stopped: float
    clock_jump: float
    store_away: float
    records_away: float
    disk_full: float
    # of the actions
    killed_before: float
    killed_within: float
    killed_after: float
    refused: float
    answer_lost: float
    unforeseen: float
    slow: float
    partial: float
    acknowledgements_cut: float
    disk_error: float
    power_cut: float
    # of the messages
    malformed: float
    poison: float
    published_twice: float
    out_of_order: float
    qos_0: float
    wrong_device_clock: float
    novel_metric: float

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong any more."""
        return cls(*(0.0 for _ in fields(cls)))

    @classmethod
    def drawn(cls, chance: random.Random) -> Faults:
        """A mixture."""

        def rate(most: float) -> float:
            return 0.0 if chance.random() < 0.4 else most * 10 ** chance.uniform(-1.5, 0)

        return cls(
            line_cut=rate(0.3),
            line_half_open=rate(0.1),
            session_wiped=rate(0.06),
            broker_away=rate(0.05),
            process_killed=rate(0.1),
            process_stopped=rate(0.05),
            clock_jump=rate(0.05),
            store_away=rate(0.1),
            records_away=rate(0.1),
            disk_full=rate(0.1),
            killed_before=rate(0.1),
            killed_within=rate(0.1),
            killed_after=rate(0.1),
            refused=rate(0.4),
            answer_lost=rate(0.3),
            unforeseen=rate(0.1),
            slow=rate(0.5),
            partial=rate(0.3),
            acknowledgements_cut=rate(0.2),
            disk_error=rate(0.2),
            power_cut=rate(1.0),
            malformed=rate(0.3),
            poison=rate(0.2),
            published_twice=rate(0.3),
            out_of_order=rate(0.3),
            qos_0=rate(0.3),
            wrong_device_clock=rate(0.1),
            novel_metric=rate(0.1),
        )
