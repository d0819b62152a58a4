"""How long a client waits before it tries a broker again."""

from __future__ import annotations

from itertools import pairwise

from hearthwatch.messaging.link import FIRST_PAUSE_S, LONGEST_PAUSE_S, drawn_pause


def test_clients_that_a_broker_sent_away_come_back_at_different_moments() -> None:
    drawn = [drawn_pause(FIRST_PAUSE_S) for _ in range(1000)]
    assert min(drawn) >= FIRST_PAUSE_S
    assert max(drawn) <= 2 * FIRST_PAUSE_S
    apart = [later - earlier for earlier, later in pairwise(sorted(drawn))]
    assert max(apart) < 0.1 * FIRST_PAUSE_S, "they come in waves"


def test_a_broker_that_stays_away_is_asked_ever_more_rarely_and_at_most_half_a_minute_apart() -> None:
    pauses = [FIRST_PAUSE_S * 2**attempt for attempt in range(12)]
    drawn = [drawn_pause(min(pause, LONGEST_PAUSE_S)) for pause in pauses]
    assert max(drawn) <= LONGEST_PAUSE_S
    assert all(later > earlier * 0.99 for earlier, later in pairwise(drawn[:5]))
    assert min(drawn[5:]) >= LONGEST_PAUSE_S / 2
